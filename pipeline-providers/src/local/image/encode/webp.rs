//! WebP, by libwebp.

use pipeline_core::error::Result;
use pipeline_core::provider::Encoding;
use webp::{Encoder, PixelLayout, WebPConfig};

use super::super::picture::Picture;
use super::{failed, too_large};

/// Longest side of a WebP file.
const SIDE: usize = 16_383;
/// The method (0 to 6) of each effort from 1 to 10, and the usual one, which is also libwebp's.
const METHODS: [i32; 10] = [0, 1, 2, 3, 4, 4, 5, 5, 6, 6];
const USUAL: i32 = 4;

pub(super) fn encode(picture: &Picture, encoding: &Encoding) -> Result<Vec<u8>> {
    if picture.width().max(picture.height()) > SIDE {
        return Err(too_large(picture, "WebP", SIDE));
    }
    let size = picture.size();
    let layout = if picture.has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    let mut config = WebPConfig::new().map_err(|()| failed("WebP"))?;
    let effort = encoding.effort.and_then(|effort| METHODS.get(usize::from(effort).saturating_sub(1)));
    config.method = effort.copied().unwrap_or(USUAL);
    config.lossless = i32::from(encoding.lossless);
    config.alpha_quality = i32::from(encoding.alpha_quality);
    // Without loss, this says how hard is tried: libwebp's own middle.
    config.quality = if encoding.lossless { 75.0 } else { f32::from(encoding.quality) };
    let bytes = Encoder::new(picture.pixels(), layout, size.width, size.height)
        .encode_advanced(&config)
        .map_err(|error| failed("WebP").because(format!("{error:?}")))?;
    Ok(bytes.to_vec())
}
