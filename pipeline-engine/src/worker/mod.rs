//! What runs inside a process: the session, the loop that claims, the walks of the items, the one committer.

mod calls;
mod committer;
mod context;
mod group;
pub(crate) mod inputs;
mod job;
mod outcome;
mod reuse;
mod run;
mod session;
mod shared;
mod shelf;
mod signal;
mod walk;

pub(crate) use job::JobContext;
pub(crate) use run::{RunEnd, RunOptions, Stop, run};
pub(crate) use shared::{Shared, Tuning};
pub(crate) use signal::{Listener, Signal};
