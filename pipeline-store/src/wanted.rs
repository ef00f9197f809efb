//! Why a budget is closed, as the two databases store it.

use pipeline_core::model::Money;
use pipeline_core::storage::Closed;

/// Returns the number that stands for it: what was wanted, or -1 where nobody knows that.
pub(crate) const fn stored(closed: Closed) -> i64 {
    match closed {
        Closed::Wants(wanted) => wanted.as_micros(),
        Closed::Unpriced => -1,
    }
}

/// Reads it back.
pub(crate) const fn read(stored: i64) -> Closed {
    if stored < 0 { Closed::Unpriced } else { Closed::Wants(Money::from_micros(stored)) }
}
