//! The memory store itself.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pipeline_core::storage::{Store, StoreInfo};
use pipeline_core::time::{Clock, Timestamp};

use crate::SystemClock;

use super::state::State;

/// Keeps records as long as the process lives. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// Makes an empty store on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// Makes an empty store on another clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }

    pub(super) fn time(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs `work` with the whole state.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "memory".to_owned(),
            location: "memory".to_owned(),
            schema: 0,
            engine: format!("pipeline-store {}", env!("CARGO_PKG_VERSION")),
            durable: false,
        }
    }
}
