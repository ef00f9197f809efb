//! TIFF: strips and tiles, up to sixteen bits and floating point, in grey, colour, palettes and inks; the first page.

use std::ops::RangeInclusive;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use tiff::decoder::{Decoder, DecodingResult, Limits as Bounds};
use tiff::{ColorType, TiffError};

use super::super::limits::Limits;
use super::directory::Directory;
use super::samples::{Kind, Samples, divide};
use super::watched::Watched;
use super::{Outline, area, damaged, jpeg, profile, too_short, unusual};

// Tags (TIFF 6.0; 34675: ICC.1, annex B.3).
const WIDTH: u64 = 256;
const HEIGHT: u64 = 257;
const BITS: u64 = 258;
const COMPRESSION: u64 = 259;
const PHOTOMETRIC: u64 = 262;
const STRIP_OFFSETS: u64 = 273;
const SAMPLES: u64 = 277;
const ROWS: u64 = 278;
const STRIP_LENGTHS: u64 = 279;
const PLANAR: u64 = 284;
const PALETTE: u64 = 320;
const TILE_WIDTH: u64 = 322;
const TILE_HEIGHT: u64 = 323;
const TILE_OFFSETS: u64 = 324;
const TILE_LENGTHS: u64 = 325;
const FILL_ORDER: u64 = 266;
const EXTRA: u64 = 338;
const ICC: u64 = 34_675;

/// The values of [`PHOTOMETRIC`] for grey, where 0 is black, and for numbers of a palette.
const GREY: u8 = 1;
const INDEXED: u64 = 3;
/// The values of [`COMPRESSION`] that count runs in rows, as fax machines do, in one and in two dimensions.
const FAX: RangeInclusive<u64> = 2..=4;
/// The value of [`COMPRESSION`] for pieces that are JPEG files without tables.
const JPEG: u64 = 7;
/// The value of [`PLANAR`] for samples of a kind each in pieces of their own.
const PLANES: u64 = 2;
/// The value of [`FILL_ORDER`] for bytes whose lowest bit comes first.
const LOWEST_FIRST: u64 = 2;
/// The value of [`EXTRA`] for colours that alpha has been multiplied into.
const PREMULTIPLIED: u64 = 1;
/// The value of [`EXTRA`] for alpha that stands beside the colours.
const ALPHA: u64 = 2;
/// Most samples of a pixel.
const MAX_SAMPLES: u64 = 8;
/// Most bits of a number of a palette. More are allowed, but nobody writes them.
const MAX_INDEX_BITS: u64 = 8;
/// No compression but [`FAX`] makes more bytes of one: a code of LZW with twelve bits stands for 4096.
const BYTES_A_BYTE: u64 = 4096;

pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    let directory = Directory::read(bytes).ok_or_else(cut)?;
    let side = |tag| directory.first(tag).and_then(|side| u32::try_from(side).ok());
    match (side(WIDTH), side(HEIGHT)) {
        (Some(width), Some(height)) => Ok(Dimensions { width, height }),
        _ => Err(damaged(MediaType::Tiff).because("there is no width or height")),
    }
}

