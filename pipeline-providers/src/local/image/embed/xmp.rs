//! XMP: what is known of the picture in properties of Dublin Core and IPTC Extension, and the old packet's others.
//!
//! Sources: XMP specification part 1 (RDF) and part 3 (files); IPTC Photo Metadata Standard 2023.1.

use std::borrow::Cow;
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
/// An old packet with more of any of these is not read.
const LONGEST: usize = 1 << 20;
const MOST_NODES: u32 = 50_000;
/// roxmltree copies the namespaces that hold in an element for each one in it that declares another, and compares each
/// attribute with those before it. Programs write some dozens of the one, and some thousands of the other.
const MOST_NAMESPACES: usize = 1000;
const MOST_ATTRIBUTES: usize = 20_000;

/// What is left of a description of an old packet: its first tag with the namespaces, and its properties.
struct Description {
    head: String,
    properties: Vec<String>,
}

const TAIL: &str = "</rdf:Description>";

/// Returns the packet. The longest of the old packets' other properties go where there is no room for all.
pub(super) fn packet<P: AsRef<[u8]>>(old: &[P], facts: &Facts, most: usize) -> Result<String> {
    let ours = written(facts);
    let Some(room) = most.checked_sub(ours.len()) else { return Err(too_long("xmp", ours.len(), most)) };
    let mut kept: Vec<Description> = old.iter().flat_map(|old| foreign(old.as_ref(), facts)).collect();
    shorten(&mut kept, room);
    let (head, tail) = ours.split_at(ours.rfind("</rdf:RDF>").unwrap_or(ours.len()));
    let mut packet = head.to_owned();
    for Description { head, properties } in kept {
        packet.extend([head.as_str()].into_iter().chain(properties.iter().map(String::as_str)).chain([TAIL]));
    }
    packet.push_str(tail);
    Ok(packet)
}

/// Leaves out what is longest until the rest fits.
fn shorten(kept: &mut Vec<Description>, room: usize) {
    let around = |description: &Description| description.head.len() + TAIL.len();
    let mut lengths: Vec<(usize, usize, usize)> = Vec::new();
    for (place, description) in kept.iter().enumerate() {
        lengths.extend(description.properties.iter().enumerate().map(|(n, property)| (property.len(), place, n)));
    }
    lengths.sort_unstable();
    let mut left: Vec<usize> = kept.iter().map(|description| description.properties.len()).collect();
    let mut total = kept.iter().map(around).sum::<usize>() + lengths.iter().map(|(length, ..)| length).sum::<usize>();
    while total > room
        && let Some((length, place, n)) = lengths.pop()
    {
        total -= length;
        let (Some(description), Some(left)) = (kept.get_mut(place), left.get_mut(place)) else { continue };
        if let Some(property) = description.properties.get_mut(n) {
            property.clear();
        }
        *left -= 1;
        if *left == 0 {
            total -= around(description);
        }
    }
    kept.retain(|description| description.properties.iter().any(|property| !property.is_empty()));
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

/// Returns the descriptions of an old packet without what is said anew; none when it cannot be read.
fn foreign(packet: &[u8], facts: &Facts) -> Vec<Description> {
    let text = Some(packet).filter(|packet| packet.len() <= LONGEST).and_then(decoded);
    let text = text.as_deref();
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let Some((text, document)) = text.and_then(|text| {
        // Packets are often padded with zeros or white space.
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
        let is_quick = text.matches("xmlns").count() <= MOST_NAMESPACES && text.matches('=').count() <= MOST_ATTRIBUTES;
        let document = if is_quick { Document::parse_with_options(text, options).ok() } else { None };
        Some((text, document?))
    }) else {
        return Vec::new();
    };
    let root = document.root_element();
    let is_rdf = |node: &Node<'_, '_>| node.has_tag_name((RDF, "RDF"));
    let rdf = Some(root).filter(is_rdf).or_else(|| root.children().find(is_rdf));
    let descriptions = rdf.into_iter().flat_map(|rdf| rdf.children());
    let descriptions = descriptions.filter(|node| node.has_tag_name((RDF, "Description")));
    let kept = descriptions.map(|description| kept(text, description, facts));
    kept.filter(|description| !description.properties.is_empty()).collect()
}

/// Returns a packet as text. It may be UTF-16 too, in either order.
fn decoded(packet: &[u8]) -> Option<Cow<'_, str>> {
    let wide = |number: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = packet.as_chunks::<2>().0.iter().map(|pair| number(*pair)).collect();
        String::from_utf16(&units).ok().map(Cow::Owned)
    };
    match packet {
        [0xfe, 0xff, ..] | [0, b'<', ..] => wide(u16::from_be_bytes),
        [0xff, 0xfe, ..] | [b'<', 0, ..] => wide(u16::from_le_bytes),
        _ => std::str::from_utf8(packet).ok().map(Cow::Borrowed),
    }
}

/// Returns what is left of a description.
fn kept(text: &str, description: Node<'_, '_>, facts: &Facts) -> Description {
    let mut properties = Vec::new();
    for attribute in description.attributes() {
        let namespace = attribute.namespace();
        let prefix = namespace.filter(|uri| *uri != RDF).and_then(|uri| description.lookup_prefix(uri));
        if let Some(prefix) = prefix.filter(|prefix| *prefix != "xml" && !said(facts, namespace, attribute.name())) {
            let name = attribute.name();
            // A property may be written as an attribute or as an element; they mean the same.
            properties.push(format!("<{prefix}:{name}>{}</{prefix}:{name}>", escaped(attribute.value())));
        }
    }
    for node in description.children().filter(Node::is_element) {
        let name = node.tag_name();
        if !said(facts, name.namespace(), name.name()) {
            properties.extend(text.get(node.range()).map(str::to_owned));
        }
    }
    let mut spaces: Vec<(Option<&str>, &str)> = description
        .namespaces()
        .map(|space| (space.name(), space.uri()))
        .filter(|space| ![(Some("rdf"), RDF), (Some("x"), META)].contains(space) && space.0 != Some("xml"))
        .collect();
    spaces.sort_unstable();
    spaces.dedup();
    let mut head = "<rdf:Description rdf:about=\"\"".to_owned();
    for (prefix, uri) in spaces {
        let colon = if prefix.is_some() { ":" } else { "" };
        let _ = write!(head, " xmlns{colon}{}=\"{}\"", prefix.unwrap_or_default(), escaped(uri));
    }
    head.push('>');
    Description { head, properties }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
