//! WebP: the chunks are walked to the end first, then the picture, or the first frame of an animation, is decoded.

use image::codecs::webp::WebPDecoder;
use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::samples::Samples;
use super::watched::Watched;
use super::{Outline, area, codec, damaged, profile};

/// The size of the picture, or of the canvas that it or its frames are drawn on.
pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    let (kind, content) = chunks(whole(bytes)?).next().ok_or_else(|| damaged(MediaType::WebP))??;
    match kind {
        b"VP8X" => canvas(content),
        _ => coded_size(kind, content),
    }
    .ok_or_else(|| damaged(MediaType::WebP))
}

/// Walks the chunks (WebP container specification) and looks at the picture that will be decoded: what it says of its
/// size decides how much memory its decoder takes.
pub(super) fn outline(bytes: &[u8], size: Dimensions) -> Result<Outline> {
    let mut frames = 0;
    let mut coded = None;
    let mut found = None;
    for chunk in chunks(whole(bytes)?) {
        let (kind, content) = chunk?;
        match kind {
            b"VP8 " | b"VP8L" if coded.is_none() => coded = Some((size, kind, content)),
            b"ICCP" if found.is_none() => {
                profile::check_length(content.len())?;
                found = Some(content.to_vec());
            }
            b"ANMF" => {
                frames += 1;
                if coded.is_none() {
                    coded = Some(first_frame(content).ok_or_else(|| damaged(MediaType::WebP))??);
                }
            }
            _ => {}
        }
    }
    let (expected, kind, content) = coded.ok_or_else(|| damaged(MediaType::WebP).because("there is no picture"))?;
    let coded = coded_size(kind, content).ok_or_else(|| damaged(MediaType::WebP))?;
    if coded != expected || expected.width > size.width || expected.height > size.height {
        return Err(damaged(MediaType::WebP).with("header", expected).with("found", coded));
    }
    // Planes or packed pixels with what belongs to each block, the frame, the canvas, and what is handed out.
    let memory = area(size).saturating_mul(if frames > 0 { 16 } else { 10 });
    Ok(Outline { frames: frames.max(1), memory, profile: found })
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let file = Watched::new(bytes, limits);
    let decoder = WebPDecoder::new(file).map_err(|error| codec::refused(MediaType::WebP, error, limits))?;
    codec::read(MediaType::WebP, decoder, limits)
}

/// A WebP file says in its first bytes how long it is. Returns the chunks.
fn whole(bytes: &[u8]) -> Result<&[u8]> {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).map(|length| u32::from_le_bytes(*length));
    length
        .and_then(|length| bytes.get(12..8 + length as usize))
        .ok_or_else(|| damaged(MediaType::WebP).because("the file is shorter than its header says"))
}

type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

/// Cuts chunks apart: a name, a length, the content, filled up to an even length. The last one may lack its filling.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || broken {
            return None;
        }
        let cut = cut_one(rest);
        match cut {
            Some((chunk, after)) => {
                rest = after;
                Some(Ok(chunk))
            }
            None => {
                broken = true;
                Some(Err(damaged(MediaType::WebP).because("a chunk is longer than the file")))
            }
        }
    })
}

fn cut_one(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let content = rest.get(..length)?;
    Some(((kind, content), rest.get(length + length % 2..).unwrap_or_default()))
}

/// The size of a frame of an animation, and the kind and content of the coded picture in it.
type Frame<'a> = (Dimensions, &'a [u8; 4], &'a [u8]);

/// Finds the coded picture in a frame of an animation.
fn first_frame(content: &[u8]) -> Option<Result<Frame<'_>>> {
    let &[_, _, _, _, _, _, w0, w1, w2, h0, h1, h2, ..] = content else { return None };
    let size =
        Dimensions { width: u32::from_le_bytes([w0, w1, w2, 0]) + 1, height: u32::from_le_bytes([h0, h1, h2, 0]) + 1 };
    chunks(content.get(16..)?).find_map(|chunk| match chunk {
        Ok((kind @ (b"VP8 " | b"VP8L"), content)) => Some(Ok((size, kind, content))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The size in the header of an extended file.
fn canvas(content: &[u8]) -> Option<Dimensions> {
    let &[_, _, _, _, w0, w1, w2, h0, h1, h2, ..] = content else { return None };
    let side = |bytes| u32::from_le_bytes(bytes) + 1;
    Some(Dimensions { width: side([w0, w1, w2, 0]), height: side([h0, h1, h2, 0]) })
}

/// The size in a coded picture: lossy (RFC 6386, section 9.1) or lossless (WebP lossless specification, section 3).
fn coded_size(kind: &[u8], content: &[u8]) -> Option<Dimensions> {
    match (kind, content) {
        (b"VP8 ", &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
            let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
            Some(Dimensions { width: side([w0, w1]), height: side([h0, h1]) })
        }
        (b"VP8L", &[0x2f, b0, b1, b2, b3, ..]) => {
            let bits = u32::from_le_bytes([b0, b1, b2, b3]);
            Some(Dimensions { width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 })
        }
        _ => None,
    }
}
