//! A store whose every write is seen by the auditor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::Result;
use pipeline_core::id::{
    CallId, Digest, EventSeq, HookId, ItemId, JobId, MessageId, ResultId, ScheduleId, SessionId, StageName,
};
use pipeline_core::model::{Control, Money};
use pipeline_core::storage::{
    AttachReply, Audit, Breach, Budget, BudgetKeeper, BudgetKey, CallLedger, CallQuery, CallRecord, Census,
    ClaimRequest, Claims, Commit, CommitReply, DeliveryOutcome, DeliveryQuery, DeliveryRecord, Due, EventLog,
    EventRecord, FingerprintMark, GateKeeper, GateKey, GateRecord, Heartbeat, Historian, Holder, Hook, HookKeeper,
    ItemQuery, ItemRecord, ItemStore, JobPlan, JobProfile, JobQuery, JobRecord, JobStore, LaneReport, Lanes, Mention,
    NameRequest, NewHook, NewItem, NewJob, NewResolution, NewSchedule, NewSession, Outcome, QueueStatus, Registry,
    ResultRecord, Retries, RetryQuery, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply, SavedBody,
    SavedKind, SavedRecord, ScheduleKeeper, ScheduleRecord, SessionRecord, SettleReply, Settlement, Spend, SpendQuery,
    StageTally, Steward, Store, StoreInfo, TemplateKeeper, WorkQueue,
};
use pipeline_core::time::Timestamp;
use uuid::Uuid;

use super::auditor::Auditor;

/// A store whose every write is seen by the auditor.
#[derive(Clone, Debug)]
pub(super) struct Audited {
    store: Arc<dyn Store>,
    auditor: Arc<Auditor>,
}

impl Audited {
    /// Puts the auditor before a store.
    pub(super) fn new(store: Arc<dyn Store>, auditor: Arc<Auditor>) -> Self {
        Self { store, auditor }
    }
}

impl Store for Audited {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}

#[async_trait]
impl JobStore for Audited {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        let reply = self.store.submit(job.clone(), items.clone()).await;
        self.auditor.submitted(&job, &items, &reply).await;
        reply
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

    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32> {
        self.store.revise(id, plan).await
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        self.store.revision(id, number).await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        self.auditor.bury();
        let reply = self.store.control(id, control).await;
        self.auditor.controlled(id, control, &reply).await;
        reply
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        self.auditor.bury();
        let reply = self.store.abandon(id).await;
        self.auditor.abandoned(id, &reply).await;
        reply
    }
}

#[async_trait]
impl ReviewDesk for Audited {
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        self.store.rule(by, rulings).await
    }

    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        self.store.reviews(query).await
    }
}

#[async_trait]
impl ItemStore for Audited {
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

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        self.store.reused(job).await
    }
}

#[async_trait]
impl WorkQueue for Audited {
    async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        self.auditor.opened(&session);
        self.store.open_session(session).await
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        let reply = self.store.heartbeat(session, lease).await;
        self.auditor.beaten(session, lease, &reply).await;
        reply
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        let reply = self.store.close_session(session).await;
        self.auditor.closed(session).await;
        reply
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        let reply = self.store.keep_only(session, items.clone()).await;
        self.auditor.kept(session, &items).await;
        reply
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.auditor.bury();
        let reply = self.store.sessions(job).await;
        self.auditor.looked().await;
        reply
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        self.auditor.bury();
        let reply = self.store.claim(request.clone()).await;
        self.auditor.claimed(&request, &reply).await;
        reply
    }

    async fn pause_all(&self, paused: bool) -> Result<()> {
        let reply = self.store.pause_all(paused).await;
        if reply.is_ok() {
            self.auditor.paused(paused);
        }
        reply
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        self.auditor.bury();
        self.store.queue_status().await
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let reply = self.store.commit(session, commits.clone()).await;
        self.auditor.committed(session, &commits, &reply).await;
        reply
    }
}

