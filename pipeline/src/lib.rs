//! An embeddable, durable engine for AI media and data jobs.
//!
//! This crate is the front door: it re-exports the engine, the stores and the local providers, and binds the local
//! providers under their usual names. The repository's README shows a first run, `examples/` programs of thirty lines.
//!
//! ```no_run
//! use pipeline::prelude::*;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = pipeline::local_engine()
//!     .store(SqliteStore::open("jobs.db").await?)
//!     .artifacts(Artifacts::directory("artifacts")?)
//!     .build()?;
//! let job = engine.submit(JobRequest::preset("factory").keywords(["a lighthouse at dusk"]).out("finished")).await?;
//! engine.run_until_idle().await?;
//! println!("{}", engine.job(job.id).await?.status);
//! # Ok(())
//! # }
//! ```

mod bind;

pub use bind::{bind, describe};
pub use pipeline_core as core;
pub use pipeline_engine as engine;
pub use pipeline_providers as providers;
pub use pipeline_store as store;

use pipeline_engine::{Engine, EngineBuilder};
use pipeline_providers::hooks::HookCouriers;
use pipeline_providers::local::cutout::Classical;
use pipeline_providers::local::image::LocalImageProcessor;
use pipeline_providers::local::measures::Measures;
use pipeline_providers::local::procedural::Procedural;
use pipeline_providers::local::template::TemplateText;
use pipeline_providers::pool::CpuPool;

/// What most programs need.
pub mod prelude {
    pub use pipeline_core::id::{EventSeq, ItemId, JobId};
    pub use pipeline_core::model::{Counts, ItemStatus, JobStatus, Money};
    pub use pipeline_core::{Error, ErrorKind};
    pub use pipeline_engine::{Engine, JobRequest, Preview, RunSummary};
    pub use pipeline_store::{Artifacts, MemoryStore, SqliteStore};
}

/// Starts an engine with every local provider bound under its own name: `procedural`, `measures`, `classical`, `image`,
/// `template`.
///
/// They share one pool of as many threads as the machine has cores. They are chosen by name in the settings, never
/// fallen back to. Its runs deliver what the hooks of the store are to be told.
pub fn local_engine() -> EngineBuilder {
    let pool = CpuPool::default();
    Engine::builder()
        .provider("procedural", Procedural::new(pool.clone()))
        .provider("measures", Measures::new(pool.clone()))
        .provider("classical", Classical::new(pool.clone()))
        .provider("image", LocalImageProcessor::new(pool))
        .provider("template", TemplateText::default())
        .hook_sender(HookCouriers::new())
}
