//! The pure heart of the pipeline: words, definitions, settings, conditions, templates, the executor, and the ports.
//!
//! Nothing here does I/O, reads a clock, draws randomness or logs; time, chance and ids are arguments. A module uses
//! only those before it in this order: `id`, `time`, `error`, `model`, `settings`, `expression`, `template`, `pipeline`,
//! `executor`, `provider`, `storage`, `stage`, `stats`, `query`.

pub mod error;
pub mod executor;
pub mod expression;
pub mod id;
pub mod model;
pub mod pipeline;
pub mod provider;
pub mod query;
pub mod settings;
pub mod stage;
pub mod stats;
pub mod storage;
pub mod template;
pub mod time;

pub use error::{Error, ErrorKind, Result, Retryability};
