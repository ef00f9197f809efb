//! Ten thousand simulated histories, every seed that has ever failed, and every planted bug.
#![expect(clippy::print_stdout, reason = "a campaign says what it did")]

mod campaign;
mod planted;
mod single;
