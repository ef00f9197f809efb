//! Records in one SQLite file.
//!
//! One connection writes, in `BEGIN IMMEDIATE` transactions that run in their own task: dropping a caller's future
//! gives up the wait, never half a transaction. Readers have their own connections and never wait for the writer.
//! Batches are statements over `json_each`, so the cost of a commit hardly depends on the number of statements.

mod admit;
mod append;
mod budgets;
mod bulk;
mod claim;
mod commit;
mod depth;
mod events;
mod fault;
mod fingerprints;
mod finish;
mod gates;
mod historian;
mod hooks;
mod items;
mod jobs;
mod ledger;
mod listing;
mod logs;
mod migrate;
mod mount;
mod open;
mod options;
mod pace;
#[cfg(test)]
mod plans;
mod presence;
mod queue;
mod rates;
mod registry;
mod removal;
mod reviews;
mod revisions;
mod rows;
mod saved;
mod schedules;
mod sessions;
mod snapshot;
mod spend;
mod steward;
mod store;
mod submit;

pub(crate) use snapshot::Snapshot;

pub use logs::SqliteLogs;
pub use options::{SqliteOptions, Synchronous};
pub use store::SqliteStore;
