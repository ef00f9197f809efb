//! Sharpening: an unsharp mask on the brightness, so that colours do not shift.
//!
//! | amount | Gaussian sigma | strength |
//! |---|---|---|
//! | a, 0 to 10 | 0.6 + 0.1 a pixels | 0.2 a |
//!
//! The brightness is 0.299 R + 0.587 G + 0.114 B of the stored values. Its difference from the blurred brightness is
//! multiplied by the strength and added to all three channels. Differences up to two levels, mostly noise, count half.
//! Against halos a pixel becomes at most 25 levels brighter and 50 darker. Transparent pixels lend nothing to the blur.

use pipeline_core::error::Result;

use super::super::picture::Picture;
use super::in_range;

/// Differences up to this count half.
const NOISE: f32 = 2.0;
/// Most levels a pixel becomes darker and brighter.
const DARKER: f32 = -50.0;
const BRIGHTER: f32 = 25.0;

pub(super) fn sharpen(mut picture: Picture, amount: f32) -> Result<(Picture, Option<String>)> {
    in_range("sharpen amount", amount, 10.0)?;
    if amount == 0.0 {
        return Ok((picture, None));
    }
    let blur = kernel(0.6 + 0.1 * amount);
    let strength = 0.2 * amount;
    if picture.has_alpha() {
        mask::<4>(&mut picture, &blur, strength);
    } else {
        mask::<3>(&mut picture, &blur, strength);
    }
    Ok((picture, Some(format!("sharpen {amount}"))))
}

/// Half of a Gaussian, from its middle, that sums to one with its mirror image.
fn kernel(sigma: f32) -> Vec<f32> {
    let reach = (2.5 * sigma).ceil() as usize;
    let weights: Vec<f32> = (0..=reach).map(|x| (-((x * x) as f32) / (2.0 * sigma * sigma)).exp()).collect();
    let sum = 2.0 * weights.iter().sum::<f32>() - 1.0;
    weights.iter().map(|weight| weight / sum).collect()
}

/// A few rows of one quantity, reused as the window moves down.
struct Window {
    rows: Vec<Vec<f32>>,
}

impl Window {
    fn new(rows: usize, width: usize) -> Self {
        Self { rows: vec![vec![0.0; width]; rows] }
    }

    fn row(&self, y: usize) -> &[f32] {
        &self.rows[y % self.rows.len()]
    }

    fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let count = self.rows.len();
        &mut self.rows[y % count]
    }

    /// Blurs around row `y` of `height`, down into `padded` and then across into `out`.
    fn blur(&self, y: usize, height: usize, kernel: &[f32], padded: &mut [f32], out: &mut [f32]) {
        let reach = kernel.len() - 1;
        let width = out.len();
        let middle = &mut padded[reach..reach + width];
        for (sum, value) in middle.iter_mut().zip(self.row(y)) {
            *sum = kernel[0] * value;
        }
        for (distance, weight) in kernel.iter().enumerate().skip(1) {
            let (above, below) = (self.row(y.saturating_sub(distance)), self.row((y + distance).min(height - 1)));
            for ((sum, above), below) in middle.iter_mut().zip(above).zip(below) {
                *sum += weight * (above + below);
            }
        }
        let (first, last) = (padded[reach], padded[reach + width - 1]);
        padded[..reach].fill(first);
        padded[reach + width..].fill(last);
        for (sum, value) in out.iter_mut().zip(&padded[reach..]) {
            *sum = kernel[0] * value;
        }
        for (distance, weight) in kernel.iter().enumerate().skip(1) {
            let (left, right) = (&padded[reach - distance..], &padded[reach + distance..]);
            for ((sum, left), right) in out.iter_mut().zip(left).zip(right) {
                *sum += weight * (left + right);
            }
        }
    }
}

