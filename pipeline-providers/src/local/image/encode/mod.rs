//! Encoding. Nothing but the pixels is written, so no metadata is carried over.

#[cfg(feature = "avif")]
mod avif;
mod huffman;
mod jpeg;
mod palette;
mod png;
mod webp;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{Encoding, ImageFile, OutputFormat};

use super::bands::Threads;
use super::picture::Picture;

/// The formats that can be written, for error messages.
const ACCEPTED: &str = if cfg!(feature = "avif") { "png, jpeg, webp, avif" } else { "png, jpeg, webp" };

/// What the file will be. [`OutputFormat::Keep`] keeps PNG, JPEG and WebP, and AVIF where it can be written; anything
/// else becomes JPEG, or PNG when some pixel is not opaque.
pub fn target(format: OutputFormat, source: MediaType, has_alpha: bool) -> MediaType {
    match (format, source) {
        (OutputFormat::Png, _) | (OutputFormat::Keep, MediaType::Png) => MediaType::Png,
        (OutputFormat::Webp, _) | (OutputFormat::Keep, MediaType::WebP) => MediaType::WebP,
        (OutputFormat::Jpeg, _) | (OutputFormat::Keep, MediaType::Jpeg) => MediaType::Jpeg,
        (OutputFormat::Avif, _) => MediaType::Avif,
        (OutputFormat::Keep, MediaType::Avif) if cfg!(feature = "avif") => MediaType::Avif,
        (OutputFormat::Keep, _) if has_alpha => MediaType::Png,
        (OutputFormat::Keep, _) => MediaType::Jpeg,
    }
}

/// Encodes in the usual way as PNG, JPEG or WebP; `quality`, 1 to 100, is that of the latter two. JPEG wants an opaque
/// picture.
///
/// # Errors
/// As [`encode_as`].
pub fn encode(picture: &Picture, media_type: MediaType, quality: u8) -> Result<ImageFile> {
    encode_as(picture, media_type, &Encoding::default().quality(quality), Threads::available())
}

/// Encodes as `media_type`, in the way `encoding` says; its format is not looked at. JPEG wants an opaque picture. The
/// bytes do not depend on the number of threads.
///
/// # Errors
/// `Invalid` for a quality, effort or number of colours out of range; `Unsupported` for another format or a side beyond
/// what it can hold.
pub fn encode_as(picture: &Picture, media_type: MediaType, encoding: &Encoding, threads: Threads) -> Result<ImageFile> {
    within("quality", encoding.quality.into(), 1, 100)?;
    within("alpha_quality", encoding.alpha_quality.into(), 1, 100)?;
    within("effort", encoding.effort.unwrap_or(1).into(), 1, 10)?;
    within("colors", encoding.colors.unwrap_or(256), 2, 256)?;
    let bytes = match media_type {
        MediaType::Png => png::encode(picture, encoding, threads)?,
        MediaType::Jpeg => jpeg::encode(picture, encoding, threads)?,
        MediaType::WebP => webp::encode(picture, encoding)?,
        #[cfg(feature = "avif")]
        MediaType::Avif => avif::encode(picture, encoding)?,
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "this format cannot be written")
                .with("format", other)
                .with("accepted", ACCEPTED));
        }
    };
    Ok(ImageFile { bytes: Bytes::from(bytes), media_type })
}

fn within(name: &'static str, value: u16, least: u16, most: u16) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is out of range"))
        .with("value", value)
        .with("accepted", format!("{least} to {most}")))
}

fn failed(format: &str) -> Error {
    Error::unexpected(format!("cannot encode as {format}"))
}

fn too_large(picture: &Picture, format: &str, side: usize) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the picture is too large for {format}"))
        .with("size", picture.size())
        .with("accepted", format!("at most {side} pixels a side"))
}
