//! The broken queue; what is broken is beside: sessions, claims, commits, rates.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{
    ClaimRequest, Claims, Commit, CommitReply, Heartbeat, NewSession, QueueStatus, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::store::Broken;

#[async_trait]
impl WorkQueue for Broken {
    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.open(session).await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        self.beat(session, lease).await
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        self.close(session).await
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        self.keep(session, items).await
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.alive(job).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        self.hand_out(request).await
    }

    async fn pause_all(&self, paused: bool) -> Result<()> {
        self.store.pause_all(paused).await
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        self.status().await
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        self.write(session, commits).await
    }
}
