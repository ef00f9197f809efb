//! Pure statistics over recorded state: how far a job is, and how long it may still take.

mod eta;
mod progress;
mod tally;

pub use eta::{EtaRange, StageRemaining, eta};
pub use progress::progress;
pub use tally::Tally;
