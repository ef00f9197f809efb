//! GIF: the blocks are walked to the trailer first, then the first frame is decoded.

use image::codecs::gif::GifDecoder;
use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::samples::Samples;
use super::watched::Watched;
use super::{Outline, area, codec, damaged, profile, too_short};

/// Begins the blocks that hold a colour profile (ICC.1, annex B.6).
const PROFILE: &[u8] = b"\x21\xff\x0bICCRGBG1012";

/// A code of twelve bits stands for 4096 pixels at most; no byte can stand for more.
const PIXELS_A_BYTE: u64 = 4096;

/// The size of the screen that the frames are drawn on.
pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    match bytes.get(6..10) {
        Some(&[w0, w1, h0, h1]) => Ok(Dimensions {
            width: u32::from(u16::from_le_bytes([w0, w1])),
            height: u32::from(u16::from_le_bytes([h0, h1])),
        }),
        _ => Err(damaged(MediaType::Gif)),
    }
}

pub(super) fn outline(bytes: &[u8], screen: Dimensions, limits: Limits) -> Result<Outline> {
    let blocks = walk(bytes).ok_or_else(|| damaged(MediaType::Gif))?;
    // A frame may be larger than the screen.
    let (first, data) = blocks.first.ok_or_else(|| damaged(MediaType::Gif).because("there is no picture"))?;
    limits.check(first)?;
    if area(first) > data.saturating_mul(PIXELS_A_BYTE) {
        return Err(too_short(MediaType::Gif, first, data));
    }
    let profile = match blocks.profile {
        None => None,
        Some(at) => Some(joined(bytes, at)?),
    };
    Ok(Outline { frames: blocks.frames, memory: 4 * area(screen) + 4 * area(first), profile })
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let file = Watched::new(bytes, limits);
    let decoder = GifDecoder::new(file).map_err(|error| codec::refused(MediaType::Gif, error, limits))?;
    codec::read(MediaType::Gif, decoder, limits)
}

/// What lies between the header and the trailer.
#[derive(Debug, Default)]
struct Blocks {
    frames: u32,
    /// The size of the first frame, and how many bytes it has.
    first: Option<(Dimensions, u64)>,
    /// Where the blocks of a colour profile begin.
    profile: Option<usize>,
}

/// Walks the blocks (GIF89a specification) to the trailer; `None` when they end before it.
fn walk(bytes: &[u8]) -> Option<Blocks> {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut blocks = Blocks::default();
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        match bytes.get(at)? {
            0x21 => {
                if blocks.profile.is_none() && bytes.get(at..)?.starts_with(PROFILE) {
                    blocks.profile = Some(at + PROFILE.len());
                }
                at = end_of_blocks(bytes, at + 2)?;
            }
            0x2c => {
                let &[_, _, _, _, w0, w1, h0, h1, flags] = bytes.get(at + 1..at + 10)? else { return None };
                let data = at + 11 + table(flags);
                at = end_of_blocks(bytes, data)?;
                let side = |bytes| u32::from(u16::from_le_bytes(bytes));
                let size = Dimensions { width: side([w0, w1]), height: side([h0, h1]) };
                blocks.first.get_or_insert((size, (at - data) as u64));
                blocks.frames = blocks.frames.saturating_add(1);
            }
            0x3b => return Some(blocks),
            _ => return None,
        }
    }
}

/// Skips blocks that each begin with their length, to after the empty one.
fn end_of_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}

/// Joins the contents of blocks that each begin with their length.
fn joined(bytes: &[u8], mut at: usize) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    while let Some(length) = bytes.get(at).map(|length| usize::from(*length)).filter(|length| *length > 0) {
        content.extend_from_slice(bytes.get(at + 1..at + 1 + length).unwrap_or_default());
        profile::check_length(content.len())?;
        at += 1 + length;
    }
    Ok(content)
}
