//! What concerns all owners: gates, and looking after the store.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::JobId;
use pipeline_core::storage::{
    Audit, Breach, Census, GateKeeper, GateKey, GateRecord, Holder, JobRecord, Mention, Steward,
};
use uuid::Uuid;

use super::store::Owned;

#[async_trait]
impl GateKeeper for Owned {
    async fn close_gate(&self, _: GateKey, _: Duration, _: &str) -> Result<()> {
        self.operator("closing a gate")
    }

    async fn open_gate(&self, _: GateKey) -> Result<()> {
        self.operator("opening a gate")
    }

    /// Everybody's: they say why one's own items wait.
    async fn gates(&self) -> Result<Vec<GateRecord>> {
        self.store.gates().await
    }
}

#[async_trait]
impl Steward for Owned {
    async fn census(&self) -> Result<Census> {
        self.operator("counting records")
    }

    async fn mentions(&self, _: Holder, _: Option<Uuid>, _: u32) -> Result<Vec<Mention>> {
        self.operator("reading records")
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        self.store.audit(self.own(job).await?).await
    }

    async fn strays(&self) -> Result<Vec<Breach>> {
        self.operator("looking for strays")
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        self.store.rename(self.own(job).await?, label).await
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        self.store.delete(self.own(job).await?).await
    }

    async fn sweep(&self, _: u32) -> Result<u64> {
        self.operator("sweeping")
    }
}
