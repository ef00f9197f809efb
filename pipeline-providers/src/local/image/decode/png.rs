//! PNG: every colour type, eight bits out; checksums and the end chunk must be there.

mod chunks;
mod plain;
mod unfilter;

use std::io::Read;

use flate2::read::ZlibDecoder;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use png::{ColorType, DecodeOptions, DecodingError, Transformations};

use self::chunks::{Chunk, Chunks};
use super::super::bands::Threads;
use super::super::limits::Limits;
use super::samples::{Kind, Samples};
use super::watched::Watched;
use super::{Outline, area, damaged, profile, too_short};

/// Deflate (RFC 1951) makes at most 258 bytes of two bits.
const BYTES_A_BYTE: u64 = 1032;

/// The size in the IHDR chunk, which the format demands to be first.
pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    match (bytes.get(12..16), number(bytes, 16), number(bytes, 20)) {
        (Some(b"IHDR"), Some(width), Some(height)) => Ok(Dimensions { width, height }),
        _ => Err(damaged(MediaType::Png)),
    }
}

/// Walks the chunks to the end one.
pub(super) fn outline(bytes: &[u8], size: Dimensions) -> Result<Outline> {
    let cut = || damaged(MediaType::Png).because("the end chunk is missing");
    let (mut frames, mut packed, mut found, mut ended) = (1, 0, None, false);
    for Chunk { kind, content, .. } in Chunks::of(bytes) {
        match &kind {
            b"IDAT" => packed += content.len() as u64,
            b"acTL" => frames = number(content, 0).unwrap_or(u32::MAX),
            b"iCCP" if found.is_none() => found = Some(unpacked(content)?),
            b"IEND" => {
                ended = true;
                break;
            }
            _ => {}
        }
    }
    if !ended {
        return Err(cut());
    }
    let &[depth, colour] = bytes.get(24..26).unwrap_or_default() else { return Err(cut()) };
    let samples = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let raw = area(size).saturating_mul(samples * u64::from(depth)) / 8;
    if raw > packed.saturating_add(1).saturating_mul(BYTES_A_BYTE) {
        return Err(too_short(MediaType::Png, size, packed));
    }
    // What is decoded, at most four bytes a pixel, and for grey what becomes of it.
    Ok(Outline { frames, memory: area(size).saturating_mul(8), profile: found })
}

pub(super) fn decode(bytes: &[u8], size: Dimensions, limits: Limits, threads: Threads) -> Result<Samples> {
    limits.check_memory(area(size).saturating_mul(4))?;
    match plain::decode(bytes, size, limits, threads)? {
        Some(samples) => Ok(samples),
        None => every_kind(bytes, limits),
    }
}

/// Decodes a file of any kind.
fn every_kind(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let broken = |error: DecodingError| refused(error, limits);
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    // Text is never unpacked, and the profile only within its bounds, above.
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Watched::new(bytes, limits), options);
    decoder.set_limits(png::Limits { bytes: usize::try_from(limits.max_memory).unwrap_or(usize::MAX) });
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let length = reader.output_buffer_size().ok_or_else(|| damaged(MediaType::Png))?;
    limits.check_memory(length as u64)?;
    let mut pixels = vec![0; length];
    let info = reader.next_frame(&mut pixels).map_err(broken)?;
    reader.finish().map_err(broken)?; // reads on to IEND
    pixels.truncate(info.buffer_size());
    let kind = match info.color_type {
        ColorType::Rgb => Kind::Rgb,
        ColorType::Rgba => Kind::Rgba,
        ColorType::Grayscale => Kind::Grey,
        ColorType::GrayscaleAlpha => Kind::GreyAlpha,
        ColorType::Indexed => return Err(damaged(MediaType::Png)), // expanded by the transformation above
    };
    Ok(Samples::new(Dimensions { width: info.width, height: info.height }, kind, pixels))
}

fn refused(error: DecodingError, limits: Limits) -> Error {
    if let Err(over) = limits.check_time() {
        return over;
    }
    match error {
        DecodingError::LimitsExceeded => {
            Error::new(ErrorKind::Unsupported, "decoding the picture takes too much memory")
                .with("accepted", format!("at most {} bytes", limits.max_memory))
        }
        other => damaged(MediaType::Png).because(other),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|number| u32::from_be_bytes(*number))
}

/// Unpacks a colour profile: a name, a zero, the method, then packed bytes. Empty when it is damaged.
fn unpacked(content: &[u8]) -> Result<Vec<u8>> {
    let packed = content.iter().take(80).position(|byte| *byte == 0).and_then(|end| content.get(end + 2..));
    let mut bytes = Vec::new();
    let whole = ZlibDecoder::new(packed.unwrap_or_default())
        .take(profile::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .is_ok();
    if bytes.len() > profile::MAX_BYTES {
        return Err(profile::too_long(format!("more than {}", profile::MAX_BYTES)));
    }
    Ok(if whole { bytes } else { Vec::new() })
}
