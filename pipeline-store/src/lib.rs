//! Where records and files are kept: implementations of the ports in [`pipeline_core::storage`].
//!
//! [`SqliteStore`] keeps records in one file and survives any crash; [`PostgresStore`] keeps them in a database that many
//! machines share; [`MemoryStore`] keeps them as long as the process lives. [`Artifacts`] keeps files, in a folder or in memory. All of them pass the same conformance suite.

mod artifacts;
mod clock;
mod memory;
mod postgres;
mod sqlite;

pub use artifacts::Artifacts;
pub use clock::SystemClock;
pub use memory::MemoryStore;
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};
