//! EXIF: what is known of the picture among the tags that are there.
//!
//! Source: Exif 2.32, sections 4.6.4 and 4.6.5; the tags `XP…` are those of Windows' file properties, in UTF-16.

use exif::{Context, Rational, Tag, Value};
use pipeline_core::error::Result;

use super::super::tags::{BLOCKS, Tags};
use super::facts::{Density, Facts, Frame};
use super::file::too_long;

const XP_TITLE: Tag = Tag(Context::Tiff, 0x9c9b);
const XP_AUTHOR: Tag = Tag(Context::Tiff, 0x9c9d);
const XP_KEYWORDS: Tag = Tag(Context::Tiff, 0x9c9e);

/// Returns the block. The old block's longest values go where there is no room for them.
pub(super) fn block(old: Option<&[u8]>, facts: &Facts, frame: Frame, most: usize) -> Result<Vec<u8>> {
    let mut tags = old.and_then(Tags::read).unwrap_or_else(|| Tags::none(true));
    // They would say again what was said before.
    tags.retain(|tag| !BLOCKS.contains(&tag));
    say(&mut tags, facts);
    fit(&mut tags, frame);
    let written = tags.written(most);
    if written.len() > most { Err(too_long("exif", written.len(), most)) } else { Ok(written) }
}

/// Puts in what is known of the picture.
fn say(tags: &mut Tags, facts: &Facts) {
    let ascii = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let utf16 = |text: &str| Value::Byte(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect());
    if !facts.title.is_empty() {
        tags.state(XP_TITLE, utf16(&facts.title));
    }
    if !facts.description.is_empty() {
        tags.state(Tag::ImageDescription, ascii(&facts.description));
    }
    if !facts.keywords.is_empty() {
        tags.state(XP_KEYWORDS, utf16(&facts.keywords.join(";")));
    }
    if let Some(creator) = &facts.creator {
        tags.state(Tag::Artist, ascii(creator));
        tags.state(XP_AUTHOR, utf16(creator));
    }
    if let Some(rights) = &facts.rights {
        tags.state(Tag::Copyright, ascii(rights));
    }
}

/// Puts in what the standard wants beside it, where it is missing, and what must agree with the file.
fn fit(tags: &mut Tags, frame: Frame) {
    let fraction = |(num, denom): (u32, u32)| Value::Rational(vec![Rational { num, denom }]);
    let text = |bytes: &[u8]| Value::Undefined(bytes.to_vec(), 0);
    let density = frame.density.unwrap_or(Density { x: (72, 1), y: (72, 1), unit: 2 });
    let stated = [Tag::XResolution, Tag::YResolution, Tag::ResolutionUnit].iter().all(|tag| tags.get(*tag).is_some());
    if !stated {
        tags.state(Tag::XResolution, fraction(density.x));
        tags.state(Tag::YResolution, fraction(density.y));
        tags.state(Tag::ResolutionUnit, Value::Short(vec![density.unit]));
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
        tags.offer(tag, value);
    }
    tags.state(Tag::PixelXDimension, Value::Long(vec![frame.size.width]));
    tags.state(Tag::PixelYDimension, Value::Long(vec![frame.size.height]));
}
