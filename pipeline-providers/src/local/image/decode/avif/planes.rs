//! The decoded planes of a picture, and how they become red, green and blue.
//!
//! Fractions are single precision, added and multiplied one by one: the same on every processor.

use pipeline_core::error::Result;
use re_rav1d::{Picture, PixelLayout, PlanarImageComponent, Plane};

use super::cicp::{Cicp, Mixture};
use super::unusual;

/// A decoded frame.
pub(super) struct Planes {
    width: usize,
    height: usize,
    depth: u32,
    /// Brightness, and two of colour unless it is grey; each with the bytes of a row.
    parts: Vec<(Plane, usize)>,
    /// By how much the place in a row, and the row, of a colour are shifted.
    shifts: (u32, u32),
}

impl Planes {
    pub(super) fn new(frame: &Picture) -> Self {
        use PlanarImageComponent as P;
        let (parts, shifts): (&[P], _) = match frame.pixel_layout() {
            PixelLayout::I400 => (&[P::Y], (0, 0)),
            PixelLayout::I420 => (&[P::Y, P::U, P::V], (1, 1)),
            PixelLayout::I422 => (&[P::Y, P::U, P::V], (1, 0)),
            PixelLayout::I444 => (&[P::Y, P::U, P::V], (0, 0)),
        };
        Self {
            width: frame.width() as usize,
            height: frame.height() as usize,
            depth: frame.bit_depth() as u32,
            parts: parts.iter().map(|part| (frame.plane(*part), frame.stride(*part) as usize)).collect(),
            shifts,
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn is_grey(&self) -> bool {
        self.parts.len() < 3
    }

    /// Writes the brightness as one byte to each pixel, at `place` of its `N` bytes.
    pub(super) fn brightness<const N: usize>(&self, full_range: bool, place: usize, pixels: &mut [u8]) {
        let (scale, shift) = self.scale(full_range);
        let mut row = vec![0.0; self.width];
        for (y, out) in pixels.chunks_exact_mut(self.width * N).enumerate() {
            self.read(0, y, &mut row);
            for (pixel, level) in out.as_chunks_mut::<N>().0.iter_mut().zip(&row) {
                if let Some(byte) = pixel.get_mut(place) {
                    *byte = rounded(level * scale + shift);
                }
            }
        }
    }

    /// Writes red, green and blue to each pixel of `N` bytes.
    pub(super) fn colours<const N: usize>(&self, cicp: Cicp, pixels: &mut [u8]) -> Result<()> {
        let mixture = cicp.mixture()?;
        let whole = self.shifts == (0, 0);
        if mixture == Mixture::Identity && !whole {
            return Err(unusual("red, green and blue of different sizes"));
        }
        let (scale, shift) = self.scale(cicp.full_range);
        let mut rows: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; self.width]);
        let mut scratch = vec![0.0; self.width.div_ceil(2) * 2];
        for (y, out) in pixels.chunks_exact_mut(self.width * N).enumerate() {
            let [first, second, third] = &mut rows;
            self.read(0, y, first);
            self.spread(1, y, second, &mut scratch);
            self.spread(2, y, third, &mut scratch);
            let pixels = out.as_chunks_mut::<N>().0.iter_mut().zip(&*first).zip(second.iter().zip(&*third));
            match mixture {
                Mixture::Identity => pixels.for_each(|((pixel, green), (blue, red))| {
                    put(pixel, [red, green, blue].map(|level| level * scale + shift));
                }),
                Mixture::Weights(red, blue) => {
                    let mix = Mix::new(red, blue, self.depth, cicp.full_range);
                    pixels.for_each(|((pixel, bright), (cb, cr))| {
                        put(pixel, mix.mixed(bright * scale + shift, *cb, *cr));
                    });
                }
            }
        }
        Ok(())
    }

    /// What brightness is multiplied with to reach 255, and what is added.
    fn scale(&self, full_range: bool) -> (f32, f32) {
        let one = f64::from(1_u32 << (self.depth - 8));
        let (black, white) = if full_range { (0.0, 256.0 * one - 1.0) } else { (16.0 * one, 235.0 * one) };
        let scale = 255.0 / (white - black);
        (scale as f32, (-black * scale) as f32)
    }

    /// Reads a row of a plane.
    fn read(&self, plane: usize, y: usize, out: &mut [f32]) {
        let Some((plane, stride)) = self.parts.get(plane) else { return };
        let row = plane.get(y * stride..).unwrap_or_default();
        if self.depth == 8 {
            out.iter_mut().zip(row).for_each(|(level, byte)| *level = f32::from(*byte));
        } else {
            let samples = row.as_chunks::<2>().0;
            out.iter_mut().zip(samples).for_each(|(level, bytes)| *level = f32::from(u16::from_ne_bytes(*bytes)));
        }
    }

    /// Reads a row of a plane of colour, spread over the pixels: three parts of the nearest one, and one of the next.
    fn spread(&self, plane: usize, y: usize, out: &mut [f32], scratch: &mut [f32]) {
        let (across, down) = self.shifts;
        if across == 0 {
            return self.read(plane, y, out);
        }
        let (nearest, next) = scratch.split_at_mut(self.width.div_ceil(2));
        self.read(plane, y >> down, nearest);
        if down == 1 {
            let last = (self.height - 1) / 2;
            let beside = if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { (y / 2 + 1).min(last) };
            self.read(plane, beside, next);
            nearest.iter_mut().zip(next).for_each(|(near, far)| *near = *near * 0.75 + *far * 0.25);
        }
        // Each colour lies between two pixels.
        let mut before = nearest.first().copied().unwrap_or_default();
        for (at, pair) in out.chunks_mut(2).enumerate() {
            let here = nearest.get(at).copied().unwrap_or_default();
            let after = nearest.get(at + 1).copied().unwrap_or(here);
            let both = [here * 0.75 + before * 0.25, here * 0.75 + after * 0.25];
            pair.iter_mut().zip(both).for_each(|(level, value)| *level = value);
            before = here;
        }
    }
}

/// Factors for one way of mixing.
#[derive(Clone, Copy)]
struct Mix {
    middle: f32,
    red: f32,
    green: (f32, f32),
    blue: f32,
}

impl Mix {
    /// From the parts of red and of blue in the brightness.
    fn new(red: f64, blue: f64, depth: u32, full_range: bool) -> Self {
        let one = f64::from(1_u32 << (depth - 8));
        let scale = 255.0 / if full_range { 256.0 * one - 1.0 } else { 224.0 * one };
        let (of_red, of_blue) = (2.0 * (1.0 - red) * scale, 2.0 * (1.0 - blue) * scale);
        let green = 1.0 - red - blue;
        Self {
            middle: (128.0 * one) as f32,
            red: of_red as f32,
            green: ((blue / green * of_blue) as f32, (red / green * of_red) as f32),
            blue: of_blue as f32,
        }
    }

    fn mixed(self, bright: f32, cb: f32, cr: f32) -> [f32; 3] {
        let (cb, cr) = (cb - self.middle, cr - self.middle);
        [bright + self.red * cr, bright - self.green.0 * cb - self.green.1 * cr, bright + self.blue * cb]
    }
}

fn put<const N: usize>(pixel: &mut [u8; N], colour: [f32; 3]) {
    pixel.iter_mut().zip(colour).for_each(|(byte, level)| *byte = rounded(level));
}

/// The nearest byte: what is beyond the ends becomes an end.
fn rounded(level: f32) -> u8 {
    (level + 0.5) as u8
}
