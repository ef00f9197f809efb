//! XMP: what is known of the picture in properties of Dublin Core and IPTC Extension, and the old packet's others.
//!
//! Sources: XMP specification part 1 (RDF) and part 3 (files); IPTC Photo Metadata Standard 2023.1.

use std::fmt::Write as _;

use pipeline_core::error::Result;
use roxmltree::{Document, Node, ParsingOptions};
use xmp_writer::{CustomNamespace, Namespace, XmpWriter};

use super::facts::Facts;
use super::file::too_long;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const DC: &str = "http://purl.org/dc/elements/1.1/";
const RIGHTS: &str = "http://ns.adobe.com/xap/1.0/rights/";
const IPTC: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const META: &str = "adobe:ns:meta/";
/// Says where the rest of a packet is that did not fit; that rest goes.
const NOTE: &str = "http://ns.adobe.com/xmp/note/";
/// An old packet with more of either is not read.
const LONGEST: usize = 1 << 20;
const MOST_NODES: u32 = 50_000;

/// Returns the packet. The old packet's other properties go where there is no room for them.
pub(super) fn packet(old: Option<&[u8]>, facts: &Facts, most: usize) -> Result<String> {
    let ours = written(facts);
    let kept = old.map(|old| foreign(old, facts)).unwrap_or_default();
    let end = ours.rfind("</rdf:RDF>").unwrap_or(ours.len());
    if let (Some(head), Some(tail), true) = (ours.get(..end), ours.get(end..), ours.len() + kept.len() <= most) {
        return Ok(format!("{head}{kept}{tail}"));
    }
    if ours.len() > most { Err(too_long("xmp", ours.len(), most)) } else { Ok(ours) }
}

/// A packet of what is known of the picture.
fn written(facts: &Facts) -> String {
    let mut writer = XmpWriter::new();
    if !facts.title.is_empty() {
        writer.title([(None, facts.title.as_str())]);
    }
    if !facts.description.is_empty() {
        writer.description([(None, facts.description.as_str())]);
    }
    if !facts.keywords.is_empty() {
        writer.subject(facts.keywords.iter().map(String::as_str));
    }
    if let Some(creator) = &facts.creator {
        writer.creator([creator.as_str()]);
    }
    if let Some(rights) = &facts.rights {
        writer.rights([(None, rights.as_str())]);
        writer.marked(true);
    }
    if let Some(source) = facts.source {
        let space = CustomNamespace::new("IPTC Extension", "Iptc4xmpExt", IPTC);
        writer.element("DigitalSourceType", Namespace::Custom(Box::new(space))).value(source);
    }
    writer.finish(None)
}

/// Tells whether a property is one that is said anew.
fn said(facts: &Facts, namespace: Option<&str>, name: &str) -> bool {
    match (namespace.unwrap_or_default(), name) {
        (DC, "title") => !facts.title.is_empty(),
        (DC, "description") => !facts.description.is_empty(),
        (DC, "subject") => !facts.keywords.is_empty(),
        (DC, "creator") => facts.creator.is_some(),
        (DC, "rights") | (RIGHTS, "Marked") => facts.rights.is_some(),
        (IPTC, "DigitalSourceType") => facts.source.is_some(),
        (NOTE, "HasExtendedXMP") => true,
        _ => false,
    }
}

/// Returns the descriptions of an old packet without what is said anew; nothing when it cannot be read.
fn foreign(packet: &[u8], facts: &Facts) -> String {
    let text = std::str::from_utf8(packet).ok().filter(|text| text.len() <= LONGEST);
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let Some((text, document)) = text.and_then(|text| {
        // Packets are often padded with zeros or white space.
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
        Some((text, Document::parse_with_options(text, options).ok()?))
    }) else {
        return String::new();
    };
    let root = document.root_element();
    let is_rdf = |node: &Node<'_, '_>| node.has_tag_name((RDF, "RDF"));
    let rdf = Some(root).filter(is_rdf).or_else(|| root.children().find(is_rdf));
    let descriptions = rdf.into_iter().flat_map(|rdf| rdf.children());
    let descriptions = descriptions.filter(|node| node.has_tag_name((RDF, "Description")));
    descriptions.map(|description| kept(text, description, facts)).collect()
}

/// Returns one description of what is left of another.
fn kept(text: &str, description: Node<'_, '_>, facts: &Facts) -> String {
    let mut properties = String::new();
    for attribute in description.attributes() {
        let namespace = attribute.namespace();
        let prefix = namespace.filter(|uri| *uri != RDF).and_then(|uri| description.lookup_prefix(uri));
        if let Some(prefix) = prefix.filter(|prefix| *prefix != "xml" && !said(facts, namespace, attribute.name())) {
            let name = attribute.name();
            // A property may be written as an attribute or as an element; they mean the same.
            let _ = write!(properties, "<{prefix}:{name}>{}</{prefix}:{name}>", escaped(attribute.value()));
        }
    }
    for node in description.children().filter(Node::is_element) {
        let name = node.tag_name();
        if !said(facts, name.namespace(), name.name()) {
            properties.push_str(text.get(node.range()).unwrap_or_default());
        }
    }
    if properties.is_empty() {
        return properties;
    }
    let mut spaces: Vec<(Option<&str>, &str)> = description
        .namespaces()
        .map(|space| (space.name(), space.uri()))
        .filter(|space| ![(Some("rdf"), RDF), (Some("x"), META)].contains(space) && space.0 != Some("xml"))
        .collect();
    spaces.sort_unstable();
    spaces.dedup();
    let mut out = "<rdf:Description rdf:about=\"\"".to_owned();
    for (prefix, uri) in spaces {
        let colon = if prefix.is_some() { ":" } else { "" };
        let _ = write!(out, " xmlns{colon}{}=\"{}\"", prefix.unwrap_or_default(), escaped(uri));
    }
    let _ = write!(out, ">{properties}</rdf:Description>");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
