//! The artifact store as a stage sees it: it waits while there is no room for a file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use pipeline_core::error::chain;
use pipeline_core::id::Digest;
use pipeline_core::model::{Artifact, LogLevel, Step};
use pipeline_core::provider::Journal;
use pipeline_core::storage::{ArtifactStore, StoredArtifact};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::calls::Busy;

/// The longest pause between two looks for room.
const LOOK: Duration = Duration::from_secs(2);

/// Puts a file again and again while there is no room for it: a full disk is nobody's failed try. What a paid call has
/// brought is kept in memory meanwhile; for it, a store that is away is waited for as well, as long as the worker has
/// patience.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) patience: Duration,
    /// How many calls of the run are under way, or wait here.
    pub(crate) calling: watch::Sender<u32>,
    /// How many files of the run wait here.
    pub(crate) storing: watch::Sender<u32>,
    /// Where the run tells of its steps.
    pub(crate) journal: Journal,
}

impl Shelf {
    /// Tells whether a file that could not be put is to be put again.
    fn waits(&self, error: &Error, paid: bool, waited: Duration) -> bool {
        match error.kind() {
            ErrorKind::Exhausted => true,
            _ => paid && error.retryability() == Retryability::Transient && waited < self.patience,
        }
    }

    async fn keep(&self, content: Bytes) -> Result<Artifact> {
        let paid = *self.calling.borrow() > 0;
        let (mut pause, mut waited) = (Duration::from_millis(100), Duration::ZERO);
        loop {
            let error = match self.artifacts.put(content.clone()).await {
                Ok(artifact) => return Ok(artifact),
                Err(error) => error,
            };
            if !self.waits(&error, paid, waited) {
                return Err(error);
            }
            if waited.is_zero() {
                tracing::warn!(error = %chain(&error), "a file cannot be kept, trying again");
            }
            // The time of the run and of its calls stands still.
            let _busy = (Busy::begin(&self.calling), Busy::begin(&self.storing));
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LOOK);
        }
    }
}

#[async_trait]
impl ArtifactStore for Shelf {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let said = if self.journal.wants(LogLevel::Debug) { format!("{} bytes", content.len()) } else { String::new() };
        self.journal.step(Step::Put, said, self.keep(content)).await
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        let said = if self.journal.wants(LogLevel::Debug) { digest.to_string() } else { String::new() };
        self.journal.step(Step::Load, said, self.artifacts.get(digest)).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool> {
        self.artifacts.contains(digest).await
    }

    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>> {
        self.artifacts.list(first).await
    }

    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool> {
        self.artifacts.remove(digest, before).await
    }

    fn location(&self) -> String {
        self.artifacts.location()
    }
}