pub(super) fn outline(bytes: &[u8], size: Dimensions, limits: Limits) -> Result<Outline> {
    let directory = Directory::read(bytes).ok_or_else(cut)?;
    let samples = directory.first(SAMPLES).unwrap_or(1);
    let bits = directory.numbers(BITS).max().unwrap_or(1);
    if !(1..=MAX_SAMPLES).contains(&samples) || !(1..=64).contains(&bits) {
        return Err(unusual(MediaType::Tiff)
            .with("samples", samples)
            .with("bits", bits)
            .with("accepted", format!("1 to {MAX_SAMPLES} samples of 1 to 64 bits")));
    }
    let raw = area(size).saturating_mul(samples * bits).div_ceil(8);
    let file = bytes.len() as u64;
    let indexed = directory.first(PHOTOMETRIC) == Some(INDEXED);
    if indexed && bits > MAX_INDEX_BITS {
        return Err(unusual(MediaType::Tiff)
            .with("bits", bits)
            .with("accepted", format!("palettes with numbers of up to {MAX_INDEX_BITS} bits")));
    }
    let fax = directory.first(COMPRESSION).is_some_and(|compression| FAX.contains(&compression));
    // A row of a fax that is as the one above it takes a bit.
    let least = if fax { u64::from(size.height).div_ceil(8) } else { raw.div_ceil(BYTES_A_BYTE) };
    if file < least {
        return Err(too_short(MediaType::Tiff, size, file));
    }
    let piece = piece(&directory, size);
    // A row of a piece is unpacked whole, even where it is wider than the picture.
    let widest = u64::from(size.width).next_multiple_of(16).max(512);
    if u64::from(piece.width) > widest || piece.height > size.height.next_multiple_of(16).max(512) {
        return Err(unusual(MediaType::Tiff)
            .with("tile", piece)
            .with("accepted", "tiles that are not larger than the picture"));
    }
    let (planar, tiled) = (directory.first(PLANAR) == Some(PLANES), directory.first(TILE_WIDTH).is_some());
    let found = match (indexed, planar && tiled) {
        // tiff 0.11.3 panics on these.
        (_, true) if samples > 1 => Some("tiles of one sample each"),
        (true, _) if samples > 1 => Some("a palette and more samples"),
        _ => None,
    };
    if let Some(found) = found {
        let accepted = "strips of one sample each, tiles of whole pixels; palettes alone";
        return Err(unusual(MediaType::Tiff).with("found", found).with("accepted", accepted));
    }
    let planes = if planar { samples } else { 1 };
    let across = u64::from(size.width).div_ceil(u64::from(piece.width.max(1)));
    let down = u64::from(size.height).div_ceil(u64::from(piece.height.max(1)));
    pieces(&directory, bytes, piece, across.saturating_mul(down).saturating_mul(planes), limits)?;
    if let Some(profile) = directory.bytes(ICC) {
        profile::check_length(profile.len())?;
    }
    // What is unpacked, what becomes of it, and one piece. That of a fax has a bit a pixel.
    let unpacked = if fax { area(piece).div_ceil(8) } else { area(piece).saturating_mul(8) };
    let mut memory = raw.saturating_add(area(size).saturating_mul(4)).saturating_add(unpacked);
    if indexed || directory.first(FILL_ORDER) == Some(LOWEST_FIRST) {
        memory = memory.saturating_add(file); // a copy
    }
    Ok(Outline { frames: 1, memory, profile: directory.bytes(ICC).map(<[u8]>::to_vec) })
}

/// The size of a strip or tile.
fn piece(directory: &Directory<'_>, size: Dimensions) -> Dimensions {
    let side = |tag| directory.first(tag).map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    match (side(TILE_WIDTH), side(TILE_HEIGHT)) {
        (Some(width), Some(height)) => Dimensions { width, height },
        _ => Dimensions { width: size.width, height: side(ROWS).unwrap_or(size.height).min(size.height) },
    }
}

