//! AVIF, by rav1e without assembler.

use pipeline_core::error::Result;
use pipeline_core::provider::Encoding;
use ravif::{Encoder, Img, RGB8, RGBA8};

use super::super::picture::Picture;
use super::failed;

/// The effort unless one is asked for: slower ones take seconds for each megapixel.
const USUAL: u8 = 3;

pub(super) fn encode(picture: &Picture, encoding: &Encoding) -> Result<Vec<u8>> {
    let effort = encoding.effort.unwrap_or(USUAL).clamp(1, 10);
    // The number of threads is the number of tiles, which the bytes depend on: it must not be the machine's.
    let encoder = Encoder::new()
        .with_quality(f32::from(encoding.quality))
        .with_alpha_quality(f32::from(encoding.alpha_quality))
        .with_speed(11 - effort)
        .with_num_threads(Some(1));
    let (width, height) = (picture.width(), picture.height());
    let encoded = if picture.has_alpha() {
        let pixels = picture.pixels().as_chunks::<4>().0.iter().map(|[r, g, b, a]| RGBA8::new(*r, *g, *b, *a));
        encoder.encode_rgba(Img::new(pixels.collect::<Vec<_>>().as_slice(), width, height))
    } else {
        let pixels = picture.pixels().as_chunks::<3>().0.iter().map(|[r, g, b]| RGB8::new(*r, *g, *b));
        encoder.encode_rgb(Img::new(pixels.collect::<Vec<_>>().as_slice(), width, height))
    };
    Ok(encoded.map_err(|error| failed("AVIF").because(error))?.avif_file)
}
