//! A store under test and the jobs, items and commits the suites are made of.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use pipeline_core::executor::{ItemEvent, ItemMachine, MACHINE_FORMAT, StageState};
use pipeline_core::id::{CallId, Digest, ItemId, JobId, ResultId, SendingId, SessionId, StageName};
use pipeline_core::model::{Capability, ItemStatus, Money};
use pipeline_core::pipeline::{Cache, PLAN_FORMAT, Plan};
use pipeline_core::storage::{
    ClaimRequest, Claimed, Claims, Commit, CommitReply, JobPlan, NewCall, NewItem, NewJob, NewSession, ResultRecord,
    Store,
};
use pipeline_core::time::{Clock, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A clock that goes only when told, and jumps as clocks of machines do when they are set.
#[derive(Debug)]
pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// Starts somewhere in 2026.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_790_000_000_000_000)))
    }

    /// Sets the clock back.
    pub fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A fresh store on a stepped clock, with what must outlive it (a temporary folder).
pub struct Bench {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<SteppedClock>,
    reopen: Option<Reopen>,
    spoil: Option<Spoil>,
    _guard: Box<dyn Any + Send + Sync>,
}

/// Opens another store on the same data.
type Reopen = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Store>> + Send>> + Send + Sync>;

/// Runs a statement on the data behind the store's back.
type Spoil = Box<dyn Fn(String) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How long the calls of these suites may be answered.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// How long sessions live in these suites.
pub const LEASE: Duration = Duration::from_secs(30);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Returns a UUIDv7 later than every one before.
pub fn uuid() -> Uuid {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(1_790_000_000_000 + number, &random).into_uuid()
}

/// Returns the name of the only stage kind used here.
pub fn stage(name: &str) -> StageName {
    StageName::new(name).unwrap()
}

impl Bench {
    /// Puts a store on the bench; `guard` is dropped with it.
    pub fn new(store: impl Store, clock: Arc<SteppedClock>, guard: impl Any + Send + Sync) -> Self {
        Self { store: Arc::new(store), clock, reopen: None, spoil: None, _guard: Box::new(guard) }
    }

