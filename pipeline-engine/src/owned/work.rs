//! What workers do, whoever they work for.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{
    ClaimRequest, Claims, Commit, CommitReply, FingerprintMark, Heartbeat, NameRequest, NewSession, QueueStatus,
    Registry, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::store::Owned;

#[async_trait]
impl WorkQueue for Owned {
    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.store.open_session(session).await
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        self.store.close_session(session).await
    }

    /// Those that work on the owner's jobs alone, and those that work on everybody's.
    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        if let Some(job) = job {
            return if self.owns(job).await? { self.store.sessions(Some(job)).await } else { Ok(Vec::new()) };
        }
        let mut seen = Vec::new();
        for session in self.store.sessions(None).await? {
            let others = match session.focus {
                Some(job) => !self.owns(job).await?,
                None => false,
            };
            seen.extend((!others).then_some(session));
        }
        Ok(seen)
    }

    /// Of one job: work on everybody's jobs is not done for one owner.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        match request.job {
            Some(job) => {
                self.own(job).await?;
                self.store.claim(request).await
            }
            None => self.operator("work on every job"),
        }
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        self.store.keep_only(session, items).await
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        self.store.commit(session, commits).await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        self.store.heartbeat(session, lease).await
    }

    async fn pause_all(&self, _: bool) -> Result<()> {
        self.operator("pausing all work")
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        self.operator("the queue of all jobs")
    }
}

#[async_trait]
impl Registry for Owned {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        self.store.reserve_name(request).await
    }

    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>> {
        self.store.mark_fingerprint(mark).await
    }
}
