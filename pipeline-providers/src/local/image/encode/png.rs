//! PNG, in full colour or with a palette: filtered and packed in bands on several threads.
//!
//! A PNG holds one stream that any reader unpacks from start to end. Each band is packed apart and ends at a whole byte, so
//! the parts follow one another in it; where repeats are searched for, a band may refer to the end of the band before it.
//! The bands do not depend on the number of threads, so neither do the bytes.

mod packing;
mod rows;
mod runs;

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::Encoding;
use png::chunk::IDAT;
use png::{BitDepth, ColorType, Encoder, EncodingError};
use zlib_rs::adler32::adler32_combine;

use super::super::bands::Threads;
use super::super::picture::Picture;
use super::{failed, palette};
use packing::{Packed, Packing};
use rows::{Filter, Rows};

/// Rows of a band.
const BAND: usize = 128;
/// What a packed stream starts with (RFC 1950): deflate with a window of 32 KiB, packed fast.
const HEADER: [u8; 2] = [0x78, 0x01];

pub(super) fn encode(picture: &Picture, encoding: &Encoding, threads: Threads) -> Result<Vec<u8>> {
    let broken = |error: EncodingError| -> Error { failed("PNG").because(error) };
    let size = picture.size();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, size.width, size.height);
    encoder.set_depth(BitDepth::Eight);
    let numbers;
    let (rows, filters): (Rows<'_>, &[Filter]) = if let Some(colors) = encoding.colors {
        let reduced = palette::reduce(picture, colors)?;
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(reduced.colors.clone());
        if let Some(alphas) = &reduced.alphas {
            encoder.set_trns(alphas.clone());
        }
        let (depth, bits) = match reduced.count() {
            ..=2 => (BitDepth::One, 1),
            3..=4 => (BitDepth::Two, 2),
            5..=16 => (BitDepth::Four, 4),
            _ => (BitDepth::Eight, 8),
        };
        encoder.set_depth(depth);
        numbers = reduced.packed(picture.width(), bits);
        // Numbers of colours say nothing about their neighbours.
        (Rows::new(&numbers, (picture.width() * bits).div_ceil(8), 1), &[Filter::None])
    } else {
        encoder.set_color(if picture.has_alpha() { ColorType::Rgba } else { ColorType::Rgb });
        let channels = picture.channels();
        (Rows::new(picture.pixels(), picture.width() * channels, channels), &[Filter::Adaptive, Filter::None])
    };
    let packings = Packing::of(encoding.effort);
    let (filter, packing) = best(&rows, filters, packings)?;
    let tops = (0..rows.count()).step_by(BAND).collect();
    let bands = threads.run(tops, |top: usize| band(&rows, filter, packing, top));

    let mut writer = encoder.write_header().map_err(broken)?;
    let (mut sum, mut next) = (1, HEADER.to_vec());
    let count = bands.len();
    for (index, band) in bands.into_iter().enumerate() {
        let Packed { bytes, checksum, length } = band?;
        sum = adler32_combine(sum, checksum, length);
        next.extend_from_slice(&bytes);
        if index + 1 == count {
            next.extend_from_slice(&u32::to_be_bytes(sum));
        }
        writer.write_chunk(IDAT, &next).map_err(broken)?;
        next.clear();
    }
    writer.finish().map_err(broken)?;
    Ok(bytes)
}

/// Packs the band that starts at `top`.
fn band(rows: &Rows<'_>, filter: Filter, packing: Packing, top: usize) -> Result<Packed> {
    let bottom = (top + BAND).min(rows.count());
    // What the search for repeats may look back at, filtered once more here.
    let before = packing.reach().div_ceil(rows.filtered_length()).min(top);
    let filtered = rows.filtered(top - before..bottom, filter);
    let (before, own) = filtered.split_at_checked(before * rows.filtered_length()).unwrap_or_default();
    packing.pack(before, own, bottom == rows.count()).ok_or_else(|| failed("PNG"))
}

/// Finds the way that makes a sample of the picture shortest. Where the first way is the quickest one, and the best for
/// photographs, another one has to be clearly better.
fn best(rows: &Rows<'_>, filters: &[Filter], packings: &[Packing]) -> Result<(Filter, Packing)> {
    /// Bytes of each part of the sample.
    const PART: usize = 12 << 10;
    /// A later way has to save a sixteenth.
    const CLEARLY: usize = 16;
    let mut ways = filters.iter().flat_map(|filter| packings.iter().map(move |packing| (*filter, *packing)));
    let first = ways.next().ok_or_else(|| failed("PNG"))?;
    let tall = PART.div_ceil(rows.filtered_length());
    let parts: Vec<_> = [1, 2, 3]
        .map(|quarter| (rows.count() * quarter / 4).saturating_sub(tall / 2))
        .map(|top| top..(top + tall).min(rows.count()))
        .into();
    let length = |(filter, packing): (Filter, Packing)| -> Result<usize> {
        let sample: Vec<u8> = parts.iter().flat_map(|part| rows.filtered(part.clone(), filter)).collect();
        Ok(packing.pack(&[], &sample, true).ok_or_else(|| failed("PNG"))?.bytes.len())
    };
    let margin = if first.1 == Packing::Runs { CLEARLY } else { usize::MAX };
    let (mut found, mut least) = (first, None);
    for way in ways {
        let least = match &mut least {
            Some(least) => least,
            none => none.insert(length(first)?),
        };
        let own = length(way)?;
        if own + *least / margin < *least {
            (found, *least) = (way, own);
        }
    }
    Ok(found)
}
