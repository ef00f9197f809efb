//! How long something took, over many times.

use std::time::Duration;

/// A running summary of durations, enough for their mean and spread. Tallies of disjoint sets add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Σ duration.
    pub total: Duration,
    /// Σ duration², in seconds squared.
    pub sum_squares: f64,
}

impl Tally {
    /// Adds one duration.
    pub fn add(&mut self, duration: Duration) {
        self.count = self.count.saturating_add(1);
        self.total = self.total.saturating_add(duration);
        self.sum_squares += duration.as_secs_f64().powi(2);
    }

    /// Returns the mean in seconds; `None` while nothing is recorded.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total.as_secs_f64() / self.count as f64)
    }

    /// Returns the sample variance in seconds squared, `(Σx² − n·mean²) / (n − 1)`; 0 for a single duration, `None`
    /// while nothing is recorded. Rounding never makes it negative.
    pub fn variance(&self) -> Option<f64> {
        let mean = self.mean()?;
        if self.count == 1 {
            return Some(0.0);
        }
        let count = self.count as f64;
        Some(((self.sum_squares - count * mean * mean) / (count - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(seconds: &[f64]) -> Tally {
        let mut tally = Tally::default();
        for second in seconds {
            tally.add(Duration::from_secs_f64(*second));
        }
        tally
    }

    #[test]
    fn nothing_recorded_has_neither_mean_nor_variance() {
        assert_eq!(Tally::default().mean(), None);
        assert_eq!(Tally::default().variance(), None);
    }

    #[test]
    fn mean_and_variance_are_those_of_the_sample() {
        let tally = of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(tally.mean(), Some(5.0));
        assert!((tally.variance().unwrap() - 32.0 / 7.0).abs() < 1e-9);
        assert_eq!(of(&[3.0]).variance(), Some(0.0));
        assert_eq!(of(&[3.0, 5.0]).variance(), Some(2.0));
    }

    proptest! {
        #[test]
        fn the_variance_is_that_of_the_definition_and_never_negative(
            seconds in proptest::collection::vec(0.0_f64..1_000.0, 2..50),
        ) {
            let tally = of(&seconds);
            let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
            let variance = seconds.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (seconds.len() - 1) as f64;
            prop_assert!(tally.variance().unwrap() >= 0.0);
            prop_assert!((tally.variance().unwrap() - variance).abs() < 1e-3);
        }

        #[test]
        fn equal_durations_have_no_spread(second in 0.0_f64..1_000.0, count in 1_usize..50) {
            prop_assert!(of(&vec![second; count]).variance().unwrap() < 1e-3);
        }
    }
}
