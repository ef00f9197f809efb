//! What all parts of a history share: dice, clock, faults, and the log of what happened.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::clock::SimulatedClock;
use super::dice::Dice;
use super::faults::Faults;
use super::tally::Tally;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: &'static str,
    /// What was found instead.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.found)
    }
}

/// What all parts of a history share.
#[derive(Debug)]
pub(super) struct World {
    /// Decides everything.
    pub(super) dice: Arc<Dice>,
    /// Of the store and of every engine.
    pub(super) clock: Arc<SimulatedClock>,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// Told when an invariant did not hold.
    pub(super) stopped: Notify,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    tally: Tally,
    trace: u64,
    lines: Option<Vec<String>>,
    violation: Option<Violation>,
}

impl World {
    /// Makes a world in which nothing has happened; with `told` it remembers everything that does.
    pub(super) fn new(dice: Arc<Dice>, faults: Faults, told: bool) -> Self {
        // The offset basis of FNV-1a.
        let trace = 0xcbf2_9ce4_8422_2325;
        let log = Log { tally: Tally::default(), trace, lines: told.then(Vec::new), violation: None };
        let clock = Arc::new(SimulatedClock::new());
        Self { dice, clock, faults, stopped: Notify::new(), log: Mutex::new(log) }
    }

    /// Writes down that something happened.
    pub(super) fn tell(&self, line: fmt::Arguments<'_>) {
        let elapsed = self.clock.elapsed();
        let mut log = self.log();
        let mut hash = Hash(log.trace);
        // A formatter that never fails.
        fmt::Write::write_fmt(&mut hash, format_args!("{elapsed} {line}\n")).ok();
        log.trace = hash.0;
        if let Some(lines) = &mut log.lines {
            lines.push(format!("{:>10.3} {line}", elapsed as f64 / 1e6));
        }
    }

    /// Counts that a state was reached.
    pub(super) fn reached(&self, state: &'static str) {
        self.log().tally.reached(state);
    }

    /// Checks an invariant: when it does not hold, the history ends.
    pub(super) fn check(&self, invariant: &'static str, holds: bool, found: impl FnOnce() -> String) {
        let mut log = self.log();
        log.tally.checked(invariant);
        if holds || log.violation.is_some() {
            return;
        }
        log.violation = Some(Violation { invariant, found: found() });
        drop(log);
        self.stopped.notify_one();
    }

    /// Returns what did not hold.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.log().violation.clone()
    }

    /// Returns the tally, the hash of all that happened, and the lines if they were kept.
    pub(super) fn report(&self) -> (Tally, u64, Vec<String>) {
        let log = self.log();
        (log.tally.clone(), log.trace, log.lines.clone().unwrap_or_default())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a, 64 bits.
struct Hash(u64);

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
