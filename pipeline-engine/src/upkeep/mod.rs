//! Looking after a store: how much it keeps, whether that is right, and what nobody needs any more.
//!
//! Nothing here grows with the store in memory: records are read in pages, artifacts by their first byte.

mod gc;
mod logs;
mod prune;
mod stats;
mod verify;

use std::fmt;
use std::sync::Arc;

use pipeline_core::storage::{ArtifactStore, LogKeeper, Store};
use pipeline_core::time::Clock;

pub use gc::{GcOptions, GcReport, LEAST_GRACE};
pub use prune::{PruneOptions, PruneReport};
pub use stats::{ArtifactStats, StoreStats};
pub use verify::{VerifyOptions, VerifyReport};

/// So many records are asked for at once.
const PAGE: u32 = 1_000;

/// Looks after a record store and its artifacts. Cheap to clone.
#[derive(Clone)]
pub struct Upkeep {
    store: Arc<dyn Store>,
    artifacts: Arc<dyn ArtifactStore>,
    clock: Arc<dyn Clock>,
    logs: Option<Arc<dyn LogKeeper>>,
}

impl Upkeep {
    /// Looks after a store and the artifacts its records name. The clock tells how old artifacts are.
    pub fn new(store: Arc<dyn Store>, artifacts: Arc<dyn ArtifactStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, artifacts, clock, logs: None }
    }

    /// Looks after the logs of jobs as well.
    pub fn logs(mut self, logs: Arc<dyn LogKeeper>) -> Self {
        self.logs = Some(logs);
        self
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upkeep").field("store", &self.store).field("artifacts", &self.artifacts).finish_non_exhaustive()
    }
}
