//! The clock of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use pipeline_core::time::{Clock, Timestamp};

/// Tells the time of the machine, in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.after(elapsed)
    }
}