    /// Says how to open another store on the same data; a store that cannot is not asked to survive.
    pub fn reopened_by<F, S>(mut self, open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = S> + Send + 'static,
        S: Store,
    {
        self.reopen = Some(Box::new(move || {
            let opened = open();
            Box::pin(async move { Arc::new(opened.await) as Arc<dyn Store> })
        }));
        self
    }

    /// Says how to run a statement of SQL on the data behind the store's back; without it damage is not tested.
    pub fn spoiled_by<F>(mut self, run: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spoil = Some(Box::new(move |statement| Box::pin(run(statement))));
        self
    }

    /// Runs a statement behind the store's back; false when it keeps nothing a statement could reach.
    pub async fn spoil(&self, statement: &str) -> bool {
        let Some(run) = &self.spoil else { return false };
        run(statement.to_owned()).await;
        true
    }

    /// Opens another store on the same data, or returns this one when it keeps nothing outside the process.
    pub async fn reopen(&self) -> Arc<dyn Store> {
        match &self.reopen {
            Some(open) => open().await,
            None => Arc::clone(&self.store),
        }
    }

    /// Opens a session.
    pub async fn session(&self) -> SessionId {
        self.session_for(None).await
    }

    /// Opens a session for one job.
    pub async fn session_for(&self, focus: Option<JobId>) -> SessionId {
        let id = SessionId::from_uuid(uuid());
        let session = NewSession { id, host: "bench".to_owned(), pid: 7, lease: LEASE, focus };
        self.store.open_session(session).await.unwrap();
        id
    }

    /// Submits a job of `count` items of one leaf.
    pub async fn submit(&self, count: u32) -> (JobId, Vec<ItemId>) {
        self.submit_with(new_job(), (0..count).map(new_item).collect()).await
    }

    /// Submits a job.
    pub async fn submit_with(&self, job: NewJob, items: Vec<NewItem>) -> (JobId, Vec<ItemId>) {
        let (id, ids) = (job.id, items.iter().map(|item| item.id).collect());
        self.store.submit(job, items).await.unwrap();
        (id, ids)
    }

    /// Claims up to `limit` units of any job.
    pub async fn units(&self, session: SessionId, limit: u32) -> Vec<Vec<Claimed>> {
        self.store.claim(ClaimRequest { session, limit, job: None }).await.unwrap().units
    }

    /// Claims up to `limit` units of any job, and returns all the store says.
    pub async fn claims(&self, session: SessionId, limit: u32) -> Claims {
        self.store.claim(ClaimRequest { session, limit, job: None }).await.unwrap()
    }

    /// Claims up to `limit` units of any job, as one list.
    pub async fn claim(&self, session: SessionId, limit: u32) -> Vec<Claimed> {
        self.units(session, limit).await.into_iter().flatten().collect()
    }

    /// Writes one commit.
    pub async fn commit(&self, session: SessionId, commit: Commit) -> CommitReply {
        self.store.commit(session, vec![commit]).await.unwrap()[0]
    }

    /// Takes everything that is due and ends it with `status`.
    pub async fn drain(&self, session: SessionId, status: ItemStatus) -> usize {
        let claimed = self.claim(session, 1_000).await;
        let commits: Vec<Commit> = claimed.iter().map(|claimed| ending(claimed, status)).collect();
        let replies = self.store.commit(session, commits).await.unwrap();
        assert!(replies.iter().all(|reply| *reply == CommitReply::Applied), "{replies:?}");
        claimed.len()
    }
}

/// Makes a job with a plan whose settings are awkward to store.
pub fn new_job() -> NewJob {
    let plan = Plan {
        format: PLAN_FORMAT,
        pipeline: "bench".to_owned(),
        hash: Digest::of(b"plan"),
        seed: u64::MAX - 5,
        stages: Vec::new(),
        retry_from: None,
        max_rounds: 3,
        concurrency: None,
        max_cost: None,
        cache: Cache::Off,
        warnings: Vec::new(),
    };
    let settings = json!({ "z": 0.1, "a": [1e-7, f64::MAX, 0.1 + 0.2], "ü": "\u{1f431}\n\"'" });
    NewJob {
        id: JobId::from_uuid(uuid()),
        label: "bench".to_owned(),
        owner: "me".to_owned(),
        priority: 0,
        plan: JobPlan { plan, settings, recipe: None, estimate: None },
        out: Some("finished".to_owned()),
        parent: None,
        key: None,
        start_at: None,
        budget: None,
        idempotency: None,
    }
}

/// Makes a machine of two stages.
pub fn machine(id: ItemId, leaves: u32, stages: &[StageState; 2]) -> ItemMachine {
    ItemMachine {
        format: MACHINE_FORMAT,
        id,
        round: 1,
        revision: 0,
        leaves,
        slots: Vec::new(),
        expanded: None,
        crashes: 0,
        cancelled: false,
        stages: stages.to_vec(),
    }
}

/// Makes a pending root item of one leaf.
pub fn new_item(ordinal: u32) -> NewItem {
    let id = ItemId::from_uuid(uuid());
    let mut input = Map::new();
    input.insert("keyword".to_owned(), Value::from(format!("cat \u{1f431} {ordinal}")));
    input.insert("big".to_owned(), Value::from(u64::MAX));
    NewItem {
        id,
        parent: None,
        ordinal,
        slot: 0,
        name: format!("item \"{ordinal}\""),
        input,
        machine: machine(id, 1, &[StageState::Ready { attempt: 1 }, StageState::Blocked]),
        status: ItemStatus::Pending,
        unit: None,
        gate: None,
    }
}

/// Makes the `slot`-th child of a claimed item.
pub fn child(parent: &Claimed, slot: u32) -> NewItem {
    let id = parent.item.id.child("generate", slot);
    let mut child = new_item(parent.item.ordinal);
    child.id = id;
    child.machine.id = id;
    child.parent = Some(parent.item.id);
    child.slot = slot;
    child.unit = Some(parent.item.id);
    child
}

/// Makes a result of a stage that took `took`.
pub fn result(item: ItemId, name: &str, took: Duration, cost: i64) -> ResultRecord {
    let started_at = Timestamp::from_micros(1_790_000_000_000_000);
    ResultRecord {
        id: ResultId::from_uuid(uuid()),
        item,
        stage: stage(name),
        round: 1,
        attempt: 1,
        fields: [("prompt".to_owned(), json!("a \"cat\"")), ("seed".to_owned(), json!(u64::MAX))].into_iter().collect(),
        files: BTreeMap::new(),
        verdict: None,
        provider: Some("bench".to_owned()),
        cost: Money::from_micros(cost),
        reused: None,
        started_at,
        ended_at: started_at.after(took),
    }
}

/// Makes the intent of a call that serves `items`.
pub fn new_call(job: JobId, items: &[ItemId]) -> NewCall {
    NewCall {
        id: CallId::from_uuid(uuid()),
        sending: SendingId::from_uuid(uuid()),
        job,
        stage: stage("generate"),
        items: items.to_vec(),
        round: 1,
        attempt: 2,
        provider: "bench".to_owned(),
        model: Some("fast".to_owned()),
        prompt: Some("a \"red\" cat".to_owned()),
        capability: Capability::GenerateImage,
        request: Digest::of(b"request"),
        reserved: Some(Money::from_micros(40_000)),
        gate: None,
        patience: PATIENCE,
    }
}

/// Makes a commit that changes nothing and keeps the item.
pub fn holding(claimed: &Claimed) -> Commit {
    Commit {
        item: claimed.item.id,
        job: claimed.item.job,
        token: claimed.token,
        machine: claimed.item.machine.clone(),
        status: ItemStatus::Running,
        claimable_at: None,
        unit: None,
        gate: None,
        results: Vec::new(),
        calls: Vec::new(),
        used: Vec::new(),
        children: Vec::new(),
        events: Vec::new(),
        release: false,
    }
}

/// Makes a commit that gives the item back, to be claimed again at `at`.
pub fn releasing(claimed: &Claimed, at: Option<Timestamp>) -> Commit {
    let status = if at.is_some() { ItemStatus::Pending } else { ItemStatus::Waiting };
    Commit { status, claimable_at: at, release: true, ..holding(claimed) }
}

/// Makes a commit that ends the item with `status`, with one result and one event.
pub fn ending(claimed: &Claimed, status: ItemStatus) -> Commit {
    let id = claimed.item.id;
    let made = result(id, "generate", Duration::from_millis(1_500), 1_000);
    let done = StageState::Done { result: made.id };
    Commit {
        machine: machine(id, claimed.item.machine.leaves, &[done.clone(), done]),
        status,
        results: vec![made],
        events: vec![ItemEvent::Ended { status }],
        release: true,
        ..holding(claimed)
    }
}

/// Makes a commit that replaces the item by `count` children of one leaf each.
pub fn expanding(claimed: &Claimed, count: u32) -> Commit {
    let mut commit = releasing(claimed, None);
    commit.status = ItemStatus::Pending;
    commit.machine.leaves = 0;
    commit.machine.expanded = Some(count);
    commit.children = (0..count).map(|slot| child(claimed, slot)).collect();
    commit.events = vec![ItemEvent::Expanded { stage: stage("generate"), children: count }];
    commit
}
