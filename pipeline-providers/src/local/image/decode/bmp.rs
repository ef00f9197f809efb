//! BMP: what Windows writes, with and without a palette, run-length coded or not.

use image::ImageDecoder;
use image::codecs::bmp::BmpDecoder;
use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::limits::Limits;
use super::samples::Samples;
use super::watched::Watched;
use super::{Outline, area, codec, profile};

/// Where the header behind the file header begins.
const HEADER: usize = 14;
/// The length of a header that can point at a profile (BITMAPV5HEADER).
const LONGEST: u32 = 124;
/// Says that the profile is in the file.
const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");

pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    let (width, height) = open(bytes, Limits::DEFAULT)?.dimensions();
    Ok(Dimensions { width, height })
}

pub(super) fn outline(bytes: &[u8], size: Dimensions) -> Result<Outline> {
    // The decoder's pixels, and a copy of them.
    Ok(Outline { frames: 1, memory: area(size).saturating_mul(8), profile: embedded(bytes)? })
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    codec::read(MediaType::Bmp, open(bytes, limits)?, limits)
}

fn open(bytes: &[u8], limits: Limits) -> Result<BmpDecoder<Watched<'_>>> {
    let file = Watched::new(bytes, limits);
    BmpDecoder::new(file).map_err(|error| codec::refused(MediaType::Bmp, error, limits))
}

/// The profile that a header of version 5 points at; empty when it points out of the file.
fn embedded(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let number = |at: usize| {
        let number = bytes.get(HEADER + at..).and_then(|rest| rest.first_chunk::<4>());
        number.map_or(0, |number| u32::from_le_bytes(*number))
    };
    if number(0) != LONGEST || number(56) != EMBEDDED {
        return Ok(None);
    }
    let (start, length) = (HEADER + number(112) as usize, number(116) as usize);
    profile::check_length(length)?;
    Ok(Some(bytes.get(start..start + length).unwrap_or_default().to_vec()))
}
