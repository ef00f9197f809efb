//! How far a job is, as one number.

use crate::model::Counts;

/// What is shown at most before everything has ended: 99.9 %.
const NOT_YET: f64 = 0.999;

/// Returns how far a job is, from 0 to 1: the settled share of its stages × leaves.
///
/// It is 1 exactly when every planned leaf has ended, also for a job without leaves; before that it stays at or below
/// 0.999, and steps that are not counted yet or counted twice cannot push it out of its range. It never goes back while
/// `steps_done` and the ended leaves do not.
pub fn progress(steps_done: u64, steps_planned: u64, counts: &Counts) -> f64 {
    if counts.ended() >= counts.planned {
        return 1.0;
    }
    if steps_planned == 0 {
        return 0.0;
    }
    (steps_done as f64 / steps_planned as f64).min(NOT_YET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(pending: u64, succeeded: u64, failed: u64) -> Counts {
        Counts { planned: pending + succeeded + failed, pending, succeeded, failed, ..Counts::default() }
    }

    #[test]
    fn progress_is_the_settled_share_of_the_steps() {
        assert_eq!(progress(0, 8, &counts(2, 0, 0)), 0.0);
        assert_eq!(progress(2, 8, &counts(2, 0, 0)), 0.25);
        assert_eq!(progress(6, 8, &counts(1, 1, 0)), 0.75);
    }

    #[test]
    fn progress_reaches_its_end_only_when_every_leaf_has_ended() {
        assert_eq!(progress(8, 8, &counts(1, 1, 0)), 0.999);
        assert_eq!(progress(8, 8, &counts(0, 1, 1)), 1.0);
        assert_eq!(progress(3, 8, &counts(0, 0, 2)), 1.0);
        assert_eq!(progress(0, 0, &counts(0, 0, 0)), 1.0);
        assert_eq!(progress(0, 0, &counts(1, 0, 0)), 0.0);
    }

    proptest! {
        #[test]
        fn progress_stays_in_its_range_and_never_goes_back(
            (done, more, planned) in (0_u64..1_000_000, 0_u64..1_000_000, 0_u64..1_000_000),
            (pending, ended, ends) in (0_u64..1_000, 0_u64..1_000, 0_u64..1_000),
        ) {
            let before = progress(done, planned, &counts(pending, ended, 0));
            let ends = ends.min(pending);
            let after = progress(done + more, planned, &counts(pending - ends, ended, ends));
            prop_assert!((0.0..=1.0).contains(&before));
            prop_assert_eq!(before == 1.0, pending == 0);
            prop_assert!(after >= before, "{} < {}", after, before);
        }
    }
}
