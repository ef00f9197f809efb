//! The pass itself, over one band of rows.

use super::super::super::bands::Band;
use super::super::lab::{Curves, from_linear, to_levels};
use super::super::window::Window;
use super::Tone;

/// Differences of lightness up to this count once, what exceeds it counts twice.
const FLAT: f32 = 2.0;
/// How much darker and brighter a pixel becomes at most.
const DARKER: f32 = -20.0;
const BRIGHTER: f32 = 10.0;

/// The rows in work.
struct Rows {
    lightness: Window,
    a: Window,
    b: Window,
    /// Lightness and opacity for the blur, where some pixel is not opaque.
    weighted: Option<(Window, Window)>,
    linear: [Vec<f32>; 3],
    levels: [Vec<u32>; 3],
    padded: Vec<f32>,
    around: Vec<f32>,
    coverage: Vec<f32>,
}

impl Rows {
    fn new(width: usize, reach: usize, alpha: bool) -> Self {
        let window = || Window::new(2 * reach + 1, width);
        let row = || vec![0.0; width];
        Self {
            lightness: window(),
            a: window(),
            b: window(),
            weighted: (alpha && reach > 0).then(|| (window(), window())),
            linear: std::array::from_fn(|_| row()),
            levels: std::array::from_fn(|_| vec![0; width]),
            padded: vec![0.0; width + 2 * reach],
            around: row(),
            coverage: row(),
        }
    }
}

pub(super) fn change<const N: usize>(tone: &Tone, mut band: Band<'_>) {
    let curves = Curves::get();
    let height = band.height();
    let reach = tone.kernel.len().saturating_sub(1);
    let width = band.row(band.range().start).len() / N;
    let mut rows = Rows::new(width, reach, N == 4);
    // Rows are read ahead of the one that is written, so the picture can be changed in place.
    let readable = band.readable();
    let mut next = readable.start;
    for y in band.range() {
        while next < readable.end && next <= y + reach {
            read::<N>(tone, curves, band.row(next), next, &mut rows);
            next += 1;
        }
        if reach > 0 {
            blur(tone, y, height, &mut rows);
        }
        write::<N>(reach > 0, curves, band.row_mut(y), y, &mut rows);
    }
}

/// Turns a row into lightness and chroma, changed but not yet sharpened.
fn read<const N: usize>(tone: &Tone, curves: &Curves, row: &[u8], y: usize, rows: &mut Rows) {
    let pixels = row.as_chunks::<N>().0;
    let width = pixels.len();
    let [red, green, blue] = &mut rows.linear;
    let (red, green, blue) = (&mut red[..width], &mut green[..width], &mut blue[..width]);
    for x in 0..width {
        red[x] = curves.linear(pixels[x][0]);
        green[x] = curves.linear(pixels[x][1]);
        blue[x] = curves.linear(pixels[x][2]);
    }
    let lightness = &mut rows.lightness.row_mut(y)[..width];
    let (a, b) = (&mut rows.a.row_mut(y)[..width], &mut rows.b.row_mut(y)[..width]);
    let (gain, lift, turn) = (tone.gain, tone.lift, tone.turn);
    for x in 0..width {
        let lab = from_linear([red[x], green[x], blue[x]]);
        let light = lab[0] * gain + lift;
        lightness[x] = if light > 0.0 { light } else { 0.0 };
        a[x] = turn[0][0] * lab[1] + turn[0][1] * lab[2];
        b[x] = turn[1][0] * lab[1] + turn[1][1] * lab[2];
    }
    // What is brighter than white becomes what can be shown of it, before anything is sharpened.
    if 100.0 * gain + lift > 100.0 {
        for x in 0..width {
            if lightness[x] > 100.0 {
                let levels = to_levels([lightness[x], a[x], b[x]]);
                [lightness[x], a[x], b[x]] = from_linear(levels.map(|level| curves.linear(curves.encoded(level))));
            }
        }
    }
    if let Some((weighted, opacity)) = &mut rows.weighted {
        let (weighted, opacity) = (&mut weighted.row_mut(y)[..width], &mut opacity.row_mut(y)[..width]);
        for x in 0..width {
            opacity[x] = f32::from(pixels[x][N - 1]) * (1.0 / 255.0);
            weighted[x] = lightness[x] * opacity[x];
        }
    }
}

fn blur(tone: &Tone, y: usize, height: usize, rows: &mut Rows) {
    match &rows.weighted {
        None => rows.lightness.blur(y, height, &tone.kernel, &mut rows.padded, &mut rows.around),
        Some((weighted, opacity)) => {
            weighted.blur(y, height, &tone.kernel, &mut rows.padded, &mut rows.around);
            opacity.blur(y, height, &tone.kernel, &mut rows.padded, &mut rows.coverage);
            for (around, coverage) in rows.around.iter_mut().zip(&rows.coverage) {
                *around /= coverage.max(1e-3);
            }
        }
    }
}

/// Sharpens a row, when it is to be, and turns it back.
fn write<const N: usize>(sharpen: bool, curves: &Curves, row: &mut [u8], y: usize, rows: &mut Rows) {
    let pixels = row.as_chunks_mut::<N>().0;
    let width = pixels.len();
    let (lightness, around) = (&rows.lightness.row(y)[..width], &rows.around[..width]);
    let (a, b) = (&rows.a.row(y)[..width], &rows.b.row(y)[..width]);
    let [red, green, blue] = &mut rows.levels;
    let (red, green, blue) = (&mut red[..width], &mut green[..width], &mut blue[..width]);
    if sharpen {
        for x in 0..width {
            let difference = lightness[x] - around[x];
            let flat = clip(difference, -FLAT, FLAT);
            let change = clip(flat + 2.0 * (difference - flat), DARKER, BRIGHTER);
            [red[x], green[x], blue[x]] = to_levels([clip(lightness[x] + change, 0.0, 100.0), a[x], b[x]]);
        }
    } else {
        for x in 0..width {
            [red[x], green[x], blue[x]] = to_levels([lightness[x], a[x], b[x]]);
        }
    }
    for x in 0..width {
        pixels[x][0] = curves.encoded(red[x]);
        pixels[x][1] = curves.encoded(green[x]);
        pixels[x][2] = curves.encoded(blue[x]);
    }
}

/// A clamp that becomes two instructions.
#[inline]
fn clip(value: f32, low: f32, high: f32) -> f32 {
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}
