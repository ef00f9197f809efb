//! Decoding: strict, and only after what the headers say has been held against the limits.
//!
//! Of an animation or a file with several pages the first picture is taken. Colours come out as sRGB: by the file's
//! profile where there is one, else as they are.

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod codec;
mod directory;
mod gif;
mod jpeg;
mod png;
mod profile;
mod samples;
mod tiff;
mod watched;
mod webp;

use bytes::Bytes;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{ColorProfile, Dimensions};

use super::bands::Threads;
use super::limits::Limits;
use super::orient::Orientation;
use super::picture::Picture;
use super::sniff::sniff;
use samples::Samples;

#[cfg(feature = "avif")]
pub(super) use avif::orientation as avif_orientation;
pub(super) use directory::Directory;
pub(super) use profile::Profile;

/// The formats that can be read, for error messages.
const ACCEPTED: &str =
    if cfg!(feature = "avif") { "png, jpeg, webp, gif, tiff, bmp, avif" } else { "png, jpeg, webp, gif, tiff, bmp" };

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// What the file was.
    pub media_type: MediaType,
    /// Its pixels, as stored: not yet turned upright.
    pub picture: Picture,
    /// How it is to be turned.
    pub orientation: Orientation,
    /// The colour profile (ICC) of the pixels; `None` when they are sRGB.
    pub icc: Option<Bytes>,
    /// What was done to the colours, for the record: `srgb from cmyk profile`.
    pub colours: Option<&'static str>,
}

impl Decoded {
    /// Returns the picture turned upright.
    ///
    /// # Errors
    /// None that can be caused from outside.
    pub fn upright(self) -> Result<Picture> {
        self.orientation.apply(self.picture)
    }
}

/// What a walk over a file found, before anything is decoded.
#[derive(Debug)]
struct Outline {
    /// How many pictures there are.
    frames: u32,
    /// Bytes that decoding takes at its height, the pixels included.
    memory: u64,
    /// The bytes of the colour profile; empty when there is one that is not whole.
    profile: Option<Vec<u8>>,
}

/// Decodes a picture file to sRGB, all of it: damage anywhere is an error.
///
/// # Errors
/// `Corrupt` for a truncated or damaged picture and for text; `Unsupported` for a format that cannot be read or a
/// picture beyond `limits`; `Timeout` when their time is over.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Decoded> {
    decode_as(bytes, limits, ColorProfile::Srgb)
}

/// As [`decode`], with a say in what becomes of the colour profile.
///
/// # Errors
/// As [`decode`].
pub fn decode_as(bytes: &[u8], limits: Limits, color: ColorProfile) -> Result<Decoded> {
    decode_on(bytes, limits, color, Threads::ONE)
}

/// As [`decode_as`], on more than one thread where that helps.
///
/// # Errors
/// As [`decode`].
pub fn decode_on(bytes: &[u8], limits: Limits, color: ColorProfile, threads: Threads) -> Result<Decoded> {
    let media_type = readable(bytes)?;
    let size = stored_size(media_type, bytes)?;
    limits.check(size)?;
    let outline = match media_type {
        MediaType::Png => png::outline(bytes, size),
        MediaType::Jpeg => jpeg::outline(bytes, size),
        MediaType::Gif => gif::outline(bytes, size, limits),
        MediaType::WebP => webp::outline(bytes, size),
        MediaType::Tiff => tiff::outline(bytes, size, limits),
        #[cfg(feature = "avif")]
        MediaType::Avif => avif::outline(bytes, size),
        _ => bmp::outline(bytes, size),
    }?;
    limits.check_frames(outline.frames)?;
    limits.check_memory(outline.memory)?;
    limits.check_time()?;
    let samples: Samples = match media_type {
        MediaType::Png => png::decode(bytes, size, limits, threads),
        MediaType::Jpeg => jpeg::decode(bytes, limits),
        MediaType::Gif => gif::decode(bytes, limits),
        MediaType::WebP => webp::decode(bytes, limits),
        MediaType::Tiff => tiff::decode(bytes, limits),
        #[cfg(feature = "avif")]
        MediaType::Avif => avif::decode(bytes, limits),
        _ => bmp::decode(bytes, limits),
    }?;
    if samples.size != size {
        return Err(damaged(media_type).with("header", size).with("found", samples.size));
    }
    limits.check_time()?;
    let (picture, icc, colours) = samples.into_picture(outline.profile, color)?;
    Ok(Decoded { media_type, picture, orientation: Orientation::read(media_type, bytes), icc, colours })
}

/// Tells what a picture file is and how large it is when upright, from its headers alone.
///
/// # Errors
/// As [`decode`], as far as the headers show it; the size is not limited.
pub fn probe(bytes: &[u8]) -> Result<(MediaType, Dimensions)> {
    let media_type = readable(bytes)?;
    let size = stored_size(media_type, bytes)?;
    if size.width == 0 || size.height == 0 {
        return Err(damaged(media_type).with("size", size));
    }
    Ok((media_type, Orientation::read(media_type, bytes).size(size)))
}

fn stored_size(media_type: MediaType, bytes: &[u8]) -> Result<Dimensions> {
    match media_type {
        MediaType::Png => png::size(bytes),
        MediaType::Jpeg => jpeg::size(bytes),
        MediaType::Gif => gif::size(bytes),
        MediaType::WebP => webp::size(bytes),
        MediaType::Tiff => tiff::size(bytes),
        #[cfg(feature = "avif")]
        MediaType::Avif => avif::size(bytes),
        _ => bmp::size(bytes),
    }
}

/// Returns the format, or says why the content cannot be read.
fn readable(bytes: &[u8]) -> Result<MediaType> {
    use MediaType as M;
    if bytes.is_empty() {
        return Err(Error::corrupt("not a picture: the file is empty"));
    }
    match sniff(bytes) {
        Some(found @ (M::Png | M::Jpeg | M::WebP | M::Gif | M::Tiff | M::Bmp)) => Ok(found),
        #[cfg(feature = "avif")]
        Some(M::Avif) => Ok(M::Avif),
        Some(found) if found.is_image() => Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} pictures cannot be read", found.extension().to_uppercase()),
        )
        .with("accepted", ACCEPTED)),
        Some(M::Html) => Err(not_a_picture("an HTML page")),
        Some(M::Json) => Err(not_a_picture("JSON")),
        Some(_) => Err(not_a_picture("text")),
        None => Err(Error::new(ErrorKind::Unsupported, "not a picture: the content is of no known format")
            .with("accepted", ACCEPTED)),
    }
}

fn not_a_picture(content: &str) -> Error {
    Error::corrupt(format!("not a picture: the content is {content}")).with("accepted", ACCEPTED)
}

/// The error for damage in a file of this format.
fn damaged(media_type: MediaType) -> Error {
    Error::corrupt(format!("the {} picture is damaged or cut off", media_type.extension().to_uppercase()))
}

/// The error for a file of this format that is whole and of a kind we do not read.
fn unusual(media_type: MediaType) -> Error {
    let format = media_type.extension().to_uppercase();
    Error::new(ErrorKind::Unsupported, format!("this kind of {format} cannot be read"))
}

/// Says that so few bytes cannot hold that many pixels, whatever they are.
fn too_short(media_type: MediaType, size: Dimensions, bytes: u64) -> Error {
    damaged(media_type).because(format!("{bytes} bytes of data cannot hold {size} pixels"))
}

/// The number of pixels.
fn area(size: Dimensions) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

#[cfg(test)]
mod tests;