#[async_trait]
impl CallLedger for Audited {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        let reply = self.store.settle(settlement.clone()).await;
        self.auditor.settled(&settlement, &reply).await;
        reply
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        let reply = self.store.attach(call, external_id.clone()).await;
        self.auditor.attached(call, &external_id, &reply).await;
        reply
    }

    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        self.store.resolve(resolution).await
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        self.store.call(id).await
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        self.store.answered(job, request).await
    }

    async fn spend(&self, query: SpendQuery) -> Result<Vec<Spend>> {
        self.store.spend(query).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        self.store.calls(query).await
    }
}

#[async_trait]
impl GateKeeper for Audited {
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()> {
        let reply = self.store.close_gate(key.clone(), pause, reason).await;
        if reply.is_ok() {
            self.auditor.gate_closed(&key, pause);
        }
        reply
    }

    async fn open_gate(&self, key: GateKey) -> Result<()> {
        self.store.open_gate(key).await
    }

    async fn gates(&self) -> Result<Vec<GateRecord>> {
        self.store.gates().await
    }
}

#[async_trait]
impl BudgetKeeper for Audited {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        // A budget that is taken away holds no longer from the moment it is asked for.
        self.auditor.budgeted(&key, amount, amount.is_none());
        let reply = self.store.set_budget(key.clone(), amount).await;
        self.auditor.budgeted(&key, amount, reply.is_ok());
        reply
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.store.budgets().await
    }
}

#[async_trait]
impl EventLog for Audited {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        self.store.events(job, after, limit).await
    }
}

#[async_trait]
impl HookKeeper for Audited {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        self.store.add_hook(hook).await
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        self.store.hooks().await
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        self.store.pause_hook(hook, reason).await
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.store.wake_hook(hook).await
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        self.store.remove_hook(hook).await
    }

    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        self.store.take_lanes(only, limit).await
    }

    async fn report_lane(&self, report: LaneReport) -> Result<bool> {
        self.store.report_lane(report).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.store.deliveries(query).await
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        self.store.redelivered(message, outcome).await
    }
}

#[async_trait]
impl Historian for Audited {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        self.store.profile(job).await
    }

    async fn retries(&self, query: RetryQuery) -> Result<Retries> {
        self.store.retries(query).await
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        self.store.events_of(item).await
    }
}

#[async_trait]
impl Registry for Audited {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        self.store.reserve_name(request).await
    }

    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>> {
        self.store.mark_fingerprint(mark).await
    }
}

#[async_trait]
impl Steward for Audited {
    async fn census(&self) -> Result<Census> {
        self.store.census().await
    }

    async fn mentions(&self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>> {
        self.store.mentions(holder, after, limit).await
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        self.store.audit(job).await
    }

    async fn strays(&self) -> Result<Vec<Breach>> {
        self.store.strays().await
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        self.store.rename(job, label).await
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        self.store.delete(job).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64> {
        self.store.sweep(limit).await
    }
}

#[async_trait]
impl TemplateKeeper for Audited {
    async fn save(&self, owner: &str, name: &str, body: SavedBody, replace: bool) -> Result<SavedRecord> {
        self.store.save(owner, name, body, replace).await
    }

    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord> {
        self.store.saved(owner, kind, name).await
    }

    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>> {
        self.store.list_saved(owner, kind).await
    }

    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()> {
        self.store.forget(owner, kind, name).await
    }
}

#[async_trait]
impl ScheduleKeeper for Audited {
    async fn schedule(&self, new: NewSchedule) -> Result<ScheduleRecord> {
        self.store.schedule(new).await
    }

    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>> {
        self.store.schedules(owner).await
    }

    async fn due(&self) -> Result<Due> {
        self.store.due().await
    }

    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.store.take(id, at, next_at, outcome).await
    }

    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.store.settle_occasion(id, at, outcome).await
    }

    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord> {
        self.store.pause_schedule(owner, name).await
    }

    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord> {
        self.store.resume_schedule(owner, name, next_at).await
    }

    async fn unschedule(&self, owner: &str, name: &str) -> Result<()> {
        self.store.unschedule(owner, name).await
    }
}
