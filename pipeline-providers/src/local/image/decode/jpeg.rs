//! JPEG: the markers are walked to the end one first, then the scans are decoded strictly.
//!
//! JPEG has no checksums: a flipped bit that still is a valid code cannot be told from a picture. Nor is a file noticed
//! that was cut and then closed with an end marker: zune-jpeg takes the missing rows as empty.

use pipeline_core::error::{Error, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::super::limits::Limits;
use super::samples::{Kind, Samples};
use super::{Outline, area, damaged, profile, too_short};

/// Begins a segment with a part of a colour profile (ICC.1, annex B.4); then come its number and their count.
const PROFILE: &[u8] = b"ICC_PROFILE\0";

/// Most scans: encoders write ten or so, and each one costs as much as a picture.
const MAX_SCANS: u32 = 64;

/// What the markers say.
#[derive(Clone, Debug, Default)]
struct Markers<'a> {
    size: Option<Dimensions>,
    components: u8,
    /// Stored blocks of 64 samples in each unit of a picture, and the width and height of a unit in blocks.
    unit: (u32, u32, u32),
    /// The colour transform of an Adobe segment. Where there is one, inks are stored inverted.
    adobe: Option<u8>,
    /// Not progressive.
    sequential: bool,
    /// Some component is stored at less than full size.
    subsampled: bool,
    /// Sampling that is not decoded, or not rightly.
    sampling: Option<&'static str>,
    /// The sampling factors of the first component.
    brightness: (u32, u32),
    /// How many components the first scan holds; 0 before it.
    first_scan: u8,
    scans: u32,
    /// Bytes in all scans.
    coded: u64,
    /// The parts of a colour profile, each with its number and their count.
    profile: Vec<(u8, u8, &'a [u8])>,
}

pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    walk(bytes, true)?.size.ok_or_else(|| damaged(MediaType::Jpeg))
}

pub(super) fn outline(bytes: &[u8], size: Dimensions) -> Result<Outline> {
    let markers = walk(bytes, false)?;
    if markers.first_scan == 0 {
        return Err(damaged(MediaType::Jpeg).because("there is no scan"));
    }
    // zune-jpeg 0.5.15 decodes these to wrong colours without saying so (zune-image issue 422).
    if markers.sequential && markers.subsampled && markers.first_scan < markers.components {
        return Err(unusual("sequential with a scan for each component and reduced colour"));
    }
    if let Some(sampling) = markers.sampling {
        return Err(unusual(sampling));
    }
    if markers.scans > MAX_SCANS {
        return Err(unusual(&format!("{} scans", markers.scans)).with("accepted_scans", format!("at most {MAX_SCANS}")));
    }
    let (blocks, across, down) = markers.unit;
    let units = u64::from(size.width / (8 * across.max(1))) * u64::from(size.height / (8 * down.max(1)));
    // Each block has a bit at the least for its brightness, and one that ends it unless many end at once.
    let least = units * u64::from(blocks) * if markers.sequential { 2 } else { 1 } / 8;
    if markers.coded < least {
        return Err(too_short(MediaType::Jpeg, size, markers.coded));
    }
    // The coefficients of a progressive picture are kept until the last scan, two bytes each.
    let samples = u64::from(markers.components.max(3));
    let memory = area(size) * if markers.sequential { 2 * samples } else { 4 * samples };
    Ok(Outline { frames: 1, memory, profile: joined(markers.profile)? })
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let markers = walk(bytes, false)?;
    let size = markers.size.ok_or_else(|| damaged(MediaType::Jpeg))?;
    // Inks come as they are stored, which for YCCK is brightness, colour and black.
    let (out, kind) = match (markers.components, markers.adobe) {
        (1, _) => (ColorSpace::Luma, Kind::Grey),
        (4, Some(2)) => (ColorSpace::YCCK, Kind::Cmyk),
        (4, _) => (ColorSpace::CMYK, Kind::Cmyk),
        _ => (ColorSpace::RGB, Kind::Rgb),
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(limits.max_side as usize)
        .set_max_height(limits.max_side as usize)
        .jpeg_set_max_scans(MAX_SCANS as usize)
        .jpeg_set_out_colorspace(out);
    let mut pixels = JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|error| damaged(MediaType::Jpeg).because(format!("{error:?}")))?;
    match (kind, markers.adobe) {
        (Kind::Cmyk, Some(2)) => pixels.as_chunks_mut::<4>().0.iter_mut().for_each(to_inks),
        (Kind::Cmyk, Some(_)) => pixels.iter_mut().for_each(|ink| *ink = 255 - *ink),
        _ => {}
    }
    Ok(Samples::new(size, kind, pixels))
}

