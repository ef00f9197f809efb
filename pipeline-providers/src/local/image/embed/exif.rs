//! EXIF: what is known of the picture among the tags that are there.
//!
//! Source: Exif 2.32, sections 4.6.4 and 4.6.5; the tags `XP…` are those of Windows' file properties, in UTF-16.

use std::collections::BTreeMap;
use std::io::Cursor;

use exif::experimental::Writer;
use exif::{Context, Exif, Field, In, Rational, Reader, Tag, Value};
use pipeline_core::error::{Error, Result};

use super::facts::{Density, Facts, Frame};
use super::file::too_long;

/// An old block that is longer is not read.
const LONGEST: usize = 1 << 20;
const XP_TITLE: Tag = Tag(Context::Tiff, 0x9c9b);
const XP_AUTHOR: Tag = Tag(Context::Tiff, 0x9c9d);
const XP_KEYWORDS: Tag = Tag(Context::Tiff, 0x9c9e);
const MAKER_NOTE: Tag = Tag(Context::Exif, 0x927c);
/// Tags that describe a TIFF's own pixels and tables, which are not those of the picture.
const STRUCTURE: &[u16] = &[
    0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x115, 0x116, 0x117, 0x11c, 0x142, 0x143, 0x144, 0x145, 0x14a, 0x201,
    0x202, 0x212,
];

/// The tags of the first picture, by tag.
type Fields = BTreeMap<Tag, Value>;

/// Returns the block.
pub(super) fn block(old: Option<&[u8]>, facts: &Facts, frame: Frame, most: usize) -> Result<Vec<u8>> {
    let old = old.filter(|old| old.len() <= LONGEST).and_then(read);
    let little_endian = old.as_ref().is_none_or(Exif::little_endian);
    let mut fields = old.as_ref().map(|exif| foreign(exif, most)).unwrap_or_default();
    say(&mut fields, facts);
    fit(&mut fields, frame);
    let mut written = write(&fields, little_endian)?;
    if written.len() > most && fields.remove(&MAKER_NOTE).is_some() {
        written = write(&fields, little_endian)?;
    }
    if written.len() > most { Err(too_long("exif", written.len(), most)) } else { Ok(written) }
}

/// Reads a block as far as that is possible, as the decoder does when it looks for the orientation.
fn read(block: &[u8]) -> Option<Exif> {
    let read = Reader::new().continue_on_error(true).read_raw(block.to_vec());
    read.or_else(|error| error.distill_partial_result(|_| {})).ok()
}

/// Returns what a block says of its first picture, as long as that is short enough: tables may refer to one place again and
/// again.
fn foreign(exif: &Exif, most: usize) -> Fields {
    let mut fields = Fields::new();
    let mut bytes = 0_usize;
    for Field { tag, ifd_num, value } in exif.fields() {
        let structure = tag.context() == Context::Tiff && STRUCTURE.contains(&tag.number());
        if *ifd_num != In::PRIMARY || structure || matches!(value, Value::Unknown(..)) {
            continue;
        }
        bytes = bytes.saturating_add(length(value)).saturating_add(16);
        if bytes > most {
            break;
        }
        fields.entry(*tag).or_insert_with(|| value.clone());
    }
    fields
}

/// About how many bytes a value takes.
fn length(value: &Value) -> usize {
    match value {
        Value::Byte(bytes) | Value::Undefined(bytes, _) => bytes.len(),
        Value::Ascii(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        Value::SByte(values) => values.len(),
        Value::Short(values) => values.len() * 2,
        Value::SShort(values) => values.len() * 2,
        Value::Long(values) => values.len() * 4,
        Value::SLong(values) => values.len() * 4,
        Value::Float(values) => values.len() * 4,
        Value::Rational(values) => values.len() * 8,
        Value::SRational(values) => values.len() * 8,
        Value::Double(values) => values.len() * 8,
        Value::Unknown(..) => 0,
    }
}

/// Puts in what is known of the picture.
fn say(fields: &mut Fields, facts: &Facts) {
    let ascii = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let utf16 = |text: &str| Value::Byte(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect());
    if !facts.title.is_empty() {
        fields.insert(XP_TITLE, utf16(&facts.title));
    }
    if !facts.description.is_empty() {
        fields.insert(Tag::ImageDescription, ascii(&facts.description));
    }
    if !facts.keywords.is_empty() {
        fields.insert(XP_KEYWORDS, utf16(&facts.keywords.join(";")));
    }
    if let Some(creator) = &facts.creator {
        fields.insert(Tag::Artist, ascii(creator));
        fields.insert(XP_AUTHOR, utf16(creator));
    }
    if let Some(rights) = &facts.rights {
        fields.insert(Tag::Copyright, ascii(rights));
    }
}

/// Puts in what the standard wants beside it, where it is missing, and what must agree with the file.
fn fit(fields: &mut Fields, frame: Frame) {
    let fraction = |(num, denom): (u32, u32)| Value::Rational(vec![Rational { num, denom }]);
    let text = |bytes: &[u8]| Value::Undefined(bytes.to_vec(), 0);
    let density = frame.density.unwrap_or(Density { x: (72, 1), y: (72, 1), unit: 2 });
    let stated = [Tag::XResolution, Tag::YResolution, Tag::ResolutionUnit].iter().all(|tag| fields.contains_key(tag));
    if !stated {
        fields.insert(Tag::XResolution, fraction(density.x));
        fields.insert(Tag::YResolution, fraction(density.y));
        fields.insert(Tag::ResolutionUnit, Value::Short(vec![density.unit]));
    }
    // A profile says more than a number can.
    let space = if frame.profile { 0xffff } else { 1 };
    let mut usual = vec![
        (Tag::ExifVersion, text(b"0232")),
        (Tag::FlashpixVersion, text(b"0100")),
        (Tag::ColorSpace, Value::Short(vec![space])),
    ];
    if frame.jpeg {
        usual.push((Tag::YCbCrPositioning, Value::Short(vec![1])));
        usual.push((Tag::ComponentsConfiguration, text(&[1, 2, 3, 0])));
    }
    for (tag, value) in usual {
        fields.entry(tag).or_insert(value);
    }
    fields.insert(Tag::PixelXDimension, Value::Long(vec![frame.size.width]));
    fields.insert(Tag::PixelYDimension, Value::Long(vec![frame.size.height]));
}

fn write(fields: &Fields, little_endian: bool) -> Result<Vec<u8>> {
    let fields: Vec<Field> =
        fields.iter().map(|(tag, value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() }).collect();
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut out = Cursor::new(Vec::new());
    let written = writer.write(&mut out, little_endian);
    written.map_err(|error| Error::unexpected("cannot write the EXIF block").because(error))?;
    Ok(out.into_inner())
}
