//! A store that lets only some of the results through, as if the process had ended before the rest were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use pipeline::core::Result;
use pipeline::core::id::SessionId;
use pipeline::core::storage::{Commit, CommitReply, Store};
use pipeline_testkit::tap::{Tap, Tapped};
use tokio::sync::Notify;

/// Lets a number of results of one stage through, and holds every commit back that follows.
#[derive(Debug)]
pub(crate) struct Sluice {
    stage: &'static str,
    left: AtomicI64,
    shut: Notify,
}

impl Sluice {
    pub(crate) fn before(store: &Arc<dyn Store>, stage: &'static str, results: i64) -> Tapped<Self> {
        let (left, shut) = (AtomicI64::new(results), Notify::new());
        Tapped::new(Arc::clone(store), Arc::new(Self { stage, left, shut }))
    }

    /// Waits until a commit is held back.
    pub(crate) async fn is_shut(&self) {
        self.shut.notified().await;
    }

    fn passes(&self, commit: &Commit) -> bool {
        let own = commit.results.iter().any(|result| result.stage.as_str() == self.stage);
        !own || self.left.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

#[async_trait]
impl Tap for Sluice {
    async fn commit(&self, store: &dyn Store, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let count = commits.len();
        let through: Vec<Commit> = commits.into_iter().filter(|commit| self.passes(commit)).collect();
        let whole = through.len() == count;
        let replies = store.commit(session, through).await?;
        if !whole {
            self.shut.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(replies)
    }
}
