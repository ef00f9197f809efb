//! WebP, TIFF and BMP, through the decoders of the `image` crate.

use std::io::Cursor;

use image::codecs::{bmp::BmpDecoder, tiff::TiffDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, ImageError};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::super::picture::Picture;
use super::damaged;

pub(super) fn size(media_type: MediaType, bytes: &[u8]) -> Result<Dimensions> {
    let file = Cursor::new(bytes);
    let broken = |error| refused(media_type, error);
    let (width, height) = match media_type {
        MediaType::WebP => {
            whole_riff(bytes)?;
            WebPDecoder::new(file).map_err(broken)?.dimensions()
        }
        MediaType::Tiff => TiffDecoder::new(file).map_err(broken)?.dimensions(),
        _ => BmpDecoder::new(file).map_err(broken)?.dimensions(),
    };
    Ok(Dimensions { width, height })
}

pub(super) fn decode(media_type: MediaType, bytes: &[u8], limits: Limits) -> Result<Picture> {
    let file = Cursor::new(bytes);
    let broken = |error| refused(media_type, error);
    match media_type {
        MediaType::WebP => read(media_type, WebPDecoder::new(file).map_err(broken)?, limits),
        MediaType::Tiff => read(media_type, TiffDecoder::new(file).map_err(broken)?, limits),
        _ => read(media_type, BmpDecoder::new(file).map_err(broken)?, limits),
    }
}

/// Decodes to eight bits a channel.
pub(super) fn read(media_type: MediaType, mut decoder: impl ImageDecoder, limits: Limits) -> Result<Picture> {
    let broken = |error| refused(media_type, error);
    let mut bounds = image::Limits::default();
    bounds.max_alloc = Some(limits.max_bytes());
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    decoder.set_limits(bounds).map_err(broken)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let size = Dimensions { width: decoded.width(), height: decoded.height() };
    if decoded.color().has_alpha() {
        Picture::rgba(size, decoded.into_rgba8().into_raw())
    } else {
        Picture::rgb(size, decoded.into_rgb8().into_raw())
    }
}

/// A WebP file says in its first bytes how long it is.
fn whole_riff(bytes: &[u8]) -> Result<()> {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).map(|length| u32::from_le_bytes(*length));
    match length {
        Some(length) if length as usize <= bytes.len().saturating_sub(8) => Ok(()),
        _ => Err(damaged(MediaType::WebP).because("the file is shorter than its header says")),
    }
}

fn refused(media_type: MediaType, error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(cause) => Error::new(
            ErrorKind::Unsupported,
            format!("this kind of {} cannot be read", media_type.extension().to_uppercase()),
        )
        .because(cause),
        ImageError::Limits(cause) => {
            Error::new(ErrorKind::Unsupported, "decoding the picture takes too much memory").because(cause)
        }
        other => damaged(media_type).because(other),
    }
}
