//! The whole of it: which blocks a file of each format gets.

use std::borrow::Cow;

use bytes::Bytes;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{EmbedMetadataRequest, ImageFile};

use super::super::sniff::sniff;
use super::facts::Facts;
use super::{jpeg, png, webp};

/// A file of more parts than these before its picture is taken for damaged: 40 bytes are kept for each, and one has 4.
pub(super) const MOST_PARTS: usize = 1 << 20;

/// Writes what a request says into its file. The bytes decide what the file is, not what is declared about it.
///
/// Texts become one line. IPTC-IIM, which has limits in bytes, gets the beginning of a longer text, cut between
/// characters; XMP and EXIF get the whole.
///
/// # Errors
/// `Corrupt` for a damaged file; `Unsupported` for a format without a place for it, and for texts longer than the file
/// can hold.
pub fn embed(request: &EmbedMetadataRequest) -> Result<ImageFile> {
    let bytes = &request.image.bytes;
    let facts = Facts::of(request);
    let (media_type, written) = match sniff(bytes) {
        Some(MediaType::Jpeg) => (MediaType::Jpeg, jpeg::embed(bytes, &facts)?),
        Some(MediaType::Png) => (MediaType::Png, png::embed(bytes, &facts)?),
        Some(MediaType::WebP) => (MediaType::WebP, webp::embed(bytes, &facts)?),
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "metadata cannot be written into a file of this format")
                .with("format", other.unwrap_or(MediaType::Binary))
                .with("accepted", "jpeg, png, webp"));
        }
    };
    Ok(ImageFile { bytes: Bytes::from(written), media_type })
}

/// Returns the EXIF block of a JPEG, PNG or WebP file, as it is there; `None` when there is none or the file is damaged.
pub(in super::super) fn exif_block(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    match sniff(bytes)? {
        MediaType::Jpeg => jpeg::exif_block(bytes),
        MediaType::Png => png::exif_block(bytes),
        MediaType::WebP => webp::exif_block(bytes),
        _ => None,
    }
}

/// Tells whether a JPEG, PNG or WebP file holds a colour profile, whatever that is.
pub(in super::super) fn has_profile(bytes: &[u8]) -> bool {
    match sniff(bytes) {
        Some(MediaType::Jpeg) => jpeg::has_profile(bytes),
        Some(MediaType::Png) => png::has_profile(bytes),
        Some(MediaType::WebP) => webp::has_profile(bytes),
        _ => false,
    }
}

/// The error for a file whose parts do not fit together.
pub(super) fn damaged(media_type: MediaType, part: &'static str) -> Error {
    Error::corrupt(format!("the {} picture is damaged or cut off", media_type.extension().to_uppercase()))
        .with("part", part)
}

/// The error for a block that does not fit into a file.
pub(super) fn too_long(block: &'static str, bytes: usize, most: usize) -> Error {
    Error::new(ErrorKind::Unsupported, "the texts are longer than the file can hold")
        .with("field", "title, description, keywords, creator, rights")
        .with("block", block)
        .with("bytes", bytes)
        .with("accepted", format!("at most {most} bytes"))
}
