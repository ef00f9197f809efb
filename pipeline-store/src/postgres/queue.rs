//! The queue's port, put together from sessions, claims and commits.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{
    ClaimRequest, Claims, Commit, CommitReply, Heartbeat, NewSession, QueueStatus, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::bell::Bell;
use super::claim::Answer;
use super::store::{Begin, PostgresStore, clock};
use super::{claim, commit, depth, gates, sessions};

#[async_trait]
impl WorkQueue for PostgresStore {
    async fn now(&self) -> Result<Timestamp> {
        self.read(self.inner.told(), |connection, told| {
            Box::pin(async move {
                let now =
                    sqlx::query_scalar(concat!("SELECT ", clock!("$1"))).bind(*told).fetch_one(connection).await?;
                Ok(Timestamp::from_micros(now))
            })
        })
        .await
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.write(Begin::Durable, session, |connection, inner, session| {
            Box::pin(sessions::open(connection, inner, session))
        })
        .await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        let beat = self.inner.heart.beat(&self.inner, session, lease).await;
        beat.map_err(|fault| fault.into_error(&self.inner.location))
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        self.write(Begin::Durable, session, |connection, inner, session| {
            Box::pin(sessions::release(connection, inner, *session))
        })
        .await
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        self.write(Begin::Durable, (session, items), |connection, inner, (session, items)| {
            Box::pin(sessions::keep_only(connection, inner, *session, items))
        })
        .await
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.bury().await?;
        self.read(job, |connection, job| Box::pin(sessions::list(connection, *job))).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        loop {
            let answer = self.write(Begin::Claim, request.clone(), |connection, inner, request| {
                Box::pin(claim::claim(connection, inner, request))
            });
            match answer.await? {
                Answer::Claims(claims) => return Ok(claims),
                // Burying may end a job, and what was told of an end must not be lost.
                Answer::Dead => self.bury().await?,
            }
        }
    }

    async fn pause_all(&self, paused: bool) -> Result<()> {
        self.write(Begin::Durable, paused, |connection, _, paused| Box::pin(gates::pause(connection, *paused))).await?;
        Bell::ring(&self.inner);
        Ok(())
    }

    async fn stirred(&self, seen: u64) -> u64 {
        self.inner.bell.heard(&self.inner.connect, seen).await
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        self.bury().await?;
        self.write(Begin::View, (), |connection, inner, ()| Box::pin(depth::status(connection, inner))).await
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let begin = if commit::is_calling(&commits) { Begin::Intent } else { Begin::Durable };
        self.write(begin, (session, commits), |connection, inner, input| {
            Box::pin(commit::commit(connection, inner, input))
        })
        .await
    }
}

impl PostgresStore {
    /// Takes the claims of sessions whose lease has run out, in a transaction of its own.
    pub(super) async fn bury(&self) -> Result<()> {
        let dead = self.read(self.inner.told(), |connection, told| Box::pin(sessions::any_dead(connection, *told)));
        if dead.await? {
            self.write(Begin::Durable, (), |connection, inner, ()| Box::pin(sessions::bury(connection, inner))).await?;
        }
        Ok(())
    }
}
