//! WebP: the chunks `EXIF` and `XMP `, and their flags in `VP8X`.
//!
//! Source: RFC 9649, sections 2.3 to 2.7.

use std::borrow::Cow;

use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::exif;
use super::facts::{Facts, Frame};
use super::file::{MOST_PARTS, damaged, too_long};
use super::xmp;

const HAS_XMP: u8 = 0x04;
const HAS_EXIF: u8 = 0x08;
const HAS_ALPHA: u8 = 0x10;
/// The most a block may have.
const MOST: usize = 4 << 20;

/// A chunk without its byte of padding.
#[derive(Clone, Copy, Debug)]
struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
}

/// Writes the two blocks at the end, in place of those that were there, and the header that announces them.
pub(super) fn embed(bytes: &[u8], facts: &Facts) -> Result<Vec<u8>> {
    let broken = |part| damaged(MediaType::WebP, part);
    let chunks = split(bytes).ok_or_else(|| broken("chunks"))?;
    let of = |kind: &'static [u8; 4]| chunks.iter().find(move |chunk| &chunk.kind == kind).map(|chunk| chunk.content);
    let (mut header, size) = match of(b"VP8X") {
        Some(header) => {
            let header: [u8; 10] = header.get(..10).and_then(|h| h.try_into().ok()).ok_or_else(|| broken("VP8X"))?;
            let [.., w0, w1, w2, h0, h1, h2] = header;
            let side = |a, b, c| u32::from_le_bytes([a, b, c, 0]) + 1;
            (header, Dimensions { width: side(w0, w1, w2), height: side(h0, h1, h2) })
        }
        None => simple(&chunks).ok_or_else(|| broken("VP8, VP8L"))?,
    };
    let frame = Frame { size, jpeg: false, profile: of(b"ICCP").is_some(), density: None };
    let exif = exif::block(of(b"EXIF"), facts, frame, MOST)?;
    let xmp = xmp::packet(of(b"XMP ").as_slice(), facts, MOST)?;
    if let Some(flags) = header.first_mut() {
        *flags |= HAS_EXIF | HAS_XMP;
    }
    let mut out = Vec::with_capacity(bytes.len() + exif.len() + xmp.len() + 64);
    out.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    put(&mut out, *b"VP8X", &header);
    for chunk in chunks.iter().filter(|chunk| ![b"VP8X", b"EXIF", b"XMP "].contains(&&chunk.kind)) {
        put(&mut out, chunk.kind, chunk.content);
    }
    put(&mut out, *b"EXIF", &exif);
    put(&mut out, *b"XMP ", xmp.as_bytes());
    let length = u32::try_from(out.len() - 8).map_err(|_| too_long("riff", out.len(), u32::MAX as usize))?;
    if let Some(place) = out.get_mut(4..8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(out)
}

/// Returns the EXIF block of a file.
pub(super) fn exif_block(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let chunks = split(bytes)?;
    chunks.iter().find(|chunk| &chunk.kind == b"EXIF").map(|chunk| Cow::Borrowed(chunk.content))
}

/// Tells whether a file holds a colour profile.
pub(super) fn has_profile(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|chunks| chunks.iter().any(|chunk| &chunk.kind == b"ICCP"))
}

/// Makes the header that a simple file lacks, from the header of its picture.
fn simple(chunks: &[Chunk<'_>]) -> Option<([u8; 10], Dimensions)> {
    let first = chunks.first()?;
    let (width, height, alpha) = match &first.kind {
        b"VP8 " => {
            // Three bytes of a frame tag, three of a start code, then 14 bits and a scale each.
            let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = first.content else { return None };
            let side = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high]) & 0x3fff);
            (side(w0, w1), side(h0, h1), false)
        }
        b"VP8L" => {
            let [0x2f, a, b, c, d, ..] = first.content else { return None };
            let bits = u32::from_le_bytes([*a, *b, *c, *d]);
            ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, bits >> 28 & 1 == 1)
        }
        _ => return None,
    };
    let [w0, w1, w2, _] = width.checked_sub(1)?.to_le_bytes();
    let [h0, h1, h2, _] = height.checked_sub(1)?.to_le_bytes();
    let flags = if alpha { HAS_ALPHA } else { 0 };
    Some(([flags, 0, 0, 0, w0, w1, w2, h0, h1, h2], Dimensions { width, height }))
}

fn put(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    out.extend_from_slice(&kind);
    out.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(content);
    if content.len() % 2 == 1 {
        out.push(0);
    }
}

/// Splits a file as far as its header says it goes; `None` when a chunk is cut off, and when there are too many.
fn split(bytes: &[u8]) -> Option<Vec<Chunk<'_>>> {
    let (length, rest) = bytes.strip_prefix(b"RIFF")?.split_first_chunk::<4>()?;
    let mut rest = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?.strip_prefix(b"WEBP")?;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (content, after) = after.split_at_checked(length)?;
        if chunks.len() == MOST_PARTS {
            return None;
        }
        chunks.push(Chunk { kind: *kind, content });
        // The padding of the last chunk is sometimes left out.
        rest = after.get(length % 2..).unwrap_or_default();
    }
    Some(chunks)
}
