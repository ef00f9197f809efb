//! The asynchronous driver: claims items, runs their stages, commits what the pure executor decides.
//!
//! No rule about a job's meaning lives here: what an event does to an item is [`pipeline_core::executor`]'s.

#![warn(clippy::indexing_slicing)]

mod bindings;
mod builder;
mod chance;
mod clock;
mod definition;
mod engine;
mod metrics;
mod preview;
mod request;
mod rerun;
mod review;
mod scribe;
mod spend;
mod submit;
mod watch;

pub mod presets;
pub mod stages;
pub mod upkeep;
mod worker;

pub use bindings::{IntoBinding, ProviderEntry};
pub use builder::{BuildError, EngineBuilder};
pub use chance::{Chance, SystemChance};
pub use clock::SystemClock;
pub use engine::{Engine, RunSummary};
pub use metrics::MetricsSnapshot;
pub use preview::{Preview, StagePreview};
pub use request::{JobRequest, PipelineSource};
pub use rerun::{RerunRequest, RerunSettings};
pub use review::{RetryRequest, Reviewed, Wish};
pub use spend::{Spend, SpendBy, SpendQuery};
pub use submit::SubmitError;
pub use upkeep::Upkeep;
pub use watch::Watch;
