//! How long to wait before the next try.

use std::time::Duration;

use crate::pipeline::Policy;

/// Returns a full-jitter delay before try `attempt + 1`: uniform in `[0, min(cap, base · 2^(attempt-1))]`.
///
/// `draw` is any number drawn at random by the caller; `attempt` is the try that failed, from 1. The method is the
/// "full jitter" of the AWS Architecture Blog's "Exponential Backoff And Jitter" (2015).
pub fn backoff(policy: &Policy, attempt: u32, draw: u64) -> Duration {
    let doubled = policy.backoff_base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(31)));
    let bound = u64::try_from(doubled.min(policy.backoff_cap).as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(draw % (bound + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_delay_stays_inside_its_bounds(attempt in 1_u32..60, draw: u64) {
            let policy = Policy::default();
            let delay = backoff(&policy, attempt, draw);
            prop_assert!(delay <= policy.backoff_cap);
            prop_assert!(delay <= policy.backoff_base.saturating_mul(2_u32.saturating_pow(attempt.min(31) - 1)));
        }
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let policy = Policy::default();
        let bound = |attempt| (0..2_000_u64).map(|n| backoff(&policy, attempt, n * 100_003)).max().unwrap();
        assert!(bound(1) <= Duration::from_secs(1) && bound(1) > Duration::from_millis(900));
        assert!(bound(3) > Duration::from_secs(3) && bound(3) <= Duration::from_secs(4));
        assert_eq!(backoff(&policy, 40, 120_000_000), Duration::from_secs(120));
    }

    #[test]
    fn a_bound_beyond_the_range_of_time_is_no_overflow() {
        let policy = Policy { backoff_base: Duration::MAX, backoff_cap: Duration::MAX, ..Policy::default() };
        assert_eq!(backoff(&policy, 3, u64::MAX), Duration::ZERO);
        assert_eq!(backoff(&policy, 3, 5), Duration::from_micros(5));
    }
}
