//! JPEG: the markers are walked to the end one first, then the scans are decoded strictly.
//!
//! JPEG has no checksums: a flipped bit that still is a valid code cannot be told from a picture. Nor is a file noticed
//! that was cut and then closed with an end marker: zune-jpeg takes the missing rows as empty.

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::super::limits::Limits;
use super::super::picture::Picture;
use super::damaged;

/// What the markers say.
#[derive(Clone, Copy, Debug, Default)]
struct Markers {
    size: Option<Dimensions>,
    components: u8,
    /// An Adobe segment says that the inks of a CMYK picture are stored inverted.
    adobe: bool,
    /// Not progressive.
    sequential: bool,
    /// Some component is stored at less than full size.
    subsampled: bool,
    /// How many components the first scan holds; 0 before it.
    first_scan: u8,
}

pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    walk(bytes, true)?.size.ok_or_else(|| damaged(MediaType::Jpeg))
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Picture> {
    let markers = walk(bytes, false)?;
    let Some(size) = markers.size.filter(|_| markers.first_scan > 0) else {
        return Err(damaged(MediaType::Jpeg));
    };
    // zune-jpeg 0.5.15 decodes these to wrong colours without saying so (zune-image issue 422).
    if markers.sequential && markers.subsampled && markers.first_scan < markers.components {
        return Err(unusual("sequential with a scan for each component and reduced colour"));
    }
    let inks = markers.components == 4 && !markers.adobe;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(limits.max_side as usize)
        .set_max_height(limits.max_side as usize)
        .jpeg_set_out_colorspace(if inks { ColorSpace::CMYK } else { ColorSpace::RGB });
    let mut pixels = JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|error| damaged(MediaType::Jpeg).because(format!("{error:?}")))?;
    if inks {
        // No Adobe segment: 255 is full ink.
        let mix = |ink: u8, black: u8| ((255 - u32::from(ink)) * (255 - u32::from(black)) / 255) as u8;
        let cmyk = pixels.as_chunks::<4>().0;
        pixels = cmyk.iter().flat_map(|&[c, m, y, k]| [mix(c, k), mix(m, k), mix(y, k)]).collect();
    }
    Picture::rgb(size, pixels)
}

/// Walks the segments (ITU-T T.81, annex B) to the frame header, or to the end of the picture.
fn walk(bytes: &[u8], to_frame: bool) -> Result<Markers> {
    let cut = || damaged(MediaType::Jpeg).because("the end marker is missing");
    let mut found = Markers::default();
    let mut at = 2; // after the start marker
    loop {
        if *bytes.get(at).ok_or_else(cut)? != 0xff {
            return Err(damaged(MediaType::Jpeg).because(format!("no marker at byte {at}")));
        }
        let marker = *bytes.get(at + 1).ok_or_else(cut)?;
        match marker {
            0xff => {
                at += 1; // fill byte
                continue;
            }
            0xd9 => return Ok(found),
            0x01 => {
                at += 2;
                continue;
            }
            0xc0..=0xcf | 0xda..=0xdf | 0xe0..=0xfe => {}
            _ => return Err(damaged(MediaType::Jpeg).because(format!("unknown marker {marker:02x} at byte {at}"))),
        }
        let length = match bytes.get(at + 2..at + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(cut()),
        };
        let segment = bytes.get(at + 4..at + 2 + length.max(2)).ok_or_else(cut)?;
        at += 2 + length.max(2);
        match marker {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                frame(marker, segment, &mut found)?;
                if to_frame {
                    return Ok(found);
                }
            }
            0xee => found.adobe |= segment.starts_with(b"Adobe"),
            0xda => {
                if found.first_scan == 0 {
                    found.first_scan = segment.first().copied().unwrap_or(0);
                }
                at = end_of_scan(bytes, at).ok_or_else(cut)?;
            }
            _ => {}
        }
    }
}

/// Reads a frame header.
fn frame(marker: u8, segment: &[u8], found: &mut Markers) -> Result<()> {
    let &[precision, h0, h1, w0, w1, components, ..] = segment else {
        return Err(damaged(MediaType::Jpeg));
    };
    if !matches!(marker, 0xc0..=0xc2) || precision != 8 {
        return Err(unusual(&format!("SOF{} with {precision} bits", marker & 0x0f)));
    }
    found.size = Some(Dimensions {
        width: u32::from(u16::from_be_bytes([w0, w1])),
        height: u32::from(u16::from_be_bytes([h0, h1])),
    });
    found.components = components;
    found.sequential = marker != 0xc2;
    let factors = segment.get(6..).unwrap_or_default().chunks_exact(3).map(|component| component[1]);
    found.subsampled = components > 1 && factors.into_iter().any(|factor| factor != 0x11);
    Ok(())
}

fn unusual(found: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "this kind of JPEG cannot be read")
        .with("found", found)
        .with("accepted", "baseline and progressive with 8 bits")
}

/// Returns where the marker after the coded data lies; stuffed bytes and restart markers belong to the data.
fn end_of_scan(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}
