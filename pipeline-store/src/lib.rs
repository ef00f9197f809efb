//! Where records and files are kept: implementations of the ports in [`pipeline_core::storage`].
//!
//! [`SqliteStore`] keeps records in one file and survives any crash; [`PostgresStore`] keeps them in a database that many
//! machines share; [`MemoryStore`] keeps them as long as the process lives. [`Artifacts`] keeps files, in a folder, in a bucket
//! of S3 or in memory. All of them pass the same conformance suite.

mod artifacts;
pub mod backup;
mod clock;
mod logs;
mod memory;
mod migration;
mod postgres;
mod purse;
mod sqlite;
mod wanted;

pub use artifacts::{Artifacts, S3Credentials, S3Options};
pub use clock::SystemClock;
pub use memory::{MemoryLogs, MemoryStore};
pub use migration::SchemaState;
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteLogs, SqliteOptions, SqliteStore, Synchronous};
