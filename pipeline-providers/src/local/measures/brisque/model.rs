//! The support vector regression that turns features into a score.
//!
//! `brisque.model` holds little-endian 32-bit floats: the least of each of the 36 features, the greatest of each, the width of
//! the kernel (gamma), the offset (rho), and 774 support vectors, each its coefficient and 36 features. It is OpenCV's
//! `brisque_model_live.yml` with `brisque_range_live.yml`, digit for digit as floats; `cargo run -p pipeline-testkit --bin
//! pack-brisque` makes it from them.

use super::FEATURES;

const MODEL: &[u8] = include_bytes!("brisque.model");
const COUNT: usize = 2 * FEATURES;

/// The score of scaled features, held to 0 to 100 as OpenCV does.
pub(super) fn score(features: &[f32; COUNT]) -> f64 {
    let mut numbers = MODEL.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let mut next = || numbers.next().unwrap_or_default();
    let (mut least, mut most) = ([0.0_f32; COUNT], [0.0_f32; COUNT]);
    least.fill_with(&mut next);
    most.fill_with(&mut next);
    let (gamma, rho) = (f64::from(next()), f64::from(next()));
    let mut scaled = *features;
    for ((value, least), most) in scaled.iter_mut().zip(least).zip(most) {
        *value = -1.0 + 2.0 * (*value - least) / (most - least);
    }
    let mut sum = -rho;
    let mut numbers = MODEL.as_chunks::<4>().0.iter().skip(2 * COUNT + 2).map(|bytes| f32::from_le_bytes(*bytes));
    while let Some(coefficient) = numbers.next() {
        let distance: f64 = scaled
            .iter()
            .zip(numbers.by_ref())
            .map(|(value, support)| f64::from(value - support))
            .map(|off| off * off)
            .sum();
        sum += f64::from(coefficient) * libm::exp(-gamma * distance);
    }
    sum.clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_has_774_vectors_of_36_features() {
        assert_eq!(MODEL.len(), 4 * (2 * COUNT + 2 + 774 * (COUNT + 1)));
    }
}
