//! How long a job may still take, as a range.

use std::time::Duration;

use crate::id::StageName;

use super::Tally;

/// What is left of one stage of a job, and how long it took so far.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRemaining {
    /// The stage.
    pub stage: StageName,
    /// How many times it is still to be done.
    pub left: u64,
    /// How long it took so far.
    pub tally: Tally,
}

/// How long something may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtaRange {
    /// Probably not less than this.
    pub low: Duration,
    /// Probably not more than this.
    pub high: Duration,
}

/// Returns how long the stages that are left may still take with `parallelism` of them at a time, as a range; `None`
/// while nothing is recorded for a stage that is still to come. Nothing left takes no time.
///
/// With `n` runs left of a stage whose recorded durations have mean `m` and variance `s²`, the work left takes
/// `W = Σ n·m` with a standard deviation of `S = √(Σ n·s²)`, because the variances of independent durations add up
/// (Bienaymé's identity). The range is `W ± 2·S`, about 95 % by the central limit theorem, divided by the parallelism:
/// the lower bound of Graham, "Bounds on Multiprocessing Timing Anomalies" (SIAM J. Appl. Math. 17, 1969), which long
/// queues of short runs come close to. More places than runs left are of no use and are not counted.
///
/// `running` is how long the runs in flight have taken so far, together: that much of the work is done.
pub fn eta(remaining: &[StageRemaining], parallelism: u32, running: Duration) -> Option<EtaRange> {
    let (mut work, mut variance, mut left) = (0.0_f64, 0.0_f64, 0_u64);
    for stage in remaining.iter().filter(|stage| stage.left > 0) {
        let runs = stage.left as f64;
        work += runs * stage.tally.mean()?;
        variance += runs * stage.tally.variance()?;
        left = left.saturating_add(stage.left);
    }
    let spread = 2.0 * variance.sqrt();
    let places = u64::from(parallelism.max(1)).min(left.max(1)) as f64;
    let bound = |seconds: f64| {
        let seconds = (seconds - running.as_secs_f64()).max(0.0) / places;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    };
    Some(EtaRange { low: bound(work - spread), high: bound(work + spread) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(left: u64, seconds: &[u64]) -> StageRemaining {
        let mut tally = Tally::default();
        for second in seconds {
            tally.add(Duration::from_secs(*second));
        }
        StageRemaining { stage: StageName::new("qc").unwrap(), left, tally }
    }

    fn range(low: f64, high: f64) -> EtaRange {
        EtaRange { low: Duration::from_secs_f64(low), high: Duration::from_secs_f64(high) }
    }

    #[test]
    fn nothing_left_takes_no_time() {
        assert_eq!(eta(&[], 4, Duration::ZERO), Some(range(0.0, 0.0)));
        assert_eq!(eta(&[stage(0, &[])], 0, Duration::ZERO), Some(range(0.0, 0.0)));
    }

    #[test]
    fn a_stage_to_come_without_a_record_makes_it_unknown() {
        assert_eq!(eta(&[stage(3, &[2]), stage(1, &[])], 1, Duration::ZERO), None);
    }

    #[test]
    fn the_range_is_the_mean_plus_and_minus_two_deviations_of_the_sum() {
        // Mean 4, variance 2; 8 left: 32 ± 2·√16.
        let left = [stage(8, &[3, 5])];
        assert_eq!(eta(&left, 1, Duration::ZERO), Some(range(24.0, 40.0)));
        assert_eq!(eta(&left, 4, Duration::ZERO), Some(range(6.0, 10.0)));
        assert_eq!(eta(&left, 4, Duration::from_secs(8)), Some(range(4.0, 8.0)));
        assert_eq!(eta(&left, 4, Duration::from_secs(99)), Some(range(0.0, 0.0)));
        // Two stages: 32 + 2·6 ± 2·√(16 + 0).
        assert_eq!(eta(&[left[0].clone(), stage(2, &[6, 6])], 1, Duration::ZERO), Some(range(36.0, 52.0)));
    }

    #[test]
    fn more_places_than_runs_left_do_not_help() {
        assert_eq!(eta(&[stage(2, &[6])], 100, Duration::ZERO), Some(range(6.0, 6.0)));
        assert_eq!(eta(&[stage(2, &[6])], 0, Duration::ZERO), Some(range(12.0, 12.0)));
    }

    #[test]
    fn a_time_too_long_to_say_is_the_longest_there_is() {
        let tally = Tally { count: 1, total: Duration::MAX, sum_squares: 0.0 };
        let left = [StageRemaining { stage: StageName::new("qc").unwrap(), left: u64::MAX, tally }];
        assert_eq!(eta(&left, 1, Duration::ZERO).map(|range| range.high), Some(Duration::MAX));
    }

    proptest! {
        #[test]
        fn the_low_end_is_never_above_the_high_end(
            left in 0_u64..10_000,
            seconds in proptest::collection::vec(0_u64..5_000, 1..20),
            parallelism in 0_u32..64,
            running in 0_u64..10_000,
        ) {
            let range = eta(&[stage(left, &seconds)], parallelism, Duration::from_secs(running)).unwrap();
            prop_assert!(range.low <= range.high);
        }

        #[test]
        fn the_high_end_shrinks_as_work_is_done(
            left in 1_u64..10_000,
            seconds in proptest::collection::vec(0_u64..5_000, 1..20),
            more in 0_u64..100,
        ) {
            let high = |left, running| eta(&[stage(left, &seconds)], 1, Duration::from_secs(running)).unwrap().high;
            prop_assert!(high(left - 1, 0) <= high(left, 0));
            prop_assert!(high(left, more) <= high(left, 0));
        }
    }
}
