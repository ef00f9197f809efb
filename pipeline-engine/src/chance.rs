//! Where the engine's ids and its random draws come from.

use std::fmt;

use uuid::Uuid;

/// Gives ids and random numbers. A simulation gives its own, so that the same seed gives the same history.
pub trait Chance: fmt::Debug + Send + Sync + 'static {
    /// Returns a UUID nobody else has: sorted by time where that is wanted, with at least 62 random bits in its low half.
    fn uuid(&self) -> Uuid;
}

/// The system's randomness: UUIDs of version 7.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}
