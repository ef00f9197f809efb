//! The dice of a history: one xorshift from the seed decides everything that is left to chance.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pipeline::engine::Chance;
use uuid::{Builder, Uuid};

/// The dice of a history.
#[derive(Debug)]
pub(super) struct Dice(Mutex<State>);

#[derive(Debug)]
struct State {
    word: u64,
    ids: u64,
}

impl Dice {
    /// Dice whose every throw follows from the seed.
    pub(super) fn new(seed: u64) -> Self {
        // SplitMix64, so that neighbouring seeds have nothing in common.
        let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(Mutex::new(State { word: (word ^ (word >> 31)) | 1, ids: 0 }))
    }

    /// Returns any number.
    pub(super) fn word(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    /// Returns a number below `bound`, which is not 0.
    pub(super) fn below(&self, bound: u64) -> u64 {
        (self.word() >> 11) % bound.max(1)
    }

    /// Returns a number of a range, both ends counted.
    pub(super) fn from(&self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// Is true so many times in a thousand.
    pub(super) fn permille(&self, times: u64) -> bool {
        times > 0 && self.below(1_000) < times
    }

    /// Returns a duration of a range, in milliseconds.
    pub(super) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.from(least, most))
    }

    /// Picks one of some.
    pub(super) fn pick<T: Copy>(&self, some: &[T], otherwise: T) -> T {
        some.get(self.below(some.len() as u64) as usize).copied().unwrap_or(otherwise)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        // xorshift64*, G. Marsaglia, "Xorshift RNGs" (2003), and S. Vigna (2016).
        self.word ^= self.word >> 12;
        self.word ^= self.word << 25;
        self.word ^= self.word >> 27;
        self.word.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

impl Chance for Dice {
    fn uuid(&self) -> Uuid {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.ids += 1;
        let mut random = [0; 10];
        let (low, high) = random.split_at_mut(8);
        low.copy_from_slice(&state.next().to_be_bytes());
        high.copy_from_slice(&(state.next() as u16).to_be_bytes());
        Builder::from_unix_timestamp_millis(1_790_000_000_000 + state.ids, &random).into_uuid()
    }
}
