//! Amounts of money.

use std::fmt;
use std::ops::{Add, AddAssign, Mul};

use serde::{Deserialize, Serialize};

/// An amount in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Wraps millionths of a dollar.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns millionths of a dollar.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the part of item `index` when the amount is split over `count` items; the parts add up exactly.
    pub fn share(self, index: usize, count: usize) -> Self {
        let count = i64::try_from(count.max(1)).unwrap_or(i64::MAX);
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        Self(self.0 / count + i64::from(index < self.0 % count))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<u64> for Money {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(i64::try_from(times).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Money {
    /// Prints dollars with at least two and at most six decimals, for example `$0.0035`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let mut decimals = format!("{:06}", micros % 1_000_000);
        while decimals.len() > 2 && decimals.ends_with('0') {
            decimals.pop();
        }
        f.pad(&format!("{sign}${}.{decimals}", micros / 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_dollars_print_short() {
        let whole = Money::from_micros(10);
        let sum = (0..3).map(|index| whole.share(index, 3)).fold(Money::ZERO, Add::add);
        assert_eq!(sum, whole);
        assert_eq!(Money::from_micros(3_500).to_string(), "$0.0035");
        assert_eq!(Money::from_micros(2_000_000).to_string(), "$2.00");
    }
}
