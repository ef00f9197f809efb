//! How a PostgreSQL database is used.

use std::sync::Arc;
use std::time::Duration;

use pipeline_core::time::Clock;

/// How a PostgreSQL database is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// How many connections at most, from 1; heartbeats have one more.
    pub connections: u32,
    /// How long to wait for a free connection, or for a server that is not there.
    pub acquire_timeout: Duration,
    /// The schema of the tables: a lower-case letter, then letters, digits or `_`. Made when it is missing.
    pub schema: String,
    /// Replaces the database's clock. For tests: all stores on one database must agree on the time.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(10), schema: "pipeline".to_owned(), clock: None }
    }
}
