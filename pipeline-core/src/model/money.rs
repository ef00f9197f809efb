//! Amounts of money.

use std::fmt;
use std::ops::{Add, AddAssign, Mul};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

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

    /// The largest amount a person may give: a million dollars.
    pub const MOST: Self = Self(1_000_000_000_000);

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

impl FromStr for Money {
    type Err = Error;

    /// Reads an amount a person gives, for example `5.00` or `$0.0035`.
    ///
    /// # Errors
    /// `Invalid` for what is no number, not more than nothing, more than [`Money::MOST`], or finer than a millionth.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |message: &str| {
            Error::invalid(message)
                .with("amount", text)
                .with("accepted", "dollars from 0.000001 to 1000000, with at most 6 decimals, for example 5.00")
        };
        let plain = text.strip_prefix('$').unwrap_or(text);
        if plain.starts_with('-') {
            return Err(wrong("the amount is negative"));
        }
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && decimals.is_empty() || !digits(whole) || !digits(decimals) {
            return Err(wrong("the amount is not a number of dollars"));
        }
        if decimals.len() > 6 {
            return Err(wrong("the amount is finer than a millionth of a dollar"));
        }
        let micros = format!("{whole}{decimals:0<6}").parse::<i64>().ok().filter(|micros| *micros <= Self::MOST.0);
        match micros {
            None => Err(wrong("the amount is too large")),
            Some(0) => Err(wrong("the amount is nothing")),
            Some(micros) => Ok(Self(micros)),
        }
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
    fn an_amount_is_read_as_people_write_it_or_refused_with_the_reason() {
        for (text, micros) in [("5.00", 5_000_000), ("$0.0035", 3_500), (".5", 500_000), ("7.", 7_000_000)] {
            assert_eq!(text.parse::<Money>().unwrap().as_micros(), micros, "{text}");
        }
        for (text, why) in [
            ("-1", "negative"),
            ("0", "nothing"),
            ("0.00", "nothing"),
            ("NaN", "not a number"),
            ("1e3", "not a number"),
            ("1,50", "not a number"),
            ("", "not a number"),
            (".", "not a number"),
            ("0.0000001", "finer"),
            ("1000000.01", "too large"),
            ("99999999999999999999", "too large"),
        ] {
            let error = text.parse::<Money>().unwrap_err();
            assert!(error.message().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn shares_add_up_and_dollars_print_short() {
        let whole = Money::from_micros(10);
        let sum = (0..3).map(|index| whole.share(index, 3)).fold(Money::ZERO, Add::add);
        assert_eq!(sum, whole);
        assert_eq!(Money::from_micros(3_500).to_string(), "$0.0035");
        assert_eq!(Money::from_micros(2_000_000).to_string(), "$2.00");
    }
}