fn mask<const N: usize>(picture: &mut Picture, kernel: &[f32], strength: f32) {
    let (width, height) = (picture.width(), picture.height());
    let reach = kernel.len() - 1;
    let mut brightness = Window::new(2 * reach + 1, width);
    // With alpha, brightness is weighted by it: a blur over cut-out pixels would darken or lighten the rim.
    let mut weights = (N == 4).then(|| Window::new(2 * reach + 1, width));
    let mut padded = vec![0.0; width + 2 * reach];
    let mut blurred = vec![0.0; width];
    let mut coverage = vec![1.0; width];
    let mut loaded = 0;
    let stride = width * N;
    let pixels = picture.pixels_mut();
    for y in 0..height {
        // Rows are read ahead of the one that is written, so the picture can be changed in place.
        while loaded < height && loaded <= y + reach {
            let row = pixels[loaded * stride..(loaded + 1) * stride].as_chunks::<N>().0;
            for (value, pixel) in brightness.row_mut(loaded).iter_mut().zip(row) {
                *value = level(pixel) * opacity(pixel);
            }
            if let Some(weights) = &mut weights {
                for (weight, pixel) in weights.row_mut(loaded).iter_mut().zip(row) {
                    *weight = opacity(pixel);
                }
            }
            loaded += 1;
        }
        brightness.blur(y, height, kernel, &mut padded, &mut blurred);
        if let Some(weights) = &weights {
            weights.blur(y, height, kernel, &mut padded, &mut coverage);
        }
        let row = pixels[y * stride..(y + 1) * stride].as_chunks_mut::<N>().0;
        for ((pixel, blurred), coverage) in row.iter_mut().zip(&blurred).zip(&coverage) {
            let around = if N == 4 { blurred / coverage.max(1e-3) } else { *blurred };
            let difference = level(pixel) - around;
            let edge = difference - 0.5 * difference.clamp(-NOISE, NOISE);
            let change = (strength * edge).clamp(DARKER, BRIGHTER);
            for value in pixel.iter_mut().take(3) {
                *value = (f32::from(*value) + change + 0.5) as u8; // saturates at both ends
            }
        }
    }
}

#[inline]
fn level<const N: usize>(pixel: &[u8; N]) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

#[inline]
fn opacity<const N: usize>(pixel: &[u8; N]) -> f32 {
    if N == 4 { f32::from(pixel[3]) / 255.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    /// Dark to the left, light to the right, with a soft edge between.
    fn edge() -> Picture {
        let row = (0..24).flat_map(|x| [60 + 6 * (x - 6_i32).clamp(0, 12) as u8; 3]);
        let pixels: Vec<u8> = row.collect();
        Picture::rgb(Dimensions { width: 24, height: 8 }, pixels.repeat(8)).unwrap()
    }

    fn steepest(picture: &Picture) -> i32 {
        let row = picture.row(4);
        (3..row.len()).map(|at| (i32::from(row[at]) - i32::from(row[at - 3])).abs()).max().unwrap()
    }

    #[test]
    fn a_larger_amount_makes_a_steeper_edge() {
        let noise: Vec<u8> =
            (0..64 * 64_u32).flat_map(|n| [(n.wrapping_mul(2_654_435_761) >> 26) as u8 + 90; 3]).collect();
        let picture = Picture::rgb(Dimensions { width: 64, height: 64 }, noise).unwrap();
        let found: Vec<i32> = [0.0, 1.0, 4.0, 10.0]
            .iter()
            .map(|amount| steepest(&sharpen(picture.clone(), *amount).unwrap().0))
            .collect();
        assert!(found.is_sorted() && found[0] < found[1] && found[1] < found[3], "{found:?}");
    }

    #[test]
    fn only_edges_change_and_the_edge_gets_longer() {
        let (sharp, done) = sharpen(edge(), 5.0).unwrap();
        assert_eq!(done.as_deref(), Some("sharpen 5"));
        assert_eq!(sharp.row(4)[..6], edge().row(4)[..6]);
        let range = |picture: &Picture| picture.pixels().iter().max().unwrap() - picture.pixels().iter().min().unwrap();
        assert!(range(&sharp) > range(&edge()));
    }

    #[test]
    fn zero_changes_nothing() {
        assert_eq!(sharpen(edge(), 0.0).unwrap(), (edge(), None));
    }

    #[test]
    fn all_channels_move_together() {
        let pixels: Vec<u8> = (0..40).flat_map(|x| if x % 10 < 5 { [120, 90, 60] } else { [150, 120, 90] }).collect();
        let (sharp, _) = sharpen(Picture::rgb(Dimensions { width: 10, height: 4 }, pixels).unwrap(), 6.0).unwrap();
        for pixel in sharp.pixels().chunks_exact(3) {
            assert_eq!((pixel[0] - pixel[1], pixel[1] - pixel[2]), (30, 30));
        }
    }

    #[test]
    fn hidden_pixels_leave_no_rim_on_a_cut_out() {
        // A light figure whose transparent surroundings are stored black.
        let pixels: Vec<u8> =
            (0..16 * 16).flat_map(|n| if n % 16 < 8 { [200, 200, 200, 255] } else { [0, 0, 0, 0] }).collect();
        let picture = Picture::rgba(Dimensions { width: 16, height: 16 }, pixels).unwrap();
        let (sharp, _) = sharpen(picture, 10.0).unwrap();
        for pixel in sharp.pixels().chunks_exact(4).filter(|pixel| pixel[3] == 255) {
            assert_eq!(pixel[..3], [200, 200, 200]);
        }
    }

    #[test]
    fn a_picture_of_one_pixel_survives() {
        let one = Picture::rgb(Dimensions { width: 1, height: 1 }, vec![10, 20, 30]).unwrap();
        assert_eq!(sharpen(one.clone(), 10.0).unwrap().0, one);
    }
}
