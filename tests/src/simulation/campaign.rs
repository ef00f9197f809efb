//! A campaign: many histories, on every core.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::history::{Options, Outcome, simulate};
use super::tally::Tally;

/// Which histories to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The seed of the first; the others follow it.
    pub seed: u64,
    /// How many.
    pub histories: u64,
    /// How they are made.
    pub options: Options,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many histories were run.
    pub histories: u64,
    /// Their seeds: from this one on.
    pub seed: u64,
    /// How many of them were run twice, to see that they were the same.
    pub repeated: u64,
    /// What was checked and reached.
    pub tally: Tally,
    /// Those in which an invariant did not hold; the first few.
    pub failed: Vec<Outcome>,
    /// How long it took.
    pub took: Duration,
}

/// So many failed histories are enough.
const ENOUGH: usize = 5;

impl Campaign {
    /// Runs all histories, or until a few have failed.
    pub fn run(&self) -> Report {
        let begun = Instant::now();
        let (next, repeated) = (AtomicU64::new(0), AtomicU64::new(0));
        let found: Mutex<(Tally, Vec<Outcome>)> = Mutex::default();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut tally = Tally::default();
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let enough = found.lock().unwrap_or_else(PoisonError::into_inner).1.len() >= ENOUGH;
                        if number >= self.histories || enough {
                            break;
                        }
                        let mut outcome = simulate(self.seed.wrapping_add(number), &self.options);
                        tally.add(&outcome.tally);
                        if number.is_multiple_of(100) {
                            repeated.fetch_add(1, Ordering::SeqCst);
                            self.repeat(&mut outcome, &mut tally);
                        }
                        if outcome.violation.is_some() {
                            found.lock().unwrap_or_else(PoisonError::into_inner).1.push(outcome);
                        }
                    }
                    found.lock().unwrap_or_else(PoisonError::into_inner).0.add(&tally);
                });
            }
        });
        let (tally, mut failed) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.sort_by_key(|outcome| outcome.seed);
        let histories = next.into_inner().min(self.histories);
        Report { histories, seed: self.seed, repeated: repeated.into_inner(), tally, failed, took: begun.elapsed() }
    }

    /// Runs a history again: it must be the same.
    fn repeat(&self, outcome: &mut Outcome, tally: &mut Tally) {
        const E3: &str = "E3 the same seed gives the same history";
        tally.checked(E3);
        let again = simulate(outcome.seed, &self.options);
        if again.trace != outcome.trace && outcome.violation.is_none() {
            let found = format!("{:016x} and then {:016x}", outcome.trace, again.trace);
            outcome.violation = Some(super::world::Violation { invariant: E3, found });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let rate = self.histories as f64 / seconds.max(1e-9);
        let last = self.seed.wrapping_add(self.histories.saturating_sub(1));
        writeln!(
            f,
            "{} histories, seeds {} to {last}, {} of them run twice: {seconds:.1} s, {rate:.0} a second",
            self.histories, self.seed, self.repeated
        )?;
        write!(f, "{}", self.tally)?;
        let missed = self.tally.missed();
        if !missed.is_empty() {
            writeln!(f, "never reached: {}", missed.join(", "))?;
        }
        writeln!(f, "{} failed", self.failed.len())?;
        for outcome in &self.failed {
            writeln!(f, "  {outcome}")?;
            writeln!(
                f,
                "  replay: cargo run --release -p pipeline-testkit --bin simulate -- --seed {} --histories 1 --tell",
                outcome.seed
            )?;
        }
        Ok(())
    }
}
