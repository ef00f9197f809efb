//! The one committer of a process: a batch is whatever queued while the last commit ran.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use pipeline_core::id::SessionId;
use pipeline_core::storage::{Commit, CommitReply};
use pipeline_core::{Error, Result};

use super::shared::Shared;

/// At most this many commits ride together.
const MAX_BATCH: usize = 256;

type Request = (Box<Commit>, oneshot::Sender<Result<CommitReply>>);

/// Takes commits and answers when they are durable.
#[derive(Clone, Debug)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Request>,
    /// The run's paid calls in flight: they outlive the walks that made them.
    pub(crate) flights: TaskTracker,
}

impl Committer {
    /// Starts the committer; it ends when every handle is dropped.
    pub(crate) fn start(shared: Arc<Shared>, session: SessionId) -> Self {
        let (queue, requests) = mpsc::channel(4 * MAX_BATCH);
        tokio::spawn(work(shared, session, requests));
        Self { queue, flights: TaskTracker::new() }
    }

    /// Writes one transition. The item is reloaded when the store's answer was unclear, so a commit is never written
    /// twice.
    ///
    /// # Errors
    /// The store's, when it keeps failing for longer than the worker's patience.
    pub(crate) async fn commit(&self, shared: &Shared, commit: Commit) -> Result<CommitReply> {
        let mut pause = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        loop {
            let error = match self.once(commit.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if waited >= shared.tuning.patience {
                return Err(error);
            }
            if waited.is_zero() {
                tracing::warn!(error = %pipeline_core::error::chain(&error), item = %commit.item, "commit failed, trying again");
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(2));
            let written = shared.store.item(commit.item).await.is_ok_and(|item| item.machine == commit.machine);
            if written && commit.calls.is_empty() {
                return Ok(CommitReply::Applied);
            }
        }
    }

    async fn once(&self, commit: Commit) -> Result<CommitReply> {
        let gone = || Error::unexpected("the committer has ended");
        let (answer, reply) = oneshot::channel();
        self.queue.send((Box::new(commit), answer)).await.map_err(|_| gone())?;
        reply.await.map_err(|_| gone())?
    }
}

async fn work(shared: Arc<Shared>, session: SessionId, mut requests: mpsc::Receiver<Request>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while requests.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let (commits, answers): (Vec<Commit>, Vec<_>) =
            batch.drain(..).map(|(commit, answer)| (*commit, answer)).unzip();
        match shared.store.commit(session, commits).await {
            Ok(replies) => {
                for (answer, reply) in answers.into_iter().zip(replies) {
                    answer.send(Ok(reply)).ok();
                }
            }
            Err(error) => {
                let (kind, retry, text) = (error.kind(), error.retryability(), pipeline_core::error::chain(&error));
                for answer in answers {
                    answer.send(Err(Error::new(kind, text.clone()).retry(retry))).ok();
                }
            }
        }
        shared.bell.notify_waiters();
    }
}
