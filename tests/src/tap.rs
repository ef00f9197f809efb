//! A store between the engine and another store: sees every operation, and may delay, refuse or disavow it.

use std::collections::BTreeMap;
use std::fmt;
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

/// What happens around the operations of a store.
#[async_trait]
pub trait Tap: fmt::Debug + Send + Sync + 'static {
    /// Comes before an operation, named as its method; an error is the operation's, which then does not happen.
    async fn before(&self, operation: &'static str) -> Result<()> {
        let _ = operation;
        Ok(())
    }

    /// Comes after an operation that succeeded; an error hides that it did.
    async fn after(&self, operation: &'static str) -> Result<()> {
        let _ = operation;
        Ok(())
    }

    /// Writes a batch; what else happens around it is said by `before` and `after`.
    async fn commit(&self, store: &dyn Store, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        store.commit(session, commits).await
    }

    /// Hands out work.
    async fn claim(&self, store: &dyn Store, request: ClaimRequest) -> Result<Claims> {
        store.claim(request).await
    }

    /// Gives back what a session does not know of.
    async fn keep_only(&self, store: &dyn Store, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        store.keep_only(session, items).await
    }

    /// Records how a call ended.
    async fn settle(&self, store: &dyn Store, settlement: Settlement) -> Result<SettleReply> {
        store.settle(settlement).await
    }

    /// Lists calls.
    async fn calls(&self, store: &dyn Store, query: CallQuery) -> Result<Vec<CallRecord>> {
        store.calls(query).await
    }

    /// Extends a lease.
    async fn heartbeat(&self, store: &dyn Store, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        store.heartbeat(session, lease).await
    }

    /// Writes the control column of a job.
    async fn control(&self, store: &dyn Store, id: JobId, control: Control) -> Result<JobRecord> {
        store.control(id, control).await
    }
}

/// A store with a tap. Clones share it.
#[derive(Debug)]
pub struct Tapped<T> {
    store: Arc<dyn Store>,
    /// The tap.
    pub tap: Arc<T>,
}

impl<T> Clone for Tapped<T> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), tap: Arc::clone(&self.tap) }
    }
}

impl<T: Tap> Tapped<T> {
    /// Puts a tap on a store.
    pub fn new(store: Arc<dyn Store>, tap: Arc<T>) -> Self {
        Self { store, tap }
    }
}

impl<T: Tap> Store for Tapped<T> {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}

