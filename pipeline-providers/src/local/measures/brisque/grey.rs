//! The picture as BRISQUE sees it: grey, 0 to 1, and half as large.

use crate::local::image::Picture;

/// Grey values in rows from the top.
pub(super) struct Grey {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Grey {
    /// The luma of Rec. 601 in integers, as the model's features were made from.
    pub(super) fn of(picture: &Picture) -> Self {
        let luma = |red: u8, green: u8, blue: u8| {
            let sum = 9_798 * u32::from(red) + 19_235 * u32::from(green) + 3_735 * u32::from(blue);
            ((sum + 16_384) >> 15) as f32 / 255.0
        };
        let pixels = picture.pixels();
        let values = match picture.channels() {
            4 => pixels.as_chunks::<4>().0.iter().map(|&[red, green, blue, _]| luma(red, green, blue)).collect(),
            _ => pixels.as_chunks::<3>().0.iter().map(|&[red, green, blue]| luma(red, green, blue)).collect(),
        };
        Self { width: picture.width(), height: picture.height(), values }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// Half as many pixels each way, by cubic interpolation between the four that are nearest.
    pub(super) fn halved(&self) -> Self {
        let (across, down) = (Taps::halving(self.width), Taps::halving(self.height));
        let mut narrow = Vec::with_capacity(across.0.len() * self.height);
        for row in self.rows() {
            narrow.extend(
                across.0.iter().map(|taps| taps.iter().map(|(at, weight)| pixel(row, *at) * weight).sum::<f32>()),
            );
        }
        let width = across.0.len();
        let mut values = vec![0.0; width * down.0.len()];
        for (line, taps) in values.chunks_exact_mut(width.max(1)).zip(&down.0) {
            for (at, weight) in taps {
                let row = narrow.get(at * width..(at + 1) * width).unwrap_or_default();
                line.iter_mut().zip(row).for_each(|(value, from)| *value += from * weight);
            }
        }
        Self { width, height: down.0.len(), values }
    }
}

fn pixel(row: &[f32], at: usize) -> f32 {
    row.get(at).copied().unwrap_or_default()
}

/// Where each new pixel comes from: four places and their weights.
struct Taps(Vec<[(usize, f32); 4]>);

impl Taps {
    fn halving(length: usize) -> Self {
        let half = length / 2;
        let scale = length as f64 / half.max(1) as f64;
        let last = length.saturating_sub(1) as i64;
        let taps = (0..half).map(|index| {
            let middle = (index as f64 + 0.5) * scale - 0.5;
            let first = middle.floor();
            let weights = cubic((middle - first) as f32);
            let place = |step: i64| (first as i64 + step).clamp(0, last) as usize;
            [(place(-1), weights[0]), (place(0), weights[1]), (place(1), weights[2]), (place(2), weights[3])]
        });
        Self(taps.collect())
    }
}

/// Weights of a cubic convolution with slope -0.75, for a place `x` beyond the second of four.
fn cubic(x: f32) -> [f32; 4] {
    const SLOPE: f32 = -0.75;
    let outer = ((SLOPE * (x + 1.0) - 5.0 * SLOPE) * (x + 1.0) + 8.0 * SLOPE) * (x + 1.0) - 4.0 * SLOPE;
    let inner = |x: f32| ((SLOPE + 2.0) * x - (SLOPE + 3.0)) * x * x + 1.0;
    let (near, far) = (inner(x), inner(1.0 - x));
    [outer, near, far, 1.0 - outer - near - far]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_keeps_what_is_even_and_rounds_an_odd_side_down() {
        let even = Grey { width: 9, height: 6, values: vec![0.25; 54] };
        let half = even.halved();
        assert_eq!((half.width, half.height), (4, 3));
        assert!(half.values.iter().all(|value| (value - 0.25).abs() < 1e-6));
    }

    #[test]
    fn half_way_between_two_pixels_they_weigh_the_same() {
        assert_eq!(cubic(0.5), [-0.09375, 0.59375, 0.59375, -0.09375]);
        assert_eq!(cubic(0.0), [0.0, 1.0, 0.0, 0.0]);
    }
}
