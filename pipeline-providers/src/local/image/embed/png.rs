//! PNG: the chunks `eXIf` and, with XMP in it, `iTXt`, and the texts that say the same as they.
//!
//! Sources: PNG third edition, sections 11.3.3.3 and 11.3.4; XMP specification part 3 section 1.1.5.

use std::borrow::Cow;

use crc32fast::Hasher;
use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::exif;
use super::facts::{Density, Facts, Frame};
use super::file::{MOST_PARTS, damaged};
use super::{text, xmp};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The keyword of a text that is XMP, uncompressed, without language and translation.
const XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";
/// Where older programs put the blocks, as digits; the last holds either.
const RAW_EXIF: &[u8] = b"Raw profile type exif";
const RAW_XMP: &[u8] = b"Raw profile type xmp";
const RAW_IPTC: &[u8] = b"Raw profile type iptc";
const RAW_APP1: &[u8] = b"Raw profile type APP1";
/// What XMP begins with in the last of them.
const APP1_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// The most a block may have: a chunk could hold 2 GiB, but nobody reads that.
const MOST: usize = 4 << 20;

/// A chunk, and all its bytes from the length to the checksum.
#[derive(Clone, Copy, Debug)]
struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn keyword(&self) -> Option<&'a [u8]> {
        text::keyword(self.kind, self.content)
    }
}

/// Writes the two blocks before the picture data, in place of those that were there.
pub(super) fn embed(bytes: &[u8], facts: &Facts) -> Result<Vec<u8>> {
    let chunks = split(bytes).ok_or_else(|| damaged(MediaType::Png, "chunks"))?;
    let header = chunks.first().filter(|chunk| &chunk.kind == b"IHDR").and_then(|chunk| size(chunk.content));
    let size = header.ok_or_else(|| damaged(MediaType::Png, "IHDR"))?;
    if !chunks.iter().any(|chunk| &chunk.kind == b"IDAT") || chunks.last().is_none_or(|last| &last.kind != b"IEND") {
        return Err(damaged(MediaType::Png, "IDAT, IEND"));
    }
    let of = |kind: &'static [u8; 4]| chunks.iter().filter(move |chunk| &chunk.kind == kind).map(|chunk| chunk.content);
    let frame =
        Frame { size, jpeg: false, profile: of(b"iCCP").next().is_some(), density: of(b"pHYs").find_map(density) };
    let exif = exif::block(old_exif(&chunks).as_deref(), facts, frame, MOST)?;
    let xmp = xmp::packet(old_xmp(&chunks).as_deref().as_slice(), facts, MOST)?;
    let mut out = Vec::with_capacity(bytes.len() + exif.len() + xmp.len() + 64);
    out.extend_from_slice(SIGNATURE);
    let mut written = false;
    let some = |text: &'_ str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut texts = [
        ("Title", some(&facts.title)),
        ("Description", some(&facts.description)),
        ("Author", facts.creator.clone()),
        ("Copyright", facts.rights.clone()),
    ]
    .into_iter()
    .filter(|(_, text)| text.is_some())
    .collect::<Vec<_>>();
    for chunk in &chunks {
        if &chunk.kind == b"IDAT" && !written {
            put(&mut out, *b"eXIf", &[&exif]);
            put(&mut out, *b"iTXt", &[XMP, xmp.as_bytes()]);
            written = true;
        }
        if ours(chunk) {
            continue;
        }
        match texts.iter_mut().find(|(keyword, _)| chunk.keyword() == Some(keyword.as_bytes())) {
            // Said anew where it was said, once.
            Some((keyword, text)) => {
                if let Some(text) = text.take() {
                    put(&mut out, *b"iTXt", &[keyword.as_bytes(), &[0; 5], text.as_bytes()]);
                }
            }
            None => out.extend_from_slice(chunk.whole),
        }
    }
    Ok(out)
}

/// Returns the EXIF block of a file.
pub(super) fn exif_block(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    old_exif(&split(bytes)?)
}

