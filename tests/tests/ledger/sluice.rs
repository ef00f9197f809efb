//! A store that lets only some of the writes through, as if the process had ended before the rest were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use pipeline::core::Result;
use pipeline::core::id::SessionId;
use pipeline::core::storage::{Commit, CommitReply, Store};
use pipeline_testkit::tap::{Tap, Tapped};
use tokio::sync::Notify;

/// Lets a number of results of one stage through, and holds every commit back that follows; or every attached task.
#[derive(Debug)]
pub(crate) struct Sluice {
    stage: &'static str,
    left: AtomicI64,
    attaches: bool,
    shut: Notify,
}

impl Sluice {
    pub(crate) fn before(store: &Arc<dyn Store>, stage: &'static str, results: i64) -> Tapped<Self> {
        let (left, shut) = (AtomicI64::new(results), Notify::new());
        Tapped::new(Arc::clone(store), Arc::new(Self { stage, left, attaches: true, shut }))
    }

    /// Lets every result through, and no task.
    pub(crate) fn without_tasks(store: &Arc<dyn Store>) -> Tapped<Self> {
        let (left, shut) = (AtomicI64::new(i64::MAX), Notify::new());
        let sluice = Self { stage: "generate", left, attaches: false, shut };
        Tapped::new(Arc::clone(store), Arc::new(sluice))
    }

    /// Waits until something is held back.
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

    async fn before(&self, operation: &'static str) -> Result<()> {
        if operation == "attach" && !self.attaches {
            self.shut.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}
