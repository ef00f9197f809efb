//! The conformance suites of the storage ports: one test for each numbered clause of each contract.
//!
//! A backend passes a suite by one line in `tests/stores.rs`: [`store_conformance!`](crate::store_conformance),
//! [`artifact_conformance!`](crate::artifact_conformance) or [`log_conformance!`](crate::log_conformance) with an expression that makes a fresh store. `tests/broken/`
//! breaks each clause in a wrapper around the memory store, and sees its test fail.

mod artifact_store;
mod budget_keeper;
mod call_ledger;
mod event_log;
pub mod fixture;
mod gate_keeper;
mod historian;
mod hook_keeper;
mod item_store;
mod job_control;
mod job_lists;
mod job_store;
mod log_keeper;
pub mod old;
mod queue_claims;
mod queue_commits;
mod queue_sessions;
mod queue_status;
mod queue_turns;
mod registry;
mod review_desk;
mod schedule_keeper;
mod steward;
mod suite;
mod template_keeper;

pub use artifact_store::*;
pub use budget_keeper::*;
pub use call_ledger::*;
pub use event_log::*;
pub use gate_keeper::*;
pub use historian::*;
pub use hook_keeper::*;
pub use item_store::*;
pub use job_control::*;
pub use job_lists::*;
pub use job_store::*;
pub use log_keeper::*;
pub use queue_claims::*;
pub use queue_commits::*;
pub use queue_sessions::*;
pub use queue_status::*;
pub use queue_turns::*;
pub use registry::*;
pub use review_desk::*;
pub use schedule_keeper::*;
pub use steward::*;
pub use suite::{ARTIFACT_CLAUSES, Clause, LOG_CLAUSES, STORE_CLAUSES};
pub use template_keeper::*;
