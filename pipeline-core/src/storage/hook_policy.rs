//! How long a hook tries to deliver a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The waits between tries, as multiples of the first: with 5 s they are 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and
/// 24 h, as Standard Webhooks recommends (<https://www.standardwebhooks.com>, "Deliverability and reliability").
const WAITS: [u32; 9] = [1, 60, 360, 1_440, 3_600, 7_200, 10_080, 14_400, 17_280];

/// Nobody is left alone for longer.
const LONGEST: Duration = Duration::from_hours(24);

/// How long and how often a hook tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPolicy {
    /// How long a try may take.
    pub timeout: Duration,
    /// How often a message is tried.
    pub attempts: u32,
    /// How long to wait after the first try; the later waits are multiples of it.
    pub first_wait: Duration,
}

impl Default for HookPolicy {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(15), attempts: Self::MOST_ATTEMPTS, first_wait: Duration::from_secs(5) }
    }
}

impl HookPolicy {
    /// No hook tries a message more often.
    pub const MOST_ATTEMPTS: u32 = WAITS.len() as u32 + 1;

    /// No try takes longer.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns how long to wait after so many tries, up to a tenth longer as drawn, so that messages that failed together
    /// do not come together; at least as long as the receiver asks for, up to a day. `None` when it was the last one.
    pub fn wait(&self, tried: u32, asked: Option<Duration>, draw: u64) -> Option<Duration> {
        if tried >= self.attempts {
            return None;
        }
        let times = WAITS.get(tried.saturating_sub(1) as usize)?;
        let wait = self.first_wait.saturating_mul(*times);
        let wait = wait.saturating_add((wait / 10_000).saturating_mul((draw % 1_000) as u32));
        Some(wait.max(asked.unwrap_or_default().min(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_with_the_last_try() {
        let policy = HookPolicy::default();
        let waits: Vec<u64> = (1..10).map(|tried| policy.wait(tried, None, 0).unwrap().as_secs()).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(policy.wait(10, None, 0), None);
        assert_eq!(HookPolicy { attempts: 2, ..policy }.wait(2, None, 0), None);
    }

    #[test]
    fn a_wait_is_drawn_up_to_a_tenth_longer_and_no_shorter_than_asked() {
        let policy = HookPolicy::default();
        let longest = (0..2_000).map(|draw| policy.wait(1, None, draw).unwrap()).max().unwrap();
        assert!(longest > Duration::from_millis(5_490) && longest < Duration::from_millis(5_500), "{longest:?}");
        assert_eq!(policy.wait(1, Some(Duration::from_secs(90)), 0), Some(Duration::from_secs(90)));
        assert_eq!(policy.wait(1, Some(Duration::from_hours(48)), 0), Some(LONGEST));
        assert_eq!(policy.wait(2, Some(Duration::from_secs(1)), 0), Some(Duration::from_mins(5)));
    }
}