/// Turns brightness and colour into red, green and blue (ITU-T T.871, section 7).
pub(super) fn to_rgb(pixel: &mut [u8; 3]) {
    let [y, cb, cr] = pixel.map(i32::from);
    let (cb, cr) = (cb - 128, cr - 128);
    // The factors in units of 1/65536.
    let part = |sum: i32| (y + ((sum + 32_768) >> 16)).clamp(0, 255) as u8;
    *pixel = [part(91_881 * cr), part(-22_554 * cb - 46_802 * cr), part(116_130 * cb)];
}

/// Turns brightness, colour and inverted black into inks (Adobe technical note 5116).
fn to_inks(pixel: &mut [u8; 4]) {
    let [y, cb, cr, black] = *pixel;
    let mut inks = [y, cb, cr];
    to_rgb(&mut inks);
    let [cyan, magenta, yellow] = inks;
    *pixel = [cyan, magenta, yellow, 255 - black];
}

/// Joins the parts of a profile in their order; empty when one is missing.
fn joined(mut parts: Vec<(u8, u8, &[u8])>) -> Result<Option<Vec<u8>>> {
    if parts.is_empty() {
        return Ok(None);
    }
    profile::check_length(parts.iter().map(|(_, _, part)| part.len()).sum())?;
    parts.sort_by_key(|(number, _, _)| *number);
    let count = parts.len();
    let whole = parts
        .iter()
        .zip(1..)
        .all(|((number, of, _), place)| usize::from(*number) == place && usize::from(*of) == count);
    let bytes = if whole { parts.iter().flat_map(|(_, _, part)| *part).copied().collect() } else { Vec::new() };
    Ok(Some(bytes))
}

/// Walks the segments (ITU-T T.81, annex B) to the frame header, or to the end of the picture.
fn walk(bytes: &[u8], to_frame: bool) -> Result<Markers<'_>> {
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
                if found.size.is_some() {
                    return Err(damaged(MediaType::Jpeg).because("there are two frame headers"));
                }
                frame(marker, segment, &mut found)?;
                if to_frame {
                    return Ok(found);
                }
            }
            0xe2 => {
                if let Some(&[number, of, ref part @ ..]) = segment.strip_prefix(PROFILE) {
                    found.profile.push((number, of, part));
                }
            }
            0xee if segment.starts_with(b"Adobe") => found.adobe = Some(segment.get(11).copied().unwrap_or(0)),
            0xda => {
                if found.first_scan == 0 {
                    found.first_scan = segment.first().copied().unwrap_or(0);
                }
                let end = end_of_scan(bytes, at).ok_or_else(cut)?;
                found.scans += 1;
                found.coded += (end - at) as u64;
                at = end;
            }
            _ => {}
        }
    }
}

/// Reads a frame header.
fn frame(marker: u8, segment: &[u8], found: &mut Markers<'_>) -> Result<()> {
    let &[precision, h0, h1, w0, w1, components, ref rest @ ..] = segment else {
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
    for &[_, factors, _] in rest.as_chunks::<3>().0 {
        let (across, down) = (u32::from(factors >> 4), u32::from(factors & 0x0f));
        let (blocks, most_across, most_down) = found.unit;
        found.unit = (blocks + across * down, most_across.max(across), most_down.max(down));
        found.subsampled |= components > 1 && factors != 0x11;
        if found.brightness == (0, 0) {
            found.brightness = (across, down);
        }
        if components > 1 && !([1, 2, 4].contains(&across) && [1, 2, 4].contains(&down)) {
            found.sampling = Some("a sampling factor of 3");
        } else if components == 3 && (across > found.brightness.0 || down > found.brightness.1) {
            // zune-jpeg 0.5.15 decodes these to wrong colours without saying so.
            found.sampling = Some("colour that is stored finer than brightness");
        }
    }
    Ok(())
}

fn unusual(found: &str) -> Error {
    super::unusual(MediaType::Jpeg).with("found", found).with(
        "accepted",
        "baseline and progressive with 8 bits; colour as fine as brightness, or reduced and in one scan",
    )
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
