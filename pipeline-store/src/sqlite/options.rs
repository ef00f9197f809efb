//! How a SQLite file is opened.

use std::sync::Arc;
use std::time::Duration;

use pipeline_core::time::Clock;

use crate::SystemClock;

/// How long a commit waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// An acknowledged commit survives a power failure.
    #[default]
    Full,
    /// An acknowledged commit survives the end of the process; a power failure may take the last ones.
    Normal,
}

/// How a SQLite file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How long a commit waits for the disk.
    pub synchronous: Synchronous,
    /// How many connections read, from 1.
    pub readers: u32,
    /// How long to wait for another process that writes.
    pub busy_timeout: Duration,
    /// Decides what is due and what is expired; all processes of one file must agree on the time.
    pub clock: Arc<dyn Clock>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            readers: 4,
            busy_timeout: Duration::from_secs(10),
            clock: Arc::new(SystemClock),
        }
    }
}
