//! The distribution that fits numbers around zero: an asymmetric generalised Gaussian.
//!
//! N.-E. Lasmar, Y. Stitou and Y. Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009: its
//! shape is the one whose ratio of squared mean size to mean square is that of the numbers.

use std::array::from_fn;

/// Numbers summed side by side, so that a processor can sum them at once; always in the same order.
const LANES: usize = 8;
/// The shapes that are looked for.
const SHAPES: [f64; 2] = [0.2, 10.0];

/// Sums over numbers on both sides of zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    left: f64,
    right: f64,
    size: f64,
    below: u64,
    above: u64,
}

impl Spread {
    /// Adds a row of numbers.
    pub(super) fn add(&mut self, numbers: &[f32]) {
        let (mut left, mut right, mut size) = ([0.0_f32; LANES], [0.0_f32; LANES], [0.0_f32; LANES]);
        let (mut below, mut above) = ([0_u32; LANES], [0_u32; LANES]);
        let (runs, rest) = numbers.as_chunks::<LANES>();
        let mut last = [0.0; LANES];
        last.iter_mut().zip(rest).for_each(|(last, number)| *last = *number);
        for run in runs.iter().chain([&last]) {
            let under = run.map(|number| if number < 0.0 { number } else { 0.0 });
            let over = run.map(|number| if number > 0.0 { number } else { 0.0 });
            left = from_fn(|lane| left[lane] + under[lane] * under[lane]);
            right = from_fn(|lane| right[lane] + over[lane] * over[lane]);
            size = from_fn(|lane| size[lane] + (over[lane] - under[lane]));
            below = from_fn(|lane| below[lane] + u32::from(run[lane] < 0.0));
            above = from_fn(|lane| above[lane] + u32::from(run[lane] > 0.0));
        }
        let sum = |lanes: [f32; LANES]| lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
        self.left += sum(left);
        self.right += sum(right);
        self.size += sum(size);
        self.below += u64::from(below.iter().sum::<u32>());
        self.above += u64::from(above.iter().sum::<u32>());
    }
}

/// What fits the numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// 2 for a normal distribution, smaller for heavier tails.
    pub(super) shape: f64,
    /// The mean.
    pub(super) mean: f64,
    /// The mean square of the numbers below zero.
    pub(super) left: f64,
    /// The mean square of those above.
    pub(super) right: f64,
}

impl Fit {
    /// Fits `total` numbers, of which those that were not added are zero. `None` when all lie on one side of zero.
    pub(super) fn of(spread: &Spread, total: usize) -> Option<Self> {
        if spread.below == 0 || spread.above == 0 {
            return None;
        }
        let total = total.max(1) as f64;
        let (left, right) = (spread.left / spread.below as f64, spread.right / spread.above as f64);
        let skew = (left / right).sqrt();
        let size = spread.size / total;
        let ratio = size * size / ((spread.left + spread.right) / total);
        let squared = skew * skew + 1.0;
        let shape = shape_of(ratio * (skew * skew * skew + 1.0) * (skew + 1.0) / (squared * squared));
        let [one, two, three] = gammas(shape);
        Some(Self { shape, mean: (right.sqrt() - left.sqrt()) * two / one * (one / three).sqrt(), left, right })
    }
}

/// The gamma function at one, two and three parts of `shape`.
fn gammas(shape: f64) -> [f64; 3] {
    [1.0, 2.0, 3.0].map(|parts| libm::tgamma(parts / shape))
}

/// The shape whose ratio this is: the ratio rises with the shape, so the interval is halved until it is narrow.
fn shape_of(ratio: f64) -> f64 {
    let [mut low, mut high] = SHAPES;
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        let [one, two, three] = gammas(middle);
        if two * two / (one * three) < ratio { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratios_of_known_distributions_give_their_shapes() {
        // Laplace: 1/2. Normal: 2/π.
        assert!((shape_of(0.5) - 1.0).abs() < 1e-9);
        assert!((shape_of(std::f64::consts::FRAC_2_PI) - 2.0).abs() < 1e-9);
        assert!(shape_of(0.0) < 0.201 && shape_of(1.0) > 9.999);
    }

    #[test]
    fn numbers_of_even_sides_have_no_mean_and_those_of_a_wide_right_side_a_positive_one() {
        let fit = |numbers: &[f32]| {
            let mut spread = Spread::default();
            spread.add(numbers);
            Fit::of(&spread, numbers.len()).unwrap()
        };
        let even = fit(&[-2.0, -1.0, 1.0, 2.0, -0.5, 0.5, 0.0, 0.0, 3.0, -3.0]);
        assert_eq!((even.mean, even.left), (0.0, even.right));
        let skewed = fit(&[-0.5, -0.25, -0.5, 1.0, 2.0, 4.0]);
        assert!(skewed.mean > 0.0 && skewed.right == 7.0 && skewed.left == 0.1875, "{skewed:?}");
    }

    #[test]
    fn numbers_on_one_side_of_zero_have_no_fit() {
        let mut spread = Spread::default();
        spread.add(&[1.0, 2.0, 0.0]);
        assert!(Fit::of(&spread, 3).is_none());
    }
}