/// Implements a port by passing every method on between `before` and `after`.
macro_rules! pass_on {
    ($port:ident { $($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+ }) => {
        #[async_trait]
        impl<T: Tap> $port for Tapped<T> {
            $(
                async fn $method(&self, $($argument: $kind),*) -> Result<$answer> {
                    self.tap.before(stringify!($method)).await?;
                    let answer = self.store.$method($($argument),*).await?;
                    self.tap.after(stringify!($method)).await?;
                    Ok(answer)
                }
            )+
        }
    };
    ($port:ident by tap { $($tapped:ident($($given:ident: $of:ty),*) -> $reply:ty;)+ } { $($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+ }) => {
        #[async_trait]
        impl<T: Tap> $port for Tapped<T> {
            $(
                async fn $tapped(&self, $($given: $of),*) -> Result<$reply> {
                    self.tap.before(stringify!($tapped)).await?;
                    let answer = self.tap.$tapped(self.store.as_ref(), $($given),*).await?;
                    self.tap.after(stringify!($tapped)).await?;
                    Ok(answer)
                }
            )+
            $(
                async fn $method(&self, $($argument: $kind),*) -> Result<$answer> {
                    self.tap.before(stringify!($method)).await?;
                    let answer = self.store.$method($($argument),*).await?;
                    self.tap.after(stringify!($method)).await?;
                    Ok(answer)
                }
            )+
        }
    };
}

pass_on!(JobStore by tap {
    control(id: JobId, control: Control) -> JobRecord;
} {
    submit(job: NewJob, items: Vec<NewItem>) -> JobRecord;
    job(id: JobId) -> JobRecord;
    jobs(query: JobQuery) -> Vec<JobRecord>;
    plan(id: JobId) -> JobPlan;
    revise(id: JobId, plan: JobPlan) -> u32;
    revision(id: JobId, number: u32) -> JobPlan;
    abandon(id: JobId) -> JobRecord;
});

pass_on!(ItemStore {
    item(id: ItemId) -> ItemRecord;
    items(query: ItemQuery) -> Vec<ItemRecord>;
    results(ids: Vec<ResultId>) -> Vec<ResultRecord>;
    history(item: ItemId) -> Vec<ResultRecord>;
    tallies(job: JobId) -> Vec<StageTally>;
    reused(job: JobId) -> BTreeMap<StageName, u64>;
});

pass_on!(WorkQueue by tap {
    claim(request: ClaimRequest) -> Claims;
    keep_only(session: SessionId, items: Vec<ItemId>) -> ();
    commit(session: SessionId, commits: Vec<Commit>) -> Vec<CommitReply>;
    heartbeat(session: SessionId, lease: Duration) -> Heartbeat;
} {
    now() -> Timestamp;
    open_session(session: NewSession) -> ();
    close_session(session: SessionId) -> ();
    sessions(job: Option<JobId>) -> Vec<SessionRecord>;
    pause_all(paused: bool) -> ();
    queue_status() -> QueueStatus;
});

pass_on!(CallLedger by tap {
    settle(settlement: Settlement) -> SettleReply;
    calls(query: CallQuery) -> Vec<CallRecord>;
} {
    attach(call: CallId, external_id: String) -> AttachReply;
    resolve(resolution: NewResolution) -> CallRecord;
    call(id: CallId) -> CallRecord;
    answered(job: JobId, request: Digest) -> Option<CallRecord>;
    spend(query: SpendQuery) -> Vec<Spend>;
});

pass_on!(GateKeeper {
    close_gate(key: GateKey, pause: Duration, reason: &str) -> ();
    open_gate(key: GateKey) -> ();
    gates() -> Vec<GateRecord>;
});

pass_on!(ReviewDesk {
    rule(by: Reviewer, rulings: Vec<Ruling>) -> Vec<RulingReply>;
    reviews(query: ReviewQuery) -> Vec<ReviewRecord>;
});

pass_on!(BudgetKeeper {
    set_budget(key: BudgetKey, amount: Option<Money>) -> Option<Budget>;
    budgets() -> Vec<Budget>;
});

pass_on!(EventLog {
    events(job: JobId, after: EventSeq, limit: u32) -> Vec<EventRecord>;
});

pass_on!(HookKeeper {
    add_hook(hook: NewHook) -> Hook;
    hooks() -> Vec<Hook>;
    pause_hook(hook: HookId, reason: Option<&str>) -> Hook;
    wake_hook(hook: HookId) -> ();
    remove_hook(hook: HookId) -> ();
    take_lanes(only: Option<HookId>, limit: u32) -> Lanes;
    report_lane(report: LaneReport) -> bool;
    deliveries(query: DeliveryQuery) -> Vec<DeliveryRecord>;
    redelivered(message: MessageId, outcome: DeliveryOutcome) -> DeliveryRecord;
});

pass_on!(Historian {
    profile(job: JobId) -> JobProfile;
    retries(query: RetryQuery) -> Retries;
    events_of(item: ItemId) -> Vec<EventRecord>;
});

pass_on!(Registry {
    reserve_name(request: NameRequest) -> bool;
    mark_fingerprint(mark: FingerprintMark) -> Option<ItemId>;
});

pass_on!(Steward {
    census() -> Census;
    mentions(holder: Holder, after: Option<Uuid>, limit: u32) -> Vec<Mention>;
    audit(job: JobId) -> Audit;
    strays() -> Vec<Breach>;
    rename(job: JobId, label: &str) -> JobRecord;
    delete(job: JobId) -> ();
    sweep(limit: u32) -> u64;
});

pass_on!(TemplateKeeper {
    save(owner: &str, name: &str, body: SavedBody, replace: bool) -> SavedRecord;
    saved(owner: &str, kind: SavedKind, name: &str) -> SavedRecord;
    list_saved(owner: Option<&str>, kind: SavedKind) -> Vec<SavedRecord>;
    forget(owner: &str, kind: SavedKind, name: &str) -> ();
});

pass_on!(ScheduleKeeper {
    schedule(new: NewSchedule) -> ScheduleRecord;
    schedules(owner: Option<&str>) -> Vec<ScheduleRecord>;
    due() -> Due;
    take(id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> bool;
    settle_occasion(id: ScheduleId, at: Timestamp, outcome: Outcome) -> bool;
    pause_schedule(owner: &str, name: &str) -> ScheduleRecord;
    resume_schedule(owner: &str, name: &str, next_at: Timestamp) -> ScheduleRecord;
    unschedule(owner: &str, name: &str) -> ();
});
