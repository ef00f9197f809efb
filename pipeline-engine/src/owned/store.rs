//! The store of one owner.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{Store, StoreInfo};

/// A store to which the jobs of other owners are not there: what is asked of them is as of jobs that do not exist. What concerns
/// all owners (pausing all work, gates, looking after the store) is `Unauthorized`.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(super) store: Arc<dyn Store>,
    pub(super) owner: String,
    /// Whose jobs and items are; that never changes.
    pub(super) known: Arc<Mutex<Known>>,
}

/// What is known of jobs and items that were asked for.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) jobs: BTreeMap<JobId, bool>,
    pub(super) items: BTreeMap<ItemId, JobId>,
}

impl Owned {
    /// Shows a store as it is for one owner.
    pub(crate) fn new(store: Arc<dyn Store>, owner: impl Into<String>) -> Self {
        Self { store, owner: owner.into(), known: Arc::default() }
    }
}

impl Store for Owned {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}
