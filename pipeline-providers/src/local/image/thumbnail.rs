//! Small opaque copies of pictures, for looking at colours.

use pipeline_core::error::Result;

use super::decode::decode;
use super::limits::Limits;
use super::steps::shrink_to;

/// Decodes a picture, turns it upright, puts it on white and shrinks it until no side is longer than `max_side`.
/// Returns its width, its height and three bytes a pixel; a smaller picture is not made larger.
///
/// # Errors
/// As [`decode`]; `Invalid` when `max_side` is zero.
pub fn decode_rgb_thumbnail(bytes: &[u8], max_side: u32) -> Result<(u32, u32, Vec<u8>)> {
    let picture = decode(bytes, Limits::DEFAULT)?.upright()?;
    let mut small = shrink_to(&picture, max_side)?;
    small.flatten([255; 3]);
    let size = small.size();
    Ok((size.width, size.height, small.into_pixels()))
}
