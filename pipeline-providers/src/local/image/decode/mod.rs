//! Decoding: strict, and only after the size in the header has been checked.
//!
//! Colour profiles are ignored (pixels are taken as sRGB), and of an animation or a multi-page file the first picture
//! is taken.

mod gif;
mod jpeg;
mod other;
mod png;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::limits::Limits;
use super::orient::Orientation;
use super::picture::Picture;
use super::sniff::sniff;

/// The formats that can be read, for error messages.
const ACCEPTED: &str = "png, jpeg, webp, gif, tiff, bmp";

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// What the file was.
    pub media_type: MediaType,
    /// Its pixels, as stored: not yet turned upright.
    pub picture: Picture,
    /// How it is to be turned.
    pub orientation: Orientation,
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

/// Decodes a picture file, all of it: damage anywhere is an error.
///
/// # Errors
/// `Corrupt` for a truncated or damaged picture and for text; `Unsupported` for a format that cannot be read or a size
/// beyond `limits`.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Decoded> {
    let media_type = readable(bytes)?;
    let size = stored_size(media_type, bytes)?;
    limits.check(size)?;
    let picture = match media_type {
        MediaType::Png => png::decode(bytes, limits)?,
        MediaType::Jpeg => jpeg::decode(bytes, limits)?,
        MediaType::Gif => gif::decode(bytes, limits)?,
        _ => other::decode(media_type, bytes, limits)?,
    };
    if picture.size() != size {
        return Err(damaged(media_type).with("header", size).with("found", picture.size()));
    }
    Ok(Decoded { media_type, picture, orientation: Orientation::read(media_type, bytes) })
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
        _ => other::size(media_type, bytes),
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

#[cfg(test)]
mod tests;
