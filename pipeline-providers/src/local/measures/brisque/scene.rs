//! The statistics of one scale: each pixel against its surroundings, and against four of its neighbours.

use super::FEATURES;
use super::fit::{Fit, Spread};
use super::grey::Grey;

/// Half of a Gaussian window of seven with a standard deviation of 7/6, from its middle: `exp(-x² / (2 · (7/6)²))`, so
/// scaled that all seven add up to one.
const WINDOW: [f32; 4] = [0.342_631_52, 0.237_296_08, 0.078_827_97, 0.012_560_2];
/// Keeps an even surrounding from dividing by nothing: one brightness level.
const LEVEL: f32 = 1.0 / 255.0;

/// Returns two features of the normalised pixels, then four of each kind of neighbours: to the right, below, below to the
/// right, above to the right. `None` when nothing differs from its surroundings.
pub(super) fn features(grey: &Grey) -> Option<[f32; FEATURES]> {
    let (means, squares) = across(grey);
    let total = grey.values.len();
    let width = grey.width;
    let mut spreads = [Spread::default(); 5];
    let (mut last, mut row) = (vec![0.0; width], vec![0.0; width]);
    let (mut mean, mut square, mut product) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
    for (y, values) in grey.rows().enumerate() {
        down(&means, width, y, &mut mean);
        down(&squares, width, y, &mut square);
        for (((normal, value), mean), square) in row.iter_mut().zip(values).zip(&mean).zip(&square) {
            *normal = (value - mean) / ((square - mean * mean).max(0.0).sqrt() + LEVEL);
        }
        let right = row.get(1..).unwrap_or_default();
        let [own, beside, under, slanted, rising] = &mut spreads;
        own.add(&row);
        times(&row, right, &mut product);
        beside.add(&product);
        if y > 0 {
            times(&last, &row, &mut product);
            under.add(&product);
            times(&last, right, &mut product);
            slanted.add(&product);
            times(&row, last.get(1..).unwrap_or_default(), &mut product);
            rising.add(&product);
        }
        std::mem::swap(&mut last, &mut row);
    }
    let [own, neighbours @ ..] = spreads.map(|spread| Fit::of(&spread, total));
    let own = own?;
    let mut all = [0.0; FEATURES];
    let (first, rest) = all.split_at_mut(2);
    first.copy_from_slice(&[own.shape as f32, f64::midpoint(own.left, own.right) as f32]);
    for (features, fit) in rest.chunks_exact_mut(4).zip(neighbours) {
        let fit = fit?;
        features.copy_from_slice(&[fit.shape, fit.mean, fit.left, fit.right].map(|value| value as f32));
    }
    Some(all)
}

/// The products of two rows; the second may be shorter, then the rest is nothing.
fn times(left: &[f32], right: &[f32], product: &mut Vec<f32>) {
    let length = left.len();
    product.clear();
    product.extend(left.iter().zip(right).map(|(left, right)| left * right));
    product.resize(length, 0.0);
}

/// The window along the rows, over the values and over their squares; edges are continued.
fn across(grey: &Grey) -> (Vec<f32>, Vec<f32>) {
    let mut means = Vec::with_capacity(grey.values.len());
    let mut squares = Vec::with_capacity(grey.values.len());
    let (mut padded, mut squared) = (Vec::with_capacity(grey.width + 6), Vec::with_capacity(grey.width + 6));
    for row in grey.rows() {
        padded.clear();
        padded.extend([row.first().copied().unwrap_or_default(); 3]);
        padded.extend_from_slice(row);
        padded.extend([row.last().copied().unwrap_or_default(); 3]);
        squared.clear();
        squared.extend(padded.iter().map(|value| value * value));
        means.extend(padded.array_windows::<7>().map(window));
        squares.extend(squared.array_windows::<7>().map(window));
    }
    (means, squares)
}

fn window([a, b, c, d, e, f, g]: &[f32; 7]) -> f32 {
    let [middle, near, far, farthest] = WINDOW;
    d * middle + (c + e) * near + (b + f) * far + (a + g) * farthest
}

/// The window down the columns, for the row `y`.
fn down(rows: &[f32], width: usize, y: usize, sums: &mut [f32]) {
    let last = (rows.len() / width.max(1)).saturating_sub(1);
    let row = |y: usize| rows.get(y * width..(y + 1) * width).unwrap_or_default();
    let [middle, near, far, farthest] = WINDOW;
    sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum = value * middle);
    for (step, weight) in [(1, near), (2, far), (3, farthest)] {
        let (above, below) = (row(y.saturating_sub(step)), row((y + step).min(last)));
        for (sum, (above, below)) in sums.iter_mut().zip(above.iter().zip(below)) {
            *sum += (above + below) * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_adds_up_to_one_and_falls_as_a_gaussian_of_seven_sixths() {
        let [middle, near, far, farthest] = WINDOW;
        assert!((middle + 2.0 * (near + far + farthest) - 1.0).abs() < 1e-6);
        for (distance, weight) in [(1.0, near), (2.0, far), (3.0, farthest)] {
            let wanted = libm::exp(-distance * distance / (2.0 * (7.0 / 6.0_f64).powi(2)));
            assert!((f64::from(weight / middle) - wanted).abs() < 1e-5, "{distance}");
        }
    }

    #[test]
    fn what_is_even_has_no_features() {
        assert!(features(&Grey { width: 70, height: 70, values: vec![0.5; 4_900] }).is_none());
    }
}
