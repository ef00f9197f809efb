//! GIF: the blocks are walked to the trailer first, then the first frame is decoded.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::gif::GifDecoder;
use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::super::picture::Picture;
use super::{damaged, other};

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

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Picture> {
    walk(bytes).ok_or_else(|| damaged(MediaType::Gif))?;
    let decoder = GifDecoder::new(Cursor::new(bytes)).map_err(|error| damaged(MediaType::Gif).because(error))?;
    debug_assert_eq!(decoder.color_type(), image::ColorType::Rgba8);
    other::read(MediaType::Gif, decoder, limits)
}

/// Walks the blocks (GIF89a specification) to the trailer; `None` when they end before it or there is no picture.
fn walk(bytes: &[u8]) -> Option<()> {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut frames = 0_u32;
    loop {
        match bytes.get(at)? {
            0x21 => at = end_of_blocks(bytes, at + 2)?,
            0x2c => {
                at = end_of_blocks(bytes, at + 11 + table(*bytes.get(at + 9)?))?;
                frames += 1;
            }
            0x3b => return (frames > 0).then_some(()),
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
