//! A simulation of engines, store, vendor and people under one seed: what happens follows from the seed alone, time is
//! nobody's but the history's, and the invariants are checked on every write.
//!
//! [`simulate`] runs one history, a [`Campaign`] many. Another store is put under test with [`Options::store`].
//!
//! The invariants have the numbers of the project's reliability notes: S for what must hold at every step, L for what
//! must come in the end, E for what must hold in the end.

mod audited;
mod auditor;
mod campaign;
mod clock;
mod dice;
mod faults;
mod history;
mod planted;
mod process;
mod scenario;
mod stages;
mod tally;
mod till;
mod world;

pub use campaign::{Campaign, Report};
pub use faults::Fault;
pub use history::{OpenStore, Options, Outcome, simulate};
pub use planted::Planted;
pub use tally::{RARE, Tally};
pub use world::Violation;
