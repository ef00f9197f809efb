//! The tally of a run: how often each invariant was checked and each rare state was reached.

use std::collections::BTreeMap;
use std::fmt;

/// Rare states a run of many histories must have reached; else the simulation does not look where it should.
pub const RARE: &[&str] = &[
    "abandoned job with held items",
    "attempts used up",
    "call of several items",
    "call opened again",
    "clock jumped",
    "commit superseded",
    "crash",
    "crash inside a paid call",
    "crash loop",
    "delivered fewer than asked",
    "earlier call awaited",
    "error of the store",
    "gate closed by the vendor",
    "failure of an earlier sending",
    "gate closed by the breaker",
    "held for a person",
    "intent refused: cancelled",
    "intent refused: gate",
    "intent refused: paused",
    "item filtered",
    "item rejected",
    "item undecided",
    "late settle recorded",
    "lease lost",
    "lost claim given back",
    "lost answer of attach",
    "lost answer of claim",
    "lost answer of commit",
    "lost answer of settle",
    "lost answer of submit",
    "order repeated under its key",
    "run given up",
    "task resumed",
    "unknown outcome learnt later",
    "vendor lost the answer of a charged order",
];

/// The tally of one history or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each invariant was checked.
    pub checks: BTreeMap<&'static str, u64>,
    /// How often each state was reached.
    pub states: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts a check of an invariant.
    pub fn checked(&mut self, invariant: &'static str) {
        *self.checks.entry(invariant).or_default() += 1;
    }

    /// Counts that a state was reached.
    pub fn reached(&mut self, state: &'static str) {
        *self.states.entry(state).or_default() += 1;
    }

    /// Takes another tally in.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.checks {
            *self.checks.entry(name).or_default() += count;
        }
        for (name, count) in &other.states {
            *self.states.entry(name).or_default() += count;
        }
    }

    /// Returns the rare states that were never reached.
    pub fn missed(&self) -> Vec<&'static str> {
        RARE.iter().filter(|state| !self.states.contains_key(*state)).copied().collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "invariants, checked so many times:")?;
        for (name, count) in &self.checks {
            writeln!(f, "  {count:>12}  {name}")?;
        }
        writeln!(f, "states, reached so many times:")?;
        for (name, count) in &self.states {
            writeln!(f, "  {count:>12}  {name}")?;
        }
        Ok(())
    }
}
