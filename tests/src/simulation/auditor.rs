//! The auditor of a history: a model of what the store has promised, held against every write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline_core::Result;
use pipeline_core::executor::{ItemEvent, ItemMachine, StageState, Stop, Wait};
use pipeline_core::id::{CallId, EventSeq, ItemId, JobId, ResultId, SessionId, Token};
use pipeline_core::model::{Control, FailureCode, ItemStatus, JobStatus, Limits, Money};
use pipeline_core::pipeline::Plan;
use pipeline_core::storage::{
    AttachReply, BudgetKey, CallQuery, CallState, ClaimRequest, Claims, Commit, CommitReply, EventBody, GateKey,
    Heartbeat, ItemQuery, JobRecord, NewCall, NewItem, NewJob, NewSession, RATE_WINDOW, Refusal, SettleReply,
    Settlement, Store, breaker_pause,
};
use pipeline_core::time::{Clock as _, Timestamp};
use pipeline_core::{Error, Retryability};

use super::process::Process;
use super::world::World;

const S1: &str = "S1 what a submit has acknowledged is there";
const S2: &str = "S2 an end is final";
const S3: &str = "S3 no write passes with an old token";
const S3_HOLDER: &str = "S3 an item has one holder, and each claim raises its token";
const S3_WHOLE: &str = "S3 a write is whole, a refused one leaves no trace";
const S3_LEASE: &str = "S3 a lease that has run out is not renewed";
const S4: &str = "S4 a stage starts when all it needs is recorded";
const S5: &str = "S5 the intent is durable before the vendor hears of the order";
const S6: &str = "S6 an item's try is charged once";
const S6_BODY: &str = "S6 an order repeated under its key is the same order";
const S7: &str = "S7 a settlement that was accepted is recorded, from whomever it came";
const S7_LIVE: &str = "S7 an answer that reached a living process is recorded";
const S10: &str = "S10 tries are bounded, waits are kept, what cannot help is not tried again";
const S10_CRASH: &str = "S10 a crash is counted once, and for what ran only";
const S11: &str = "S11 after a cancellation or a pause is acknowledged no intent passes";
const S12: &str = "S12 gates hold: closed, concurrency, rate";
const S12_VENDOR: &str = "S12 the vendor never sees more calls at once than allowed";
const S12_CLAIM: &str = "S12 claims keep to control, turns, times, units and the job's concurrency";
const S13: &str = "S13 events have no gap, come with their state, and end with the end";
const BUDGET: &str = "B1 what is spent and reserved never passes a job's budget";
const COUNTS: &str = "counts add up and planned is constant";
const PROGRESS: &str = "progress never goes back";
const E1: &str = "E1 the vendor's bill is the ledger's";
const HOLD: &str = "only what a repeat could buy again is held for a person";
const LIVE: &str = "L1 every job ends or is held once faults have stopped";

/// A charge of the vendor.
#[derive(Clone, Debug)]
struct Charge {
    call: CallId,
    items: Vec<ItemId>,
    stage: String,
    amount: Money,
}

#[derive(Debug)]
struct Item {
    job: JobId,
    token: Token,
    holder: Option<SessionId>,
    machine: ItemMachine,
    status: ItemStatus,
    unit: Option<ItemId>,
    gate: Option<GateKey>,
    due: Option<Timestamp>,
    /// Whether a stage was running when it was claimed last, and that has not been counted.
    interrupted: bool,
}

#[derive(Debug)]
struct Job {
    plan: Plan,
    planned: u64,
    control: Control,
    ended: Option<JobStatus>,
    last: EventSeq,
    steps: u64,
    planned_steps: u64,
    cost: Money,
    key: Option<(String, u32)>,
    start_at: Option<Timestamp>,
    budget: Option<Money>,
    started: bool,
}

#[derive(Debug)]
struct Call {
    intent: NewCall,
    opener: SessionId,
    state: CallState,
    /// What it has cost, once that is known.
    cost: Money,
    deadline: Timestamp,
}

#[derive(Debug, Default)]
struct Gate {
    closed_until: Option<Timestamp>,
    outages: u32,
    /// When each call was opened last: a store keeps no more, so a call opened twice in a minute counts once.
    opened: BTreeMap<CallId, Timestamp>,
}

#[derive(Debug, Default)]
struct Model {
    jobs: BTreeMap<JobId, Job>,
    items: BTreeMap<ItemId, Item>,
    calls: BTreeMap<CallId, Call>,
    sessions: BTreeMap<SessionId, Timestamp>,
    gates: BTreeMap<GateKey, Gate>,
    paused: bool,
    charges: Vec<Charge>,
    hopeless: BTreeSet<(ItemId, String)>,
    /// Calls whose order the vendor has refused for good; that is known once it is settled.
    refused: BTreeSet<CallId>,
    answered: Vec<(CallId, Arc<Process>)>,
    bodies: BTreeMap<CallId, Vec<ItemId>>,
    recorded: BTreeSet<ResultId>,
    at_vendor: BTreeSet<CallId>,
}

impl Model {
    /// Returns the items with a call without a known outcome: whoever gets them next goes on with that, whatever the gate.
    fn unsettled(&self) -> BTreeSet<ItemId> {
        let open = self.calls.values().filter(|call| matches!(call.state, CallState::Open | CallState::Unknown));
        open.flat_map(|call| call.intent.items.iter().copied()).collect()
    }
}

/// The auditor of a history.
#[derive(Debug)]
pub(super) struct Auditor {
    world: Arc<World>,
    store: Arc<dyn Store>,
    /// Whether an outcome that is unknown can always be learnt without buying again.
    repeatable: bool,
    model: Mutex<Model>,
}

