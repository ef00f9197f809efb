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

pub use pipeline_core as core;
pub use pipeline_engine as engine;
pub use pipeline_providers as providers;
pub use pipeline_store as store;

use pipeline_core::settings::{Problem, Problems};
use pipeline_engine::{Engine, EngineBuilder};
use pipeline_providers::config::{ProviderConfig, ProvidersConfig};
use pipeline_providers::hooks::HookCouriers;
use pipeline_providers::http::{HttpConfig, HttpProvider};
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

/// Starts an engine with every local provider bound under its own name: `procedural`, `measures`, `image`, `template`.
///
/// They share one pool of as many threads as the machine has cores. They are chosen by name in the settings, never
/// fallen back to. Its runs deliver what the hooks of the store are to be told.
pub fn local_engine() -> EngineBuilder {
    let pool = CpuPool::default();
    Engine::builder()
        .provider("procedural", Procedural::new(pool.clone()))
        .provider("measures", Measures::new(pool.clone()))
        .provider("image", LocalImageProcessor::new(pool))
        .provider("template", TemplateText::default())
        .hook_sender(HookCouriers::new())
}

/// The names [`local_engine`] binds.
const LOCAL: [&str; 4] = ["procedural", "measures", "image", "template"];

/// Binds the providers of a configuration file, each under the name of its section. Reads their keys.
///
/// # Errors
/// [`Problems`]: every section that cannot be bound, and why: a name that is a local provider's, a wrong value, a key
/// that is not where the reference says.
pub fn bind(builder: EngineBuilder, config: &ProvidersConfig) -> Result<EngineBuilder, Problems> {
    bind_with(builder, config, HttpProvider::from_config)
}

/// Binds them without their keys: for a program that submits jobs and leaves the work to others. Every call is refused.
///
/// # Errors
/// As [`bind`], but for the keys.
pub fn describe(builder: EngineBuilder, config: &ProvidersConfig) -> Result<EngineBuilder, Problems> {
    bind_with(builder, config, HttpProvider::describe)
}

fn bind_with(
    mut builder: EngineBuilder,
    config: &ProvidersConfig,
    http: fn(&str, HttpConfig) -> pipeline_core::Result<HttpProvider>,
) -> Result<EngineBuilder, Problems> {
    let mut problems = Vec::new();
    for (name, config) in &config.providers {
        let wrong = |message: String| Problem::new(format!("providers.{name}"), message);
        if LOCAL.contains(&name.as_str()) {
            problems.push(wrong("a local provider has this name".to_owned()).hint("choose another one"));
            continue;
        }
        let bound = match config {
            ProviderConfig::Http(config) => http(name, config.clone()),
            _ => Err(pipeline_core::Error::invalid("this version knows no vendor of this kind")),
        };
        match bound {
            Ok(provider) => builder = builder.provider(name, provider),
            Err(error) => problems.push(wrong(pipeline_core::error::chain(&error))),
        }
    }
    if problems.is_empty() { Ok(builder) } else { Err(Problems(problems)) }
}
