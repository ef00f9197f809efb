//! A store that lets only some of the writes through, as if the process had ended before the rest were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::core::Result;
use pipeline::core::id::{CallId, EventSeq, ItemId, JobId, ResultId, SessionId};
use pipeline::core::model::Control;
use pipeline::core::storage::{
    AttachReply, CallLedger, CallQuery, CallRecord, ClaimRequest, Claims, Commit, CommitReply, EventLog, EventRecord,
    FingerprintMark, Heartbeat, ItemQuery, ItemRecord, ItemStore, JobPlan, JobQuery, JobRecord, JobStore, NameRequest,
    NewItem, NewJob, NewSession, Registry, ResultRecord, SessionRecord, SettleReply, Settlement, StageTally, Store,
    StoreInfo, WorkQueue,
};
use pipeline::core::time::Timestamp;
use tokio::sync::Notify;

/// Lets a number of results of one stage through, and holds every commit back that follows; or every attached task.
#[derive(Debug)]
pub(crate) struct Sluice {
    store: Arc<dyn Store>,
    stage: &'static str,
    left: AtomicI64,
    attaches: bool,
    shut: Notify,
}

impl Sluice {
    pub(crate) fn new(store: &Arc<dyn Store>, stage: &'static str, results: i64) -> Arc<Self> {
        let (left, shut) = (AtomicI64::new(results), Notify::new());
        Arc::new(Self { store: Arc::clone(store), stage, left, attaches: true, shut })
    }

    /// Lets every result through, and no task.
    pub(crate) fn without_tasks(store: &Arc<dyn Store>) -> Arc<Self> {
        let (left, shut) = (AtomicI64::new(i64::MAX), Notify::new());
        Arc::new(Self { store: Arc::clone(store), stage: "generate", left, attaches: false, shut })
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

impl Store for Sluice {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}

#[async_trait]
impl WorkQueue for Sluice {
    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let count = commits.len();
        let through: Vec<Commit> = commits.into_iter().filter(|commit| self.passes(commit)).collect();
        let whole = through.len() == count;
        let replies = self.store.commit(session, through).await?;
        if !whole {
            self.shut.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(replies)
    }

    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.store.open_session(session).await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        self.store.heartbeat(session, lease).await
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        self.store.close_session(session).await
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.store.sessions(job).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        self.store.claim(request).await
    }
}

#[async_trait]
impl JobStore for Sluice {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        self.store.submit(job, items).await
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.store.job(id).await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>> {
        self.store.jobs(query).await
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.store.plan(id).await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        self.store.control(id, control).await
    }
}

#[async_trait]
impl ItemStore for Sluice {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        self.store.item(id).await
    }

    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        self.store.items(query).await
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        self.store.results(ids).await
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        self.store.history(item).await
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        self.store.tallies(job).await
    }
}

#[async_trait]
impl CallLedger for Sluice {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        self.store.settle(settlement).await
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        if !self.attaches {
            self.shut.notify_one();
            std::future::pending::<()>().await;
        }
        self.store.attach(call, external_id).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        self.store.calls(query).await
    }
}

#[async_trait]
impl EventLog for Sluice {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        self.store.events(job, after, limit).await
    }
}

#[async_trait]
impl Registry for Sluice {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        self.store.reserve_name(request).await
    }

    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>> {
        self.store.mark_fingerprint(mark).await
    }
}
