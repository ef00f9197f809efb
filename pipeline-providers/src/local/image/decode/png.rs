//! PNG: every colour type, eight bits out; checksums and the end chunk must be there.

use std::io::Cursor;

use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use png::{ColorType, DecodeOptions, Transformations};

use super::super::limits::Limits;
use super::super::picture::Picture;
use super::damaged;

/// The size in the IHDR chunk, which the format demands to be first.
pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    let number = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|number| u32::from_be_bytes(*number));
    match (bytes.get(12..16), number(16), number(20)) {
        (Some(b"IHDR"), Some(width), Some(height)) => Ok(Dimensions { width, height }),
        _ => Err(damaged(MediaType::Png)),
    }
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Picture> {
    let broken = |error: png::DecodingError| damaged(MediaType::Png).because(error);
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(png::Limits { bytes: usize::try_from(limits.max_bytes()).unwrap_or(usize::MAX) });
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let length = reader.output_buffer_size().ok_or_else(|| damaged(MediaType::Png))?;
    let mut pixels = vec![0; length];
    let info = reader.next_frame(&mut pixels).map_err(broken)?;
    reader.finish().map_err(broken)?; // reads on to IEND
    pixels.truncate(info.buffer_size());
    let size = Dimensions { width: info.width, height: info.height };
    match info.color_type {
        ColorType::Rgb => Picture::rgb(size, pixels),
        ColorType::Rgba => Picture::rgba(size, pixels),
        ColorType::Grayscale => Picture::rgb(size, pixels.iter().flat_map(|&grey| [grey; 3]).collect()),
        ColorType::GrayscaleAlpha => {
            let pixels = pixels.as_chunks::<2>().0;
            Picture::rgba(size, pixels.iter().flat_map(|&[grey, alpha]| [grey, grey, grey, alpha]).collect())
        }
        ColorType::Indexed => Err(damaged(MediaType::Png)), // expanded by the transformation above
    }
}
