//! What goes wrong in a history, and when: by chance, or by a script.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::dice::Dice;

/// What goes wrong at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation does not happen, or happens and its answer is lost.
    Error,
    /// The process ends here.
    Crash,
    /// The process stands still.
    Sleep(Duration),
    /// The operation takes longer.
    Delay(Duration),
    /// The store does not answer this process for a while.
    Outage(Duration),
}

/// How often what goes wrong, in a thousand steps. Drawn for each history, so that some have much of one and nothing of
/// another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    /// Operations that fail or whose answers are lost.
    pub(super) error: u64,
    /// Ends of a process.
    pub(super) crash: u64,
    /// Pauses of a process, most of them longer than its lease.
    pub(super) sleep: u64,
    /// Slow operations.
    pub(super) delay: u64,
    /// Outages of the store.
    pub(super) outage: u64,
}

impl Rates {
    /// Draws rates.
    pub(super) fn draw(dice: &Dice) -> Self {
        if dice.permille(60) {
            return Self::default();
        }
        Self {
            error: dice.pick(&[0, 0, 10, 40], 0),
            crash: dice.pick(&[0, 3, 8, 20], 0),
            sleep: dice.pick(&[0, 2, 6, 12], 0),
            delay: dice.pick(&[0, 20, 100], 0),
            outage: dice.pick(&[0, 0, 3], 0),
        }
    }
}

/// What decides that something goes wrong.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// Chance.
    Rates(Rates),
    /// A script: faults by the number of the step.
    Script(Vec<(u64, Fault)>),
}

/// The faults of a history.
#[derive(Debug)]
pub(super) struct Faults {
    cause: Cause,
    lease: Duration,
    steps: AtomicU64,
    crashes: AtomicU64,
    calm: AtomicBool,
}

impl Faults {
    /// Faults of a cause, in a history with such a lease.
    pub(super) fn new(cause: Cause, lease: Duration) -> Self {
        Self { cause, lease, steps: AtomicU64::new(0), crashes: AtomicU64::new(0), calm: AtomicBool::new(false) }
    }

    /// Lets nothing go wrong from now on.
    pub(super) fn end(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// Tells whether nothing goes wrong any more.
    pub(super) fn have_ended(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Returns how many steps there were.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Takes one step, and says what goes wrong at it.
    pub(super) fn strike(&self, dice: &Dice) -> Option<Fault> {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        let rates = match &self.cause {
            Cause::Script(script) => return script.iter().find(|(at, _)| *at == step).map(|(_, fault)| *fault),
            Cause::Rates(_) if self.have_ended() => return None,
            Cause::Rates(rates) => rates,
        };
        let mut throw = dice.below(1_000);
        let mut hits = |rate: u64| {
            let hit = throw < rate;
            throw = throw.saturating_sub(rate);
            hit
        };
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        if hits(rates.error) {
            Some(Fault::Error)
        } else if hits(rates.crash) && self.crashes.load(Ordering::SeqCst) < 12 {
            self.crashes.fetch_add(1, Ordering::SeqCst);
            Some(Fault::Crash)
        } else if hits(rates.sleep) {
            Some(Fault::Sleep(dice.millis(lease / 2, lease * 4)))
        } else if hits(rates.delay) {
            Some(Fault::Delay(dice.millis(1, 800)))
        } else if hits(rates.outage) {
            Some(Fault::Outage(dice.millis(100, 8_000)))
        } else {
            None
        }
    }
}
