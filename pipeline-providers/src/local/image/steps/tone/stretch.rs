//! Normalising: which factor stretches the lightness over its whole range.

use pipeline_core::error::Result;

use super::super::super::bands::Threads;
use super::super::super::picture::Picture;
use super::super::in_range;
use super::super::lab::{Curves, from_linear};
use super::Tone;

/// Lightness is counted in so many steps for each of its hundred.
const STEPS: usize = 20;
/// Pictures whose lightness has no wider range have nothing to stretch.
const LEAST: f32 = 1.0;

/// Looks at the picture and returns what stretches its lightness; `clip` percent at both ends are left aside. Transparent
/// pixels do not count.
///
/// # Errors
/// `Invalid` for a `clip` out of range.
pub(in super::super) fn stretch(picture: &Picture, clip: f32, threads: Threads) -> Result<(Tone, Vec<String>)> {
    in_range("normalise clip", clip, 0.0..=25.0)?;
    let counts = histogram(picture, threads);
    let total: u64 = counts.iter().sum();
    let aside = libm::floor(total as f64 * f64::from(clip) / 100.0) as u64;
    let low = end(counts.iter().enumerate(), aside);
    let high = end(counts.iter().enumerate().rev(), aside);
    let whole = low <= 0.0 && high >= 100.0;
    if whole || high - low <= LEAST {
        return Ok((Tone::SAME, Vec::new()));
    }
    let gain = 100.0 / (high - low);
    Ok((Tone { gain, lift: -low * gain, ..Tone::SAME }, vec![format!("normalise {low:.1} to {high:.1}")]))
}

/// The first lightness beyond as many pixels as are left aside.
fn end<'a>(mut counts: impl Iterator<Item = (usize, &'a u64)>, aside: u64) -> f32 {
    let mut seen = 0;
    let found = counts.find(|(_, count)| {
        seen += **count;
        seen > aside
    });
    found.map_or(0.0, |(step, _)| step as f32 / STEPS as f32)
}

/// How many visible pixels have which lightness.
fn histogram(picture: &Picture, threads: Threads) -> Vec<u64> {
    const ROWS: usize = 64;
    let curves = Curves::get();
    let channels = picture.channels();
    let rows: Vec<&[u8]> = picture.pixels().chunks(picture.width() * channels * ROWS).collect();
    let parts = threads.run(rows, |part| {
        let mut counts = vec![0_u64; 100 * STEPS + 1];
        for pixel in part.chunks_exact(channels).filter(|pixel| pixel.get(3) != Some(&0)) {
            let Some(colour) = pixel.first_chunk::<3>() else { continue };
            let [lightness, ..] = from_linear(colour.map(|value| curves.linear(value)));
            if let Some(count) = counts.get_mut((lightness * STEPS as f32 + 0.5) as usize) {
                *count += 1;
            }
        }
        counts
    });
    parts.into_iter().fold(vec![0; 100 * STEPS + 1], |mut sum, part| {
        sum.iter_mut().zip(part).for_each(|(sum, count)| *sum += count);
        sum
    })
}
