//! Records in memory, for tests and for runs that need not survive their process.
//!
//! The same contract as the other stores, without durability: one lock around plain maps.

mod budgets;
mod commit;
mod gates;
mod historian;
mod hooks;
mod items;
mod jobs;
mod ledger;
mod logs;
mod queue;
mod rates;
mod registry;
mod removal;
mod reviews;
mod saved;
mod schedules;
mod state;
mod steward;
mod store;

pub use logs::MemoryLogs;
pub use store::MemoryStore;
