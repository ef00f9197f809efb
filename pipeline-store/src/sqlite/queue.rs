//! The queue's port, put together from sessions, claims and commits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{
    ClaimRequest, Claims, Commit, CommitReply, Heartbeat, NewSession, QueueStatus, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::claim::Answer;
use super::store::SqliteStore;
use super::{claim, commit, depth, gates, sessions};

#[async_trait]
impl WorkQueue for SqliteStore {
    async fn now(&self) -> Result<Timestamp> {
        Ok(self.inner.now())
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.write_lightly(move |connection, inner| {
            Box::pin(async move {
                // The lock before the row: whoever sees the row can tell that its process lives.
                let locked = inner.presence.enter(session.id);
                let opened = sessions::open(connection, &session, locked, inner.now()).await;
                if opened.is_err() && locked {
                    inner.presence.leave(session.id);
                }
                opened
            })
        })
        .await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        let beat = self
            .write_lightly(move |connection, inner| Box::pin(sessions::beat(connection, session, lease, inner.now())));
        match beat.await? {
            Some(beat) => Ok(beat),
            None => {
                self.write(move |connection, inner| {
                    Box::pin(async move { sessions::release(connection, inner, &[session]).await })
                })
                .await?;
                Ok(Heartbeat { alive: false, controls: Vec::new() })
            }
        }
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        self.write(move |connection, inner| {
            Box::pin(async move {
                sessions::release(connection, inner, &[session]).await?;
                inner.presence.leave(session);
                Ok(())
            })
        })
        .await
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        self.write(move |connection, inner| {
            Box::pin(async move { sessions::free(connection, &[session], &items, inner.now()).await })
        })
        .await
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
        self.read(move |connection| Box::pin(sessions::list(connection, job))).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        loop {
            let request = request.clone();
            let claim = self.write_lightly(move |connection, inner| Box::pin(claim::claim(connection, inner, request)));
            match claim.await? {
                Answer::Claims(claims) => return Ok(claims),
                // Burying may end a job, and what was told of an end must not be lost.
                Answer::Dead => {
                    self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
                }
            }
        }
    }

    async fn pause_all(&self, paused: bool) -> Result<()> {
        self.write(move |connection, _| Box::pin(gates::pause(connection, paused))).await
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
        let now = self.inner.now();
        self.read(move |connection| Box::pin(depth::status(connection, now))).await
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let commits = Arc::new(commits);
        for each in [false, true] {
            let commits = Arc::clone(&commits);
            let work = self.write_if_some(move |connection, inner| {
                Box::pin(async move { commit::commit(connection, inner, session, &commits, each).await })
            });
            if let Some(replies) = work.await? {
                return Ok(replies);
            }
        }
        Err(Error::unexpected("a commit was neither applied nor superseded"))
    }
}