impl Auditor {
    /// Makes an auditor who reads in `store`. With `repeatable` nothing may ever be held for a person.
    pub(super) fn new(world: &Arc<World>, store: Arc<dyn Store>, repeatable: bool) -> Self {
        Self { world: Arc::clone(world), store, repeatable, model: Mutex::default() }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    // Jobs.

    pub(super) async fn submitted(&self, job: &NewJob, items: &[NewItem], reply: &Result<JobRecord>) {
        self.world.tell(format_args!("submit {} -> {}", job.id, short(reply)));
        let Ok(record) = reply else { return };
        self.world.check(S1, record.id == job.id, || format!("{} was stored as {}", job.id, record.id));
        if let Some(planned) = self.enter(job, items) {
            self.audit_job(job.id, &[EventBody::Submitted { planned }]).await;
            self.audit_items(job.id).await;
        }
    }

    /// Takes a job that was stored into the model; returns how many leaves are planned when it was not there before.
    fn enter(&self, job: &NewJob, items: &[NewItem]) -> Option<u64> {
        let now = self.now();
        let mut model = self.model();
        if model.jobs.contains_key(&job.id) {
            return None;
        }
        let planned = items.iter().map(|item| u64::from(item.machine.leaves)).sum();
        for item in items {
            model.items.insert(item.id, born(job.id, item, now));
        }
        let plan = job.plan.plan.clone();
        let planned_steps = planned * plan.stages.len() as u64;
        let entry = Job {
            plan,
            planned,
            control: Control::Run,
            ended: None,
            last: EventSeq::START,
            steps: 0,
            planned_steps,
            cost: Money::ZERO,
            key: job.key.as_ref().map(|key| (key.name.clone(), key.limit)),
            start_at: job.start_at,
            budget: job.budget,
            started: false,
        };
        model.jobs.insert(job.id, entry);
        Some(planned)
    }

    /// Takes a change of a budget into the model, once it holds.
    pub(super) fn budgeted(&self, key: &BudgetKey, amount: Option<Money>, holds: bool) {
        if let (BudgetKey::Job(id), true) = (key, holds)
            && let Some(job) = self.model().jobs.get_mut(id)
        {
            job.budget = amount;
        }
    }

    pub(super) async fn controlled(&self, id: JobId, control: Control, reply: &Result<JobRecord>) {
        self.world.tell(format_args!("control {id} {control} -> {}", short(reply)));
        if reply.is_err() {
            return self.looked().await;
        }
        let mut events = Vec::new();
        if let Some(job) = self.model().jobs.get_mut(&id) {
            if job.control != control {
                events.push(EventBody::Controlled { control });
            }
            job.control = control;
        }
        self.audit_items(id).await;
        self.audit_job(id, &events).await;
        self.looked().await;
    }

    pub(super) async fn abandoned(&self, id: JobId, reply: &Result<JobRecord>) {
        self.world.tell(format_args!("abandon {id} -> {}", short(reply)));
        if let Ok(record) = reply {
            let (events, held) = self.give_up(id);
            if held {
                self.world.reached("abandoned job with held items");
            }
            self.world
                .check(S2, record.status.is_terminal(), || format!("{id} was abandoned and is {}", record.status));
            self.audit_items(id).await;
            self.audit_job(id, &events).await;
        }
        self.looked().await;
    }

    /// Cancels a job in the model and takes its items from whoever holds them; returns what is told and whether any was
    /// held.
    fn give_up(&self, id: JobId) -> (Vec<EventBody>, bool) {
        let mut events = Vec::new();
        let mut model = self.model();
        if let Some(job) = model.jobs.get_mut(&id) {
            if job.control != Control::Cancel {
                events.push(EventBody::Controlled { control: Control::Cancel });
            }
            job.control = Control::Cancel;
        }
        let mut held = false;
        for item in model.items.values_mut().filter(|item| item.job == id && item.holder.is_some()) {
            item.holder = None;
            held = true;
        }
        (events, held)
    }

    pub(super) fn paused(&self, paused: bool) {
        self.world.tell(format_args!("pause all {paused}"));
        self.model().paused = paused;
    }

    // Sessions.

    pub(super) fn opened(&self, session: &NewSession) {
        let until = self.now().after(session.lease);
        self.model().sessions.insert(session.id, until);
    }

    pub(super) async fn beaten(&self, session: SessionId, lease: Duration, reply: &Result<Heartbeat>) {
        let Ok(beat) = reply else { return };
        let now = self.now();
        let valid = self.model().sessions.get(&session).is_some_and(|until| *until > now);
        self.world.check(S3_LEASE, valid || !beat.alive, || format!("{session} was dead and is alive"));
        if beat.alive {
            self.model().sessions.insert(session, now.after(lease));
        } else {
            self.world.tell(format_args!("{session} has lost its lease"));
            self.world.reached("lease lost");
            self.gone(&[session]);
            self.looked().await;
        }
    }

    pub(super) async fn closed(&self, session: SessionId) {
        self.gone(&[session]);
        self.looked().await;
    }

    /// Takes the claims of sessions whose lease has run out, as the store is to do before it answers.
    pub(super) fn bury(&self) {
        let now = self.now();
        let dead: Vec<SessionId> =
            self.model().sessions.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        if !dead.is_empty() {
            self.world.tell(format_args!("{} sessions are dead", dead.len()));
            self.gone(&dead);
        }
    }

    pub(super) async fn kept(&self, session: SessionId, kept: &[ItemId]) {
        let now = self.now();
        let mut freed = 0;
        {
            let mut model = self.model();
            let unsettled = model.unsettled();
            let held = |item: &&mut Item| item.holder == Some(session) && !kept.contains(&item.machine.id);
            for item in model.items.values_mut().filter(held) {
                item.holder = None;
                item.gate = item.gate.take().filter(|_| !unsettled.contains(&item.machine.id));
                item.due = Some(now);
                freed += 1;
            }
        }
        if freed > 0 {
            self.world.tell(format_args!("{session} gives {freed} items back that it did not know of"));
            self.world.reached("lost claim given back");
        }
        self.looked().await;
    }

    fn gone(&self, dead: &[SessionId]) {
        let now = self.now();
        let mut model = self.model();
        for session in dead {
            model.sessions.remove(session);
        }
        let unsettled = model.unsettled();
        for item in model.items.values_mut().filter(|item| item.holder.is_some_and(|id| dead.contains(&id))) {
            item.holder = None;
            item.gate = item.gate.take().filter(|_| !unsettled.contains(&item.machine.id));
            item.due = Some(now);
        }
    }

    /// Brings the events and ends of all jobs up to date: looking buries sessions, and so may end cancelled jobs.
    pub(super) async fn looked(&self) {
        let open: Vec<JobId> = {
            let model = self.model();
            let cancelled = model.jobs.iter().filter(|(_, job)| job.ended.is_none() && job.control == Control::Cancel);
            cancelled.map(|(id, _)| *id).collect()
        };
        for id in open {
            self.audit_items(id).await;
            self.audit_job(id, &[]).await;
        }
    }

    pub(super) async fn claimed(&self, request: &ClaimRequest, reply: &Result<Claims>) {
        // The claim has buried who was dead before it handed anything out.
        self.looked().await;
        if let Ok(claims) = reply {
            let count = claims.units.len();
            if count > 0 {
                self.world.tell(format_args!("{} claims {count} units", request.session));
            }
            for unit in &claims.units {
                self.hand_over(request.session, unit);
            }
            if count > 0 {
                self.check_claims(claims);
            }
        }
    }

    fn hand_over(&self, session: SessionId, unit: &[pipeline_core::storage::Claimed]) {
        let now = self.now();
        let mut model = self.model();
        let alive = model.sessions.get(&session).is_some_and(|until| *until > now);
        let paused = model.paused;
        let first = unit.first().map(|claimed| claimed.item.job);
        let mut findings = Vec::new();
        if let Some(job) = first.and_then(|id| model.jobs.get_mut(&id)) {
            job.started = true;
            let ready = job.control == Control::Run && !paused && job.ended.is_none();
            let time = job.start_at.is_none_or(|at| at <= now);
            findings.push((
                S12_CLAIM,
                ready && time && alive,
                format!("a unit of a job that is not to run: {first:?}"),
            ));
        }
        // One that goes on with a call it has made brings its mates along, whatever gate they come to.
        let gate_of = |id: &ItemId| model.items.get(id).and_then(|item| item.gate.as_ref());
        let free = unit.iter().any(|claimed| gate_of(&claimed.item.id).is_none());
        for claimed in unit {
            let shut = |gates: &BTreeMap<GateKey, Gate>, key: &GateKey| {
                gates.get(key).and_then(|gate| gate.closed_until).is_some_and(|until| until > now)
            };
            let id = claimed.item.id;
            let gate = model.items.get(&id).and_then(|item| item.gate.clone());
            let closed = !free && gate.is_some_and(|key| shut(&model.gates, &key));
            let Some(item) = model.items.get_mut(&id) else {
                findings.push((S3_HOLDER, false, format!("an unknown item {id}")));
                continue;
            };
            let fresh = item.holder.is_none() && claimed.token > item.token;
            findings.push((S3_HOLDER, fresh, format!("{id} with {:?} after {:?}", claimed.token, item.token)));
            findings.push((S2, !item.status.is_terminal(), format!("{id} had ended as {}", item.status)));
            let same = claimed.item.machine == item.machine;
            findings.push((
                S3_WHOLE,
                same,
                format!("{id} is handed out as {:?}, not as {:?}", claimed.item.machine, item.machine),
            ));
            let due = item.due.is_some_and(|due| due <= now);
            findings.push((S12_CLAIM, due && !closed, format!("{id} is not due, or its gate is closed")));
            item.token = claimed.token;
            item.holder = Some(session);
            item.interrupted = item.machine.stages.iter().any(|state| matches!(state, StageState::Running { .. }));
        }
        drop(model);
        for (invariant, holds, found) in findings {
            self.world.check(invariant, holds, || found);
        }
    }

    /// What holds after a claim: no part of a unit is left behind, turns and concurrency are kept.
    fn check_claims(&self, claims: &Claims) {
        let now = self.now();
        let model = self.model();
        let mut findings = Vec::new();
        for unit in &claims.units {
            let Some(first) = unit.first() else { continue };
            let unit_of = |id: ItemId| model.items.get(&id).and_then(|item| item.unit);
            if let Some(name) = unit_of(first.item.id) {
                let left = model.items.iter().find(|(_, item)| {
                    let whole = item.unit == Some(name) && item.holder.is_none() && !item.status.is_terminal();
                    whole && item.due.is_some_and(|due| due <= now)
                });
                let found = format!("of the unit {name} an item stays behind: {:?}", left.map(|(id, _)| id));
                findings.push((left.is_none(), found));
            }
            let Some(job) = model.jobs.get(&first.item.job) else { continue };
            if let Some((name, limit)) = &job.key {
                let taken = model.jobs.values().filter(|other| {
                    other.started && other.ended.is_none() && other.key.as_ref().is_some_and(|key| key.0 == *name)
                });
                let taken = taken.count();
                findings.push((taken <= *limit as usize, format!("{taken} jobs of the key {name} are in work")));
            }
            if let Some(most) = job.plan.concurrency {
                let held = model.items.values().filter(|item| item.job == first.item.job && item.holder.is_some());
                let units: BTreeSet<ItemId> =
                    held.map(|item| item.unit.unwrap_or(item.machine.id)).collect::<BTreeSet<_>>();
                let found = format!("{} units of the job are held, not {most}", units.len());
                findings.push((units.len() <= most.max(1) as usize, found));
            }
        }
        drop(model);
        for (holds, found) in findings {
            self.world.check(S12_CLAIM, holds, || found);
        }
    }

    // Commits.

    pub(super) async fn committed(&self, session: SessionId, commits: &[Commit], reply: &Result<Vec<CommitReply>>) {
        let Ok(replies) = reply else {
            self.world.tell(format_args!("commit of {} -> {}", commits.len(), short(reply)));
            return;
        };
        let mut told: BTreeMap<JobId, Vec<EventBody>> = BTreeMap::new();
        for (commit, reply) in commits.iter().zip(replies) {
            self.world.tell(format_args!(
                "commit {} {:?} {} {}r {}c {}e -> {reply:?}",
                commit.item,
                commit.token,
                commit.status,
                commit.results.len(),
                commit.calls.len(),
                commit.events.len()
            ));
            match reply {
                CommitReply::Applied => {
                    self.apply(session, commit);
                    let events = commit.events.iter().cloned();
                    let events = events.map(|what| EventBody::Item { item: commit.item, what });
                    told.entry(commit.job).or_default().extend(events);
                }
                CommitReply::Superseded => self.world.reached("commit superseded"),
                CommitReply::Refused(Refusal::Cancelled) => self.world.reached("intent refused: cancelled"),
                CommitReply::Refused(Refusal::Settled) => self.world.reached("intent refused: settled"),
                CommitReply::Refused(Refusal::Paused) => self.world.reached("intent refused: paused"),
                CommitReply::Refused(Refusal::Budget(..)) => self.world.reached("intent refused: budget"),
                CommitReply::Refused(Refusal::Gate(_)) => self.world.reached("intent refused: gate"),
            }
        }
        for (commit, reply) in commits.iter().zip(replies) {
            self.read_back(commit, *reply).await;
        }
        for (job, events) in told {
            self.audit_job(job, &events).await;
        }
    }

    /// Takes an accepted commit into the model, and checks that it could be accepted.
    fn apply(&self, session: SessionId, commit: &Commit) {
        let now = self.now();
        let back = self.world.clock.has_gone_back();
        let id = commit.item;
        let mut findings: Vec<(&'static str, bool, String)> = Vec::new();
        let mut model = self.model();
        let plan = model.jobs.get(&commit.job).map(|job| job.plan.clone());
        let cancelled = model.jobs.get(&commit.job).is_some_and(|job| job.control == Control::Cancel);
        if let (Some(item), Some(plan)) = (model.items.get_mut(&id), plan) {
            let current = item.token == commit.token && item.holder == Some(session);
            let found =
                format!("{id}: {:?} of {session}, held by {:?} with {:?}", commit.token, item.holder, item.token);
            findings.push((S3, current, found));
            let over = item.status.is_terminal() || item.machine.expanded.is_some();
            findings.push((S2, !over, format!("{id} was {} and is written", item.status)));
            steps(&plan, item, commit, (now, back), &mut findings);
            item.interrupted &= commit.machine.crashes == item.machine.crashes;
            item.machine = commit.machine.clone();
            item.unit = commit.unit;
            item.gate.clone_from(&commit.gate);
            item.due = commit.claimable_at;
            item.status = commit.status;
            let replaced = commit.machine.expanded.is_some();
            if cancelled && commit.release && !replaced && !commit.status.is_terminal() {
                item.status = ItemStatus::Cancelled;
            }
            if commit.release || commit.status.is_terminal() || replaced {
                item.holder = None;
            }
        } else {
            findings.push((S3, false, format!("a commit on the unknown item {id} was applied")));
        }
        model.recorded.extend(commit.results.iter().map(|result| result.id));
        for child in &commit.children {
            let mut child_model = born(commit.job, child, now);
            if cancelled {
                child_model.status = ItemStatus::Cancelled;
            }
            model.items.insert(child.id, child_model);
        }
        for call in &commit.calls {
            self.open(&mut model, session, call, now, &mut findings);
        }
        drop(model);
        for (invariant, holds, found) in findings {
            self.world.check(invariant, holds, || found);
        }
        self.note(commit);
    }

    /// Counts the rare states a commit tells of.
    fn note(&self, commit: &Commit) {
        for event in &commit.events {
            match event {
                ItemEvent::StageStopped { stop: Stop::Failed { failure }, .. } => {
                    if failure.code == FailureCode::CrashLoop {
                        self.world.reached("crash loop");
                    } else if failure.retry == Retryability::Exhausted {
                        self.world.reached("attempts used up");
                    }
                }
                ItemEvent::StageWaiting { reason, .. } if reason.contains("still open") => {
                    self.world.reached("earlier call awaited");
                }
                ItemEvent::Ended { status: ItemStatus::Filtered } => self.world.reached("item filtered"),
                ItemEvent::Ended { status: ItemStatus::Rejected } => self.world.reached("item rejected"),
                ItemEvent::Ended { status: ItemStatus::Undecided } => self.world.reached("item undecided"),
                _ => {}
            }
        }
        let held = |state: &StageState| matches!(state, StageState::Waiting { on: Wait::Person { .. }, .. });
        if commit.machine.stages.iter().any(held) {
            self.world.reached("held for a person");
            let right = !self.repeatable || self.is_left_alone(commit.item);
            self.world.check(HOLD, right, || format!("{} is held: {:?}", commit.item, commit.machine.stages));
        }
    }

    /// Tells whether an item shares a call without a known outcome with another that has ended: the whole order cannot be
    /// repeated any more.
    fn is_left_alone(&self, item: ItemId) -> bool {
        let model = self.model();
        let ended = |other: &ItemId| model.items.get(other).is_some_and(|other| other.status.is_terminal());
        let mut calls = model.calls.values();
        calls.any(|call| {
            matches!(call.state, CallState::Open | CallState::Unknown)
                && call.intent.items.contains(&item)
                && call.intent.items.iter().any(ended)
        })
    }

    fn open(
        &self,
        model: &mut Model,
        session: SessionId,
        call: &NewCall,
        now: Timestamp,
        findings: &mut Vec<(&'static str, bool, String)>,
    ) {
        let id = call.id;
        let known = model.calls.get(&id).map(|call| call.state);
        if known.is_some_and(|state| state != CallState::Unknown) {
            return;
        }
        if known.is_some() {
            self.world.reached("call opened again");
        }
        if call.items.len() > 1 {
            self.world.reached("call of several items");
        }
        let control = model.jobs.get(&call.job).map(|job| job.control);
        let runs = control == Some(Control::Run) && !model.paused;
        findings.push((S11, runs, format!("the intent {id} of a job that is to {control:?}")));
        if let Some(pass) = &call.gate {
            let Limits { concurrency, per_minute } = pass.limits;
            let at = |call: &&Call| call.intent.gate.as_ref().is_some_and(|gate| gate.key == pass.key);
            let open = model.calls.values().filter(at);
            let open = open.filter(|call| call.state == CallState::Open && call.deadline > now).count();
            let full = concurrency.is_some_and(|most| open >= most as usize);
            findings.push((S12, !full, format!("{id} is beside {open} open calls; {concurrency:?} at once may be")));
            let gate = model.gates.entry(pass.key.clone()).or_default();
            let closed = gate.closed_until.is_some_and(|until| until > now);
            findings.push((S12, !closed, format!("{id} has passed a gate closed until {:?}", gate.closed_until)));
            gate.opened.remove(&id);
            let recent = gate.opened.values().filter(|at| at.after(RATE_WINDOW) > now).count();
            let over = per_minute.is_some_and(|most| recent >= most as usize);
            findings.push((S12, !over, format!("{id} is number {} of a minute of {per_minute:?}", recent + 1)));
            gate.opened.insert(id, now);
        }
        // An unknown one has its reservation.
        let budget = model.jobs.get(&call.job).and_then(|job| job.budget).filter(|_| known.is_none());
        if let Some(budget) = budget {
            let of_job = model.calls.values().filter(|other| other.intent.job == call.job);
            let used = of_job.fold(call.reserved.unwrap_or_default(), |sum, other| match other.state {
                CallState::Open | CallState::Unknown => sum + other.intent.reserved.unwrap_or_default(),
                CallState::Succeeded | CallState::Failed => sum + other.cost,
            });
            findings.push((BUDGET, used <= budget, format!("with {id} it is {used} of {budget}")));
        }
        let deadline = now.after(call.patience);
        let (state, cost) = (CallState::Open, Money::ZERO);
        let kept = Call { intent: call.clone(), opener: session, state, cost, deadline };
        model.calls.insert(id, kept);
    }

    /// Reads in the store what became of a commit.
    async fn read_back(&self, commit: &Commit, reply: CommitReply) {
        let expected =
            self.model().items.get(&commit.item).map(|item| (item.machine.clone(), item.status, item.holder));
        let (Some((machine, status, holder)), Ok(stored)) = (expected, self.store.item(commit.item).await) else {
            return self
                .world
                .check(S3_WHOLE, reply != CommitReply::Applied, || format!("{} is not there", commit.item));
        };
        self.world.check(S3_WHOLE, stored.machine == machine, || {
            format!("{}: {:?} is stored, not {machine:?} ({reply:?})", commit.item, stored.machine)
        });
        let shown = if holder.is_some() { ItemStatus::Running } else { status };
        let settled = stored.status == shown || holder.is_none() && shown == ItemStatus::Running;
        self.world.check(S2, settled, || format!("{} is shown as {}, not {shown}", commit.item, stored.status));
        let applied = reply == CommitReply::Applied;
        if !commit.results.is_empty() {
            let ids: Vec<ResultId> = commit.results.iter().map(|result| result.id).collect();
            // One that was written before and whose answer was lost may come again, and is superseded then.
            let wanted = ids.iter().filter(|id| self.model().recorded.contains(id)).count();
            let found = self.store.results(ids).await.unwrap_or_default().len();
            self.world.check(S3_WHOLE, found == wanted, || format!("{}: {found} results after {reply:?}", commit.item));
        }
        for child in &commit.children {
            let there = self.store.item(child.id).await.is_ok();
            let wanted = self.model().items.contains_key(&child.id);
            self.world.check(S3_WHOLE, there == wanted, || format!("child {} after {reply:?}", child.id));
        }
        if applied {
            let wanted: BTreeSet<_> = machine.results().map(|(_, id)| id).collect();
            let found = self.store.results(wanted.iter().copied().collect()).await.unwrap_or_default().len();
            self.world.check(S4, found == wanted.len(), || format!("{}: {found} of {wanted:?}", commit.item));
        }
    }

    // The ledger.

    pub(super) async fn settled(&self, settlement: &Settlement, reply: &Result<SettleReply>) {
        let id = settlement.call;
        self.world.tell(format_args!("settle {id} {:?} -> {}", settlement.state, short(reply)));
        let Ok(reply) = reply else { return };
        let Some((before, expected, job)) = self.learn(settlement) else {
            return self.world.check(S7, false, || format!("the unknown call {id} was settled"));
        };
        let open = before != expected;
        let right = open == (*reply == SettleReply::Settled);
        let found = || format!("{id} was {before:?}, and its settlement {:?} got {reply:?}", settlement.state);
        self.world.check(S7, right, found);
        let query = CallQuery { job: Some(job), limit: 10_000, ..CallQuery::default() };
        let stored = self.store.calls(query).await.unwrap_or_default();
        let stored = stored.iter().find(|call| call.id == id);
        let kept = stored.is_some_and(|call| {
            call.state == expected && (!open || settlement.response.is_none() || call.response == settlement.response)
        });
        self.world.check(S7, kept, || format!("{id} is to be {expected:?} and is stored as {stored:?}"));
    }

    /// Takes a settlement into the model; returns the state before and after, and the job.
    fn learn(&self, settlement: &Settlement) -> Option<(CallState, CallState, JobId)> {
        let (id, now) = (settlement.call, self.now());
        let mut model = self.model();
        let call = model.calls.get(&id)?;
        let (before, job) = (call.state, call.intent.job);
        let open = before == CallState::Open || before == CallState::Unknown && settlement.state != CallState::Unknown;
        let stale = settlement.state != CallState::Succeeded
            && settlement.sending.is_some_and(|sending| sending != call.intent.sending);
        if !open || stale {
            if open && before == CallState::Open {
                self.world.reached("failure of an earlier sending");
            }
            return Some((before, before, job));
        }
        let held = |item: &ItemId| model.items.get(item).is_some_and(|item| item.holder == Some(call.opener));
        if settlement.state == CallState::Succeeded && !call.intent.items.iter().any(held) {
            self.world.reached("late settle recorded");
        }
        if before == CallState::Unknown {
            self.world.reached("unknown outcome learnt later");
        }
        let key = call.intent.gate.as_ref().map(|gate| gate.key.clone());
        let mut hopeless = Vec::new();
        let refused = model.refused.contains(&id);
        if let Some(call) = model.calls.get_mut(&id) {
            call.state = settlement.state;
            call.cost = settlement.cost;
            if refused && call.state == CallState::Failed {
                hopeless.extend(call.intent.items.iter().map(|item| (*item, call.intent.stage.to_string())));
            }
        }
        model.hopeless.extend(hopeless);
        if let Some(key) = key {
            let gate = model.gates.entry(key).or_default();
            let stray = settlement.outage && gate.closed_until.is_some_and(|until| until > now);
            if !stray {
                gate.outages = if settlement.outage { gate.outages + 1 } else { 0 };
            }
            if let Some(pause) = breaker_pause(gate.outages).filter(|_| !stray) {
                self.world.reached("gate closed by the breaker");
                gate.closed_until = gate.closed_until.max(Some(now.after(pause)));
            }
        }
        Some((before, settlement.state, job))
    }

    pub(super) async fn attached(&self, call: CallId, external_id: &str, reply: &Result<AttachReply>) {
        self.world.tell(format_args!("attach {call} {external_id} -> {}", short(reply)));
        if matches!(reply, Ok(AttachReply::Attached)) {
            let job = self.model().calls.get(&call).map(|call| call.intent.job);
            let query = CallQuery { job, limit: 10_000, ..CallQuery::default() };
            let stored = self.store.calls(query).await.unwrap_or_default();
            let kept = stored.iter().any(|known| known.id == call && known.external_id.as_deref() == Some(external_id));
            self.world.check(S7, kept, || format!("{call} was to keep the task {external_id}"));
        }
    }

    pub(super) fn gate_closed(&self, key: &GateKey, pause: Duration) {
        self.world.reached("gate closed by the vendor");
        let until = self.now().after(pause);
        let mut model = self.model();
        let gate = model.gates.entry(key.clone()).or_default();
        gate.closed_until = gate.closed_until.max(Some(until));
    }

    // The vendor.

    /// An order, or a question for a task, has reached the vendor.
    pub(super) fn sent(&self, call: CallId, items: &[ItemId], stage: &str, resumed: bool) {
        let now = self.now();
        let mut model = self.model();
        let known = model.calls.get(&call);
        let durable = known.is_some();
        let current = known.is_some_and(|call| call.state == CallState::Open && call.deadline > now);
        let limit = known.and_then(|call| call.intent.gate.as_ref()).and_then(|gate| gate.limits.concurrency);
        let same = model.bodies.entry(call).or_insert_with(|| items.to_vec()).as_slice() == items;
        let hopeless = !resumed && items.iter().any(|item| model.hopeless.contains(&(*item, stage.to_owned())));
        if current {
            model.at_vendor.insert(call);
        }
        let busy = model.at_vendor.iter().filter_map(|call| model.calls.get(call));
        let busy = busy.filter(|call| call.state == CallState::Open && call.deadline > now).count();
        drop(model);
        self.world.tell(format_args!("vendor hears of {call} for {} items", items.len()));
        self.world.check(S5, durable, || format!("nothing is known of {call}"));
        self.world.check(S6_BODY, same, || format!("{call} is now for {items:?}"));
        self.world.check(S10, !hopeless, || format!("{call} for {items:?} was refused for good before"));
        let allowed = limit.is_none_or(|most| busy <= most as usize);
        self.world.check(S12_VENDOR, allowed || !current, || format!("{busy} calls at once, {limit:?} are allowed"));
    }

    /// The vendor has answered, or its answer is awaited no more.
    pub(super) fn left(&self, call: CallId) {
        self.model().at_vendor.remove(&call);
    }

    /// The vendor has charged for an order.
    pub(super) fn charged(&self, call: CallId, items: &[ItemId], stage: &str, amount: Money) {
        let mut model = self.model();
        let twice = model
            .charges
            .iter()
            .find(|charge| charge.stage == stage && charge.items.iter().any(|item| items.contains(item)));
        let found = format!("{call} for {items:?} after {twice:?}");
        let twice = twice.is_some();
        model.charges.push(Charge { call, items: items.to_vec(), stage: stage.to_owned(), amount });
        drop(model);
        self.world.tell(format_args!("vendor charges {call} for {} items", items.len()));
        self.world.check(S6, !twice, || found);
    }

    /// The vendor has said that an order cannot be done.
    pub(super) fn refused(&self, call: CallId) {
        self.model().refused.insert(call);
    }

    /// A good answer has reached a process.
    pub(super) fn answered(&self, call: CallId, process: &Arc<Process>) {
        self.model().answered.push((call, Arc::clone(process)));
    }

    // Whole jobs.

    /// Reads a job's new events and its record.
    async fn audit_job(&self, id: JobId, expected: &[EventBody]) {
        let Some(last) = self.model().jobs.get(&id).map(|job| job.last) else { return };
        let events = self.store.events(id, last, 10_000).await.unwrap_or_default();
        let record = self.store.job(id).await;
        let mut findings: Vec<(&'static str, bool, String)> = Vec::new();
        let mut model = self.model();
        let Some(job) = model.jobs.get_mut(&id) else { return };
        let gapless = events.iter().enumerate().all(|(place, event)| event.seq.0 == last.0 + place as i64 + 1);
        findings.push((S13, gapless, format!("{id}: after {last:?} come {events:?}")));
        let bodies: Vec<&EventBody> = events.iter().map(|event| &event.body).collect();
        let (told, more) = bodies.split_at(expected.len().min(bodies.len()));
        let same = told.iter().copied().eq(expected) && more.len() <= 1;
        let end = match more {
            [EventBody::Finished { status, counts }] => Some((*status, *counts)),
            _ => None,
        };
        let right = same && (more.is_empty() || end.is_some()) && (job.ended.is_none() || events.is_empty());
        findings.push((S13, right, format!("{id} tells {bodies:?}, not {expected:?}")));
        job.last = EventSeq(last.0 + events.len() as i64);
        match record {
            Err(error) => findings.push((S1, false, format!("{id} is not there: {error}"))),
            Ok(record) => {
                let counts = record.counts;
                let right = counts.reconciles() && counts.planned == job.planned;
                findings.push((COUNTS, right, format!("{id}: {counts:?}, planned were {}", job.planned)));
                let steps = record.steps_done >= job.steps && record.steps_planned == job.planned_steps;
                let found =
                    format!("{id}: {} of {} steps after {}", record.steps_done, record.steps_planned, job.steps);
                findings.push((PROGRESS, steps && record.cost >= job.cost, found));
                job.steps = record.steps_done;
                job.cost = record.cost;
                let stays = job.ended.is_none_or(|ended| ended == record.status);
                findings.push((S2, stays, format!("{id} was {:?} and is {}", job.ended, record.status)));
                let over = record.status.is_terminal();
                let tells = match end {
                    Some((status, told)) => over && status == record.status && told == counts,
                    None => over == job.ended.is_some(),
                };
                findings.push((S13, tells, format!("{id} is {}, and its end is told as {end:?}", record.status)));
                findings.push((S13, record.last_event == job.last, format!("{id}: {:?}", record.last_event)));
                findings.push((S11, record.control == job.control, format!("{id} is to {}", record.control)));
                if over {
                    job.ended = Some(record.status);
                }
            }
        }
        drop(model);
        for (invariant, holds, found) in findings {
            self.world.check(invariant, holds, || found);
        }
    }

    /// Reads every item of a job; those that had ended are as they were.
    async fn audit_items(&self, id: JobId) {
        let items = self.store.items(ItemQuery { limit: 10_000, ..ItemQuery::of(id) }).await.unwrap_or_default();
        let mut findings = Vec::new();
        let mut model = self.model();
        let there = model.items.values().filter(|item| item.job == id && item.machine.expanded.is_none()).count();
        findings.push((S1, items.len() == there, format!("{id} has {} items, not {there}", items.len())));
        for stored in items {
            let Some(item) = model.items.get_mut(&stored.id) else { continue };
            let ended = item.status.is_terminal();
            let found = format!("{} was {} and is {}", stored.id, item.status, stored.status);
            findings.push((S2, !ended || item.status == stored.status, found));
            findings.push((S3_WHOLE, item.machine == stored.machine, format!("{} was changed", stored.id)));
            if stored.status.is_terminal() {
                item.status = stored.status;
                item.holder = None;
            }
        }
        drop(model);
        for (invariant, holds, found) in findings {
            self.world.check(invariant, holds, || found);
        }
    }

    /// Tells whether every job has ended, waits for a person, or waits for its turn behind one that does.
    pub(super) fn is_over(&self) -> bool {
        let model = self.model();
        let held = |item: &Item| {
            let person = |state: &StageState| matches!(state, StageState::Waiting { on: Wait::Person { .. }, .. });
            item.holder.is_none() && item.machine.stages.iter().any(person)
        };
        let over = |item: &Item| item.status.is_terminal() || item.machine.expanded.is_some() || held(item);
        let stands = |id: JobId| model.items.values().filter(|item| item.job == id).all(over);
        model.jobs.iter().all(|(id, job)| {
            let behind = job.key.as_ref().filter(|_| !job.started).is_some_and(|(name, limit)| {
                let before = model.jobs.iter().filter(|(_, other)| {
                    other.started && other.ended.is_none() && other.key.as_ref().is_some_and(|key| key.0 == *name)
                });
                before.clone().count() >= *limit as usize && before.into_iter().all(|(id, _)| stands(*id))
            });
            job.ended.is_some() || stands(*id) || behind
        })
    }

    /// Checks what holds at the end: everything has ended or is held, and the books agree.
    pub(super) async fn close(&self, in_time: bool) {
        let jobs: Vec<JobId> = self.model().jobs.keys().copied().collect();
        let over = self.is_over();
        for id in &jobs {
            self.audit_items(*id).await;
            self.audit_job(*id, &[]).await;
        }
        let open: Vec<String> = {
            let model = self.model();
            let open =
                model.items.values().filter(|item| !item.status.is_terminal() && item.machine.expanded.is_none());
            open.map(|item| format!("{:?} {:?} due {:?}", item.machine.id, item.machine.stages, item.due)).collect()
        };
        self.world.check(LIVE, in_time && over, || format!("in time: {in_time}; open: {open:?}"));
        let mut calls = Vec::new();
        for id in &jobs {
            let query = CallQuery { job: Some(*id), limit: 10_000, ..CallQuery::default() };
            calls.extend(self.store.calls(query).await.unwrap_or_default());
        }
        let mut findings = Vec::new();
        let model = self.model();
        for charge in &model.charges {
            let found = format!("a charge of {} for {}, which is in no ledger", charge.amount, charge.call);
            findings.push((E1, calls.iter().any(|call| call.id == charge.call), found));
        }
        for call in &calls {
            let charges = model.charges.iter().filter(|charge| charge.call == call.id);
            let bill = charges.fold(Money::ZERO, |sum, charge| sum + charge.amount);
            let right = match call.state {
                CallState::Succeeded => call.cost == Some(bill),
                CallState::Failed => bill == Money::ZERO,
                CallState::Open | CallState::Unknown => bill <= call.reserved,
            };
            findings.push((
                E1,
                right,
                format!("{} is {:?} and cost {:?}, the bill says {bill}", call.id, call.state, call.cost),
            ));
        }
        for (call, process) in &model.answered {
            let lived = !process.is_dead() && !process.troubled.load(std::sync::atomic::Ordering::SeqCst);
            let known = calls.iter().any(|known| known.id == *call && known.state == CallState::Succeeded);
            findings.push((S7_LIVE, known || !lived, format!("{call} was answered to {}", process.name)));
        }
        drop(model);
        for (invariant, holds, found) in findings {
            self.world.check(invariant, holds, || found);
        }
    }
}

fn born(job: JobId, item: &NewItem, now: Timestamp) -> Item {
    Item {
        job,
        token: Token(0),
        holder: None,
        machine: item.machine.clone(),
        status: item.status,
        unit: item.unit,
        gate: item.gate.clone(),
        due: (!item.status.is_terminal()).then_some(now),
        interrupted: false,
    }
}

/// Checks one item's step from what was stored to what was committed; several transitions may ride in one commit.
fn steps(
    plan: &Plan,
    item: &Item,
    commit: &Commit,
    (now, back): (Timestamp, bool),
    findings: &mut Vec<(&'static str, bool, String)>,
) {
    let (before, after, id) = (&item.machine, &commit.machine, commit.item);
    let counted = after.crashes.checked_sub(before.crashes);
    let right = counted == Some(u32::from(item.interrupted)) || counted == Some(0);
    let found = format!("{id}: {} crashes after {}, interrupted: {}", after.crashes, before.crashes, item.interrupted);
    findings.push((S10_CRASH, right && (counted == Some(1) || !item.interrupted), found));
    for (index, (old, new)) in before.stages.iter().zip(&after.stages).enumerate() {
        findings.push((S2, !old.is_settled() || old == new, format!("{id}: {old:?} became {new:?}")));
        let StageState::Running { attempt, .. } = new else { continue };
        let Some(stage) = plan.stage(index) else { continue };
        let needs = stage.needs.iter().filter_map(|need| after.stages.get(*need));
        let done = needs.clone().all(|state| match state {
            StageState::Done { .. } => true,
            StageState::Skipped { why, .. } => why.passes(),
            _ => false,
        });
        findings.push((S4, done, format!("{id}: `{}` runs after {:?}", stage.name, needs.collect::<Vec<_>>())));
        let bounded = *attempt <= stage.policy.max_attempts;
        findings.push((S10, bounded, format!("{id}: try {attempt} of `{}`", stage.name)));
        if let StageState::Waiting { attempt: waiting, on: Wait::Until { at, .. }, .. } = old
            && waiting == attempt
        {
            findings.push((S10, back || *at <= now, format!("{id}: `{}` waits until {at}", stage.name)));
        }
    }
    for event in &commit.events {
        if let ItemEvent::StageRetrying { failure, .. } = event {
            findings.push((S10, failure.retry == Retryability::Transient, format!("{id} retries after {failure:?}")));
        }
    }
    let again = before == after && !commit.events.is_empty();
    findings.push((S13, !again, format!("{id} tells {:?} again", commit.events)));
    let ends = |machine: &ItemMachine| machine.expanded.is_none() && machine.stages.iter().all(StageState::is_settled);
    let told = commit.events.iter().any(|event| matches!(event, ItemEvent::Ended { .. }));
    findings.push((S13, ends(after) == told, format!("{id} ends: {}, tells it: {told}", ends(after))));
    let leaves: u32 = commit.children.iter().map(|child| child.machine.leaves).sum();
    findings.push((COUNTS, after.leaves + leaves == before.leaves, format!("{id} had {} leaves", before.leaves)));
}

fn short<T>(reply: &Result<T>) -> String {
    match reply {
        Ok(_) => "ok".to_owned(),
        Err(error) => Error::kind(error).code().to_owned(),
    }
}