/// Tells whether a file holds a colour profile.
pub(super) fn has_profile(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|chunks| chunks.iter().any(|chunk| &chunk.kind == b"iCCP"))
}

fn old_exif<'a>(chunks: &[Chunk<'a>]) -> Option<Cow<'a, [u8]>> {
    if let Some(chunk) = chunks.iter().find(|chunk| &chunk.kind == b"eXIf") {
        return Some(Cow::Borrowed(chunk.content));
    }
    let app1 = || raw(chunks, RAW_APP1).filter(|profile| !profile.starts_with(APP1_XMP));
    raw(chunks, RAW_EXIF).or_else(app1).map(Cow::Owned)
}

fn old_xmp<'a>(chunks: &[Chunk<'a>]) -> Option<Cow<'a, [u8]>> {
    let keyword = XMP.split(|byte| *byte == 0).next().unwrap_or_default();
    if let Some(packet) = value(chunks, keyword) {
        return Some(packet);
    }
    let app1 = || raw(chunks, RAW_APP1).and_then(|profile| Some(profile.strip_prefix(APP1_XMP)?.to_vec()));
    raw(chunks, RAW_XMP).or_else(app1).map(Cow::Owned)
}

/// Reads the first text of a keyword, and no other: a file may have a million, each of which takes a while to unpack.
fn value<'a>(chunks: &[Chunk<'a>], keyword: &[u8]) -> Option<Cow<'a, [u8]>> {
    let chunk = chunks.iter().find(|chunk| chunk.keyword() == Some(keyword))?;
    text::value(chunk.kind, chunk.content)
}

fn raw(chunks: &[Chunk<'_>], keyword: &[u8]) -> Option<Vec<u8>> {
    text::profile(&value(chunks, keyword)?)
}

/// Tells whether a chunk is a block that is written anew. Texts that hold such a block in older programs' ways count too:
/// left where they are they would contradict it.
fn ours(chunk: &Chunk<'_>) -> bool {
    let block = [b"XML:com.adobe.xmp", RAW_EXIF, RAW_XMP, RAW_IPTC, RAW_APP1];
    &chunk.kind == b"eXIf" || chunk.keyword().is_some_and(|keyword| block.contains(&keyword))
}

/// Adds a chunk; the parts together are far below what its length can say.
fn put(out: &mut Vec<u8>, kind: [u8; 4], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    let mut checksum = Hasher::new();
    for part in [&kind[..]].iter().chain(parts) {
        checksum.update(part);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&checksum.finalize().to_be_bytes());
}

/// Splits a file up to its end chunk; what follows that is dropped. `None` when a chunk is cut off, and when there are
/// too many.
fn split(bytes: &[u8]) -> Option<Vec<Chunk<'_>>> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let content = after.get(..length)?;
        let (whole, after) = rest.split_at_checked(length.checked_add(12)?)?;
        if chunks.len() == MOST_PARTS {
            return None;
        }
        chunks.push(Chunk { kind: *kind, content, whole });
        rest = after;
        if kind == b"IEND" {
            break;
        }
    }
    Some(chunks)
}

fn size(header: &[u8]) -> Option<Dimensions> {
    let (width, rest) = header.split_first_chunk::<4>()?;
    let (height, _) = rest.split_first_chunk::<4>()?;
    Some(Dimensions { width: u32::from_be_bytes(*width), height: u32::from_be_bytes(*height) })
}

/// Reads how close the pixels lie, which PNG counts in metres; `None` when it only says their aspect.
fn density(content: &[u8]) -> Option<Density> {
    let (x, rest) = content.split_first_chunk::<4>()?;
    let (y, unit) = rest.split_first_chunk::<4>()?;
    let of = |number: &[u8; 4]| (u32::from_be_bytes(*number), 100);
    Some(Density { x: of(x), y: of(y), unit: 3 }).filter(|d| unit == [1] && d.x.0 > 0 && d.y.0 > 0)
}