/// Checks that there are no more strips or tiles than the picture needs, that each lies in the file, and what those that
/// are JPEG files say of their size: their decoder believes it. They may all lie in one place, so the file's length does not
/// bound how long that takes.
fn pieces(directory: &Directory<'_>, bytes: &[u8], piece: Dimensions, most: u64, limits: Limits) -> Result<()> {
    let coded_as_jpeg = directory.first(COMPRESSION) == Some(JPEG);
    for (offsets, lengths) in [(STRIP_OFFSETS, STRIP_LENGTHS), (TILE_OFFSETS, TILE_LENGTHS)] {
        let count = directory.numbers(offsets).count();
        if count as u64 > most {
            return Err(damaged(MediaType::Tiff)
                .because(format!("there are {count} strips or tiles, more than the {most} that the picture needs")));
        }
        for (offset, length) in directory.numbers(offsets).zip(directory.numbers(lengths)) {
            let range =
                usize::try_from(offset).ok().zip(offset.checked_add(length).and_then(|end| end.try_into().ok()));
            let coded = range.and_then(|(start, end): (usize, usize)| bytes.get(start..end)).ok_or_else(cut)?;
            if coded_as_jpeg {
                limits.check_time()?;
                let coded = jpeg::size(coded)?;
                if coded.width > piece.width.next_multiple_of(16) || coded.height > piece.height.next_multiple_of(16) {
                    return Err(damaged(MediaType::Tiff).with("piece", piece).with("found", coded));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let directory = Directory::read(bytes).ok_or_else(cut)?;
    let turned = turned(&directory, bytes);
    let bytes = turned.as_deref().unwrap_or(bytes);
    if directory.first(PHOTOMETRIC) == Some(INDEXED) {
        // The decoder knows no palettes: it is shown greys, which are then looked up.
        let copy = directory.with(bytes, PHOTOMETRIC, GREY).ok_or_else(cut)?;
        let numbers = stored(&copy, limits, None, false)?;
        return looked_up(&numbers, &directory);
    }
    stored(bytes, limits, directory.first(EXTRA), true)
}

/// Returns a copy of a file whose bytes have the lowest bit first, with the bits of its strips and tiles turned round, as the
/// decoder takes them; `None` for other files. Those that are JPEG have an order of their own.
fn turned(directory: &Directory<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    if directory.first(FILL_ORDER) != Some(LOWEST_FIRST) || directory.first(COMPRESSION) == Some(JPEG) {
        return None;
    }
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (offsets, lengths) in [(STRIP_OFFSETS, STRIP_LENGTHS), (TILE_OFFSETS, TILE_LENGTHS)] {
        for (offset, length) in directory.numbers(offsets).zip(directory.numbers(lengths)) {
            let start = usize::try_from(offset).ok()?;
            pieces.push((start, start.checked_add(usize::try_from(length).ok()?)?));
        }
    }
    // What two pieces share is turned once.
    pieces.sort_unstable();
    let mut turned = bytes.to_vec();
    let mut done = 0;
    for (start, end) in pieces {
        if let Some(piece) = turned.get_mut(start.max(done)..end) {
            for byte in piece {
                *byte = byte.reverse_bits();
            }
            done = end;
        }
    }
    Some(turned)
}

/// Decodes what is stored. `spread_out` says whether samples of a few bits are brought to the range of a byte.
fn stored(bytes: &[u8], limits: Limits, extra: Option<u64>, spread_out: bool) -> Result<Samples> {
    let broken = |error| refused(error, limits);
    let most = usize::try_from(limits.max_memory).unwrap_or(usize::MAX);
    let mut bounds = Bounds::default();
    bounds.decoding_buffer_size = most;
    bounds.intermediate_buffer_size = most;
    let mut decoder = Decoder::new(Watched::new(bytes, limits)).map_err(broken)?.with_limits(bounds);
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let colour = decoder.colortype().map_err(broken)?;
    let mut kind = kind(colour).ok_or_else(|| {
        unusual(MediaType::Tiff)
            .with("found", format!("{colour:?}"))
            .with("accepted", "grey of 1, 2, 4, 8 or 16 bits, RGB and CMYK of 8 or 16, RGB of 32, YCbCr of 8, palettes")
    })?;
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(broken)?;
    let mut samples = match result {
        DecodingResult::U8(bytes) if colour.bit_depth() < 8 => {
            unpacked(&bytes, width as usize, colour.bit_depth(), spread_out)
        }
        DecodingResult::U8(bytes) => bytes,
        DecodingResult::U16(words) => words.iter().map(|word| (word >> 8) as u8).collect(),
        DecodingResult::F32(values) => values.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8).collect(),
        _ => {
            return Err(
                unusual(MediaType::Tiff).with("accepted", "whole numbers of up to 16 bits, or floating point of 32")
            );
        }
    };
    if layout.planes > 1 {
        samples = woven(&samples, layout.planes);
    }
    if matches!(colour, ColorType::YCbCr(_)) {
        samples.as_chunks_mut::<3>().0.iter_mut().for_each(jpeg::to_rgb);
    }
    match (kind, extra) {
        (Kind::Rgba, Some(PREMULTIPLIED)) => samples.chunks_exact_mut(4).for_each(divide),
        (Kind::GreyAlpha, Some(PREMULTIPLIED)) => samples.chunks_exact_mut(2).for_each(divide),
        (Kind::GreyAlpha, extra) if extra != Some(ALPHA) => {
            // A second sample that is something else.
            samples = samples.into_iter().step_by(2).collect();
            kind = Kind::Grey;
        }
        _ => {}
    }
    Ok(Samples::new(Dimensions { width, height }, kind, samples))
}

/// Replaces numbers by the colours of the palette: all reds, all greens, all blues, sixteen bits each.
fn looked_up(numbers: &Samples, directory: &Directory<'_>) -> Result<Samples> {
    // Some programs write eight bits, against the standard.
    let bits = if directory.numbers(PALETTE).any(|value| value > 255) { 8 } else { 0 };
    let values: Vec<u8> = directory.numbers(PALETTE).map(|value| (value >> bits) as u8).collect();
    let count = values.len() / 3;
    let parts = (values.get(..count), values.get(count..2 * count), values.get(2 * count..3 * count));
    let (Some(reds), Some(greens), Some(blues)) = parts else { return Err(cut()) };
    let mut pixels = Vec::with_capacity(numbers.bytes.len() * 3);
    for number in &numbers.bytes {
        let at = usize::from(*number);
        let colour = reds.get(at).zip(greens.get(at)).zip(blues.get(at));
        let ((red, green), blue) =
            colour.ok_or_else(|| damaged(MediaType::Tiff).because("a colour is not in the palette"))?;
        pixels.extend([*red, *green, *blue]);
    }
    Ok(Samples::new(numbers.size, Kind::Rgb, pixels))
}

fn kind(colour: ColorType) -> Option<Kind> {
    Some(match colour {
        ColorType::Gray(1 | 2 | 4 | 8 | 16) => Kind::Grey,
        ColorType::GrayA(8 | 16) | ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } => Kind::GreyAlpha,
        ColorType::RGB(8 | 16 | 32) | ColorType::YCbCr(8) => Kind::Rgb,
        ColorType::RGBA(8 | 16 | 32) => Kind::Rgba,
        ColorType::CMYK(8 | 16) => Kind::Cmyk,
        _ => return None,
    })
}

/// Unpacks samples of less than a byte, which lie in rows of whole bytes, and may spread them over the range of one.
fn unpacked(packed: &[u8], width: usize, bits: u8, spread_out: bool) -> Vec<u8> {
    let most = (1_u16 << bits) - 1;
    let in_a_byte = usize::from(8 / bits);
    let mut samples = Vec::with_capacity(packed.len() * in_a_byte);
    for row in packed.chunks(width.div_ceil(in_a_byte).max(1)) {
        let values = row.iter().flat_map(|byte| {
            (1..=8 / bits).map(move |place| {
                let value = u16::from(*byte) >> (8 - place * bits) & most;
                (if spread_out { value * 255 / most } else { value }) as u8
            })
        });
        samples.extend(values.take(width));
    }
    samples
}

/// Weaves planes of one sample each into pixels.
fn woven(planes: &[u8], count: usize) -> Vec<u8> {
    let length = planes.len() / count;
    let mut pixels = vec![0; length * count];
    for (place, plane) in planes.chunks_exact(length.max(1)).take(count).enumerate() {
        for (to, from) in pixels.iter_mut().skip(place).step_by(count).zip(plane) {
            *to = *from;
        }
    }
    pixels
}

fn cut() -> Error {
    damaged(MediaType::Tiff)
        .because("the directory has more than 4096 entries, or it or what it points at lies beyond the end of the file")
}

fn refused(error: TiffError, limits: Limits) -> Error {
    if let Err(over) = limits.check_time() {
        return over;
    }
    match error {
        TiffError::UnsupportedError(cause) => unusual(MediaType::Tiff).because(cause),
        TiffError::LimitsExceeded => Error::new(ErrorKind::Unsupported, "decoding the picture takes too much memory")
            .with("accepted", format!("at most {} bytes", limits.max_memory)),
        other => damaged(MediaType::Tiff).because(other),
    }
}
