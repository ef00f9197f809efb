//! Records in a PostgreSQL database, shared by any number of processes.
//!
//! Times are the database's. Every transaction runs in its own task, so dropping a caller's future gives up the wait,
//! never half a transaction, and is tried again when it lost against another one (serialisation failure, deadlock).
//! Batches are statements over `unnest`, so that the number of round trips does not grow with them.
//!
//! Locks are taken in one order: the pause of everything, sessions, what was asked of jobs, held items, calls, gates, budgets, jobs,
//! free items, turns; those of a kind by id. A claim passes by what others have locked, waits only for the mates of a unit
//! it has, and never touches the row of a job.
//!
//! What must hold over all processes (limits of gates and jobs, turns, a pause that was acknowledged) is guarded by the
//! advisory locks in `locks`. Where nothing is limited, nobody waits for anybody.

mod admit;
mod append;
mod bell;
mod budgets;
mod claim;
mod commit;
mod depth;
mod events;
mod fault;
mod fingerprints;
mod finish;
mod gates;
mod heart;
mod historian;
mod hooks;
mod items;
mod jobs;
mod ledger;
mod listing;
mod location;
mod locks;
mod logs;
mod migrate;
mod open;
mod options;
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
mod spend;
mod steward;
mod store;
mod submit;

pub use options::PostgresOptions;
pub use store::PostgresStore;
