//! Decoders of the `image` crate, held to the limits.

use image::{DynamicImage, ImageDecoder, ImageError};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::samples::{Kind, Samples};
use super::{damaged, unusual};

/// Decodes to eight bits a sample.
pub(super) fn read(media_type: MediaType, mut decoder: impl ImageDecoder, limits: Limits) -> Result<Samples> {
    let broken = |error| refused(media_type, error, limits);
    let mut bounds = image::Limits::default();
    bounds.max_alloc = Some(limits.max_memory);
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    decoder.set_limits(bounds).map_err(broken)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let size = Dimensions { width: decoded.width(), height: decoded.height() };
    Ok(match decoded {
        DynamicImage::ImageLuma8(grey) => Samples::new(size, Kind::Grey, grey.into_raw()),
        DynamicImage::ImageLumaA8(grey) => Samples::new(size, Kind::GreyAlpha, grey.into_raw()),
        colour if colour.color().has_alpha() => Samples::new(size, Kind::Rgba, colour.into_rgba8().into_raw()),
        colour => Samples::new(size, Kind::Rgb, colour.into_rgb8().into_raw()),
    })
}

/// Says what a decoder of the `image` crate found wrong.
pub(super) fn refused(media_type: MediaType, error: ImageError, limits: Limits) -> Error {
    if let Err(over) = limits.check_time() {
        return over;
    }
    match error {
        ImageError::Unsupported(cause) => unusual(media_type).because(cause),
        ImageError::Limits(cause) => {
            Error::new(ErrorKind::Unsupported, "decoding the picture takes too much memory").because(cause)
        }
        other => damaged(media_type).because(other),
    }
}
