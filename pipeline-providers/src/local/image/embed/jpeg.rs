//! JPEG: segments APP1 with EXIF and XMP, APP13 with IPTC-IIM.
//!
//! Sources: JPEG (ITU-T T.81, annex B), Exif 2.32 section 4.7, XMP specification part 3 section 1.1.3.

use std::borrow::Cow;

use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::exif;
use super::facts::{Density, Facts, Frame};
use super::file::{MOST_PARTS, damaged};
use super::photoshop;
use super::xmp;

const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP13: u8 = 0xed;
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const XMP_EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
/// The most a segment holds, its length of two bytes not counted.
const MOST: usize = 65_533;

/// A segment before the picture data.
#[derive(Clone, Copy, Debug)]
struct Segment<'a> {
    marker: u8,
    content: &'a [u8],
}

/// A file, split: the segments before the picture data, and all from there on.
#[derive(Debug)]
struct Split<'a> {
    segments: Vec<Segment<'a>>,
    rest: &'a [u8],
}

/// Writes the three blocks, in place of those that were there.
pub(super) fn embed(bytes: &[u8], facts: &Facts) -> Result<Vec<u8>> {
    let Split { segments, rest } = split(bytes).ok_or_else(|| damaged(MediaType::Jpeg, "segments"))?;
    let size = segments.iter().find_map(size).ok_or_else(|| damaged(MediaType::Jpeg, "frame header"))?;
    let app = |marker: u8, name: &'static [u8]| {
        segments.iter().filter(move |segment| segment.marker == marker).filter_map(|s| s.content.strip_prefix(name))
    };
    let frame = Frame {
        size,
        jpeg: true,
        profile: app(APP2, ICC).next().is_some(),
        density: app(APP0, b"JFIF\0").find_map(density),
    };
    let exif = exif::block(app(APP1, EXIF).next(), facts, frame, MOST - EXIF.len())?;
    let packet = app(APP1, XMP).next();
    let extension = packet.and_then(|packet| extension(packet, app(APP1, XMP_EXTENSION)));
    let old: Vec<&[u8]> = packet.into_iter().chain(extension.as_deref()).collect();
    let xmp = xmp::packet(&old, facts, MOST - XMP.len())?;
    let resources: Vec<u8> = app(APP13, photoshop::NAME).flatten().copied().collect();
    let resources = photoshop::with_iptc(&resources, facts);

    let ours = |segment: &&Segment<'_>| match segment.marker {
        APP1 => [EXIF, XMP, XMP_EXTENSION].iter().any(|name| segment.content.starts_with(name)),
        APP13 => segment.content.starts_with(photoshop::NAME),
        _ => false,
    };
    // EXIF wants to be first, but readers of JFIF want that first.
    let first = segments.first().filter(|segment| segment.marker == APP0);
    let mut out = Vec::with_capacity(bytes.len() + exif.len() + xmp.len() + resources.len() + 128);
    out.extend_from_slice(&[0xff, 0xd8]);
    if let Some(segment) = first {
        put(&mut out, segment.marker, &[segment.content]);
    }
    put(&mut out, APP1, &[EXIF, &exif]);
    put(&mut out, APP1, &[XMP, xmp.as_bytes()]);
    for part in resources.chunks(MOST - photoshop::NAME.len()) {
        put(&mut out, APP13, &[photoshop::NAME, part]);
    }
    for segment in segments.iter().skip(usize::from(first.is_some())).filter(|segment| !ours(segment)) {
        put(&mut out, segment.marker, &[segment.content]);
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// Returns the EXIF block of a file.
pub(super) fn exif_block(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let segments = split(bytes)?.segments;
    let exif = segments.iter().filter(|segment| segment.marker == APP1).find_map(|s| s.content.strip_prefix(EXIF));
    exif.map(Cow::Borrowed)
}

/// Tells whether a file holds a colour profile.
pub(super) fn has_profile(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|split| split.segments.iter().any(|s| s.marker == APP2 && s.content.starts_with(ICC)))
}

/// Puts together the rest of a packet that was longer than a segment, from parts that each say whose rest they are, how long
/// it is as a whole, and where they belong; `None` when one is missing.
fn extension<'a>(packet: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut parts = parts.filter_map(|part| {
        let (name, part) = part.split_first_chunk::<32>()?;
        let (length, part) = part.split_first_chunk::<4>()?;
        let (place, part) = part.split_first_chunk::<4>()?;
        Some((name, u32::from_be_bytes(*length), u32::from_be_bytes(*place), part))
    });
    let first = parts.next()?;
    packet.windows(32).find(|bytes| bytes == first.0)?;
    let mut all: Vec<_> = std::iter::once(first).chain(parts.filter(|part| part.0 == first.0)).collect();
    all.sort_by_key(|part| part.2);
    let mut rest = Vec::new();
    for (_, _, place, part) in all {
        if usize::try_from(place).ok()? == rest.len() {
            rest.extend_from_slice(part);
        }
    }
    (rest.len() == usize::try_from(first.1).ok()?).then_some(rest)
}

/// Adds a segment; the parts together are not longer than [`MOST`].
fn put(out: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum::<usize>() + 2;
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Splits a file; `None` when it ends, goes astray or has too many parts before its picture data.
fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    let mut segments = Vec::new();
    loop {
        let after = rest.strip_prefix(&[0xff])?;
        let (marker, after) = after.split_first()?;
        match marker {
            // A marker may be preceded by any number of these.
            0xff => rest = rest.get(1..)?,
            0xda => return Some(Split { segments, rest }),
            // Markers without a length have no place here.
            0x00 | 0x01 | 0xd0..=0xd9 => return None,
            _ => {
                let (length, after) = after.split_first_chunk::<2>()?;
                let (content, after) =
                    after.split_at_checked(usize::from(u16::from_be_bytes(*length)).checked_sub(2)?)?;
                if segments.len() == MOST_PARTS {
                    return None;
                }
                segments.push(Segment { marker: *marker, content });
                rest = after;
            }
        }
    }
}

/// Reads the size from a frame header.
fn size(segment: &Segment<'_>) -> Option<Dimensions> {
    // Among the frame headers stand three markers that are none: Huffman tables, an extension, arithmetic coding.
    if !matches!(segment.marker, 0xc0..=0xcf) || matches!(segment.marker, 0xc4 | 0xc8 | 0xcc) {
        return None;
    }
    let [_, h1, h0, w1, w0, ..] = segment.content else { return None };
    let side = |high: &u8, low: &u8| u32::from(u16::from_be_bytes([*high, *low]));
    Some(Dimensions { width: side(w1, w0), height: side(h1, h0) })
}

/// Reads how close the pixels lie from a JFIF header without its name; `None` when it only says their aspect.
fn density(header: &[u8]) -> Option<Density> {
    let [_, _, unit @ 1..=2, x1, x0, y1, y0, ..] = header else { return None };
    let of = |high: &u8, low: &u8| (u32::from(u16::from_be_bytes([*high, *low])), 1);
    Some(Density { x: of(x1, x0), y: of(y1, y0), unit: u16::from(*unit) + 1 }).filter(|d| d.x.0 > 0 && d.y.0 > 0)
}
