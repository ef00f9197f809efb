//! The pure executor: one item's walk through the stages of a plan.
//!
//! [`ItemMachine::step`] takes the machine, the plan, the facts, the time, a random draw and an event, and returns the
//! next machine and what to do. It reads no clock and no store; the driver adopts the next machine only once it is
//! committed. Every walk (first run, retry, approval) goes through it.

mod advance;
mod backoff;
mod decide;
mod event;
mod expand;
mod state;
mod status;
mod step;
mod transition;

pub use backoff::backoff;
pub use decide::RetryRefused;
pub use event::{Decision, Event, Outcome, Retry};
pub use state::{ItemMachine, MACHINE_FORMAT, Resume, StageState, Stop, Wait, Why};
pub use transition::{Effect, IllegalTransition, ItemEvent, NewChild, Transition};
