//! An embeddable, durable engine for AI media and data jobs.
//!
//! This crate is the front door: it re-exports the engine, the stores and the local providers. See the repository's
//! README for a first run and `examples/` for programs of thirty lines.

pub use pipeline_core as core;
pub use pipeline_engine as engine;
pub use pipeline_providers as providers;
pub use pipeline_store as store;

/// What most programs need.
pub mod prelude {
    pub use pipeline_core::id::{EventSeq, ItemId, JobId};
    pub use pipeline_core::model::{Counts, ItemStatus, JobStatus, Money};
    pub use pipeline_core::{Error, ErrorKind, Result};
    pub use pipeline_engine::{Engine, JobRequest, Preview, RunSummary};
}
