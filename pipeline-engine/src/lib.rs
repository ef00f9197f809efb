//! The asynchronous driver: claims items, runs their stages, commits what the pure executor decides.
//!
//! No rule about a job's meaning lives here: what an event does to an item is [`pipeline_core::executor`]'s.

#![warn(clippy::indexing_slicing)]

mod bindings;
mod builder;
mod chance;
mod clock;
mod cron;
mod definition;
mod delivery;
mod engine;
mod estimate;
mod hooks;
mod metrics;
mod owned;
mod preview;
mod profile;
mod request;
mod rerun;
mod review;
mod saved;
mod scribe;
mod select;
mod spend;
mod submit;
mod thumbnails;
mod timekeeper;
mod watch;

pub mod bundle;
pub mod presets;
pub mod stages;
pub mod story;
pub mod upkeep;
mod worker;

pub use bindings::{IntoBinding, ProviderEntry};
pub use builder::{BuildError, EngineBuilder};
pub use bundle::{Bundle, BundleRequest};
pub use chance::{Chance, SystemChance};
pub use clock::SystemClock;
pub use cron::{Cron, local_timezone};
pub use delivery::DeliveryRound;
pub use engine::{Engine, RunSummary};
pub use metrics::MetricsSnapshot;
pub use pipeline_core::storage::{Spend, SpendBy, SpendQuery};
pub use preview::{Preview, StagePreview};
pub use profile::{FailureCount, JobStages, StageProfile};
pub use request::{JobRequest, PipelineSource};
pub use rerun::{RerunRequest, RerunSettings};
pub use review::{RetryRequest, Reviewed, Wish};
pub use select::Selected;
pub use story::ItemStory;
pub use submit::SubmitError;
pub use thumbnails::Thumbnails;
pub use timekeeper::Recurrence;
pub use upkeep::Upkeep;
pub use watch::Watch;
