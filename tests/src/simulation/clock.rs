//! The clock of a history: it follows the paused time of the runtime, and jumps when told.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use pipeline_core::time::{Clock, Timestamp};
use tokio::time::Instant;

/// Somewhere in 2026.
const BEGIN: i64 = 1_790_000_000_000_000;

/// The clock of a history, of its store and of its engines.
#[derive(Debug)]
pub(super) struct SimulatedClock {
    start: Instant,
    jumped: AtomicI64,
    back: AtomicBool,
}

impl SimulatedClock {
    /// Starts now, inside the runtime of the history.
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), jumped: AtomicI64::new(0), back: AtomicBool::new(false) }
    }

    /// Jumps so many microseconds, forward or back.
    pub(super) fn jump(&self, micros: i64) {
        self.jumped.fetch_add(micros, Ordering::SeqCst);
        if micros < 0 {
            self.back.store(true, Ordering::SeqCst);
        }
    }

    /// Tells whether it has ever jumped back.
    pub(super) fn has_gone_back(&self) -> bool {
        self.back.load(Ordering::SeqCst)
    }

    /// Returns how much time has passed, jumps apart, in microseconds.
    pub(super) fn elapsed(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

impl Default for SimulatedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(BEGIN + self.elapsed() + self.jumped.load(Ordering::SeqCst))
    }
}
