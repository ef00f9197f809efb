//! What the engine gives a running stage.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{Money, Step};
use pipeline_core::provider::Journal;
use pipeline_core::stage::{Answer, CallSpec, Providers, SendCall, StageContext};
use pipeline_core::storage::{ArtifactStore, FingerprintMark, NameRequest, TakeOver};
use pipeline_core::{Error, Result, Retryability};

use super::calls::Caller;
use super::shelf::Shelf;

/// How long a stage waits when the record store does not answer it.
const AWAY: Duration = Duration::from_secs(1);

/// What the engine gives a running stage.
#[derive(Debug)]
pub(crate) struct RunContext(pub(crate) Caller, Arc<dyn ArtifactStore>);

impl RunContext {
    pub(crate) fn new(caller: Caller) -> Self {
        let shelf = Shelf {
            artifacts: Arc::clone(&caller.shared.artifacts),
            patience: caller.shared.tuning.patience,
            calling: caller.calling.clone(),
            storing: caller.storing.clone(),
            journal: caller.journal.clone(),
        };
        Self(caller, Arc::new(shelf))
    }
}

/// A record store that is away or full is no try of the stage.
fn later(error: Error) -> Error {
    if error.retryability() == Retryability::Transient {
        return error.retry(Retryability::Throttled { after: Some(AWAY) });
    }
    error
}

#[async_trait]
impl StageContext for RunContext {
    fn job(&self) -> JobId {
        self.0.job
    }

    fn stage(&self) -> &StageName {
        &self.0.stage
    }

    fn artifacts(&self) -> &Arc<dyn ArtifactStore> {
        &self.1
    }

    fn providers(&self) -> &dyn Providers {
        &self.0.shared.bindings
    }

    fn journal(&self) -> &Journal {
        &self.0.journal
    }

    async fn call(&self, spec: CallSpec, send: SendCall) -> Result<(Answer, Money)> {
        self.0.call(spec, send).await
    }

    async fn reserve_name(
        &self,
        item: ItemId,
        scope: &str,
        name: &str,
        take_over: TakeOver,
        only_if_mine: bool,
    ) -> Result<bool> {
        // Two stages of one item are two publishers.
        let scope = format!("{scope}\n{}", self.0.stage);
        let (name, job) = (name.to_owned(), self.0.job);
        let request = NameRequest { scope, name, job, item, take_over, only_if_mine };
        let reserved = async { self.0.shared.store.reserve_name(request).await.map_err(later) };
        self.0.journal.step(Step::Name, "asked for a file name", reserved).await
    }

    async fn mark_fingerprint(&self, item: ItemId, fingerprint: u64, max_distance: u32) -> Result<Option<ItemId>> {
        let (scope, job) = (self.0.stage.to_string(), self.0.job);
        let mark = FingerprintMark { job, scope, item, fingerprint, max_distance };
        let marked = async { self.0.shared.store.mark_fingerprint(mark).await.map_err(later) };
        self.0.journal.step(Step::Compare, "compared with the pictures of the job", marked).await
    }

    async fn item_name(&self, item: ItemId) -> Result<String> {
        self.0.shared.store.item(item).await.map(|item| item.name).map_err(later)
    }
}
