//! What the engine gives a running stage.

use std::sync::Arc;

use async_trait::async_trait;

use pipeline_core::Result;
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::Money;
use pipeline_core::stage::{Answer, CallSpec, Providers, SendCall, StageContext};
use pipeline_core::storage::{ArtifactStore, FingerprintMark, NameRequest};

use super::calls::Caller;

/// What the engine gives a running stage.
#[derive(Debug)]
pub(crate) struct RunContext(pub(crate) Caller);

#[async_trait]
impl StageContext for RunContext {
    fn job(&self) -> JobId {
        self.0.job
    }

    fn stage(&self) -> &StageName {
        &self.0.stage
    }

    fn artifacts(&self) -> &Arc<dyn ArtifactStore> {
        &self.0.shared.artifacts
    }

    fn providers(&self) -> &dyn Providers {
        &self.0.shared.bindings
    }

    async fn call(&self, spec: CallSpec, send: SendCall) -> Result<(Answer, Money)> {
        self.0.call(spec, send).await
    }

    async fn reserve_name(
        &self,
        item: ItemId,
        scope: &str,
        name: &str,
        take_over: bool,
        only_if_mine: bool,
    ) -> Result<bool> {
        let (scope, name, job) = (scope.to_owned(), name.to_owned(), self.0.job);
        self.0.shared.store.reserve_name(NameRequest { scope, name, job, item, take_over, only_if_mine }).await
    }

    async fn mark_fingerprint(&self, item: ItemId, fingerprint: u64, max_distance: u32) -> Result<Option<ItemId>> {
        let (scope, job) = (self.0.stage.to_string(), self.0.job);
        self.0.shared.store.mark_fingerprint(FingerprintMark { job, scope, item, fingerprint, max_distance }).await
    }
}
