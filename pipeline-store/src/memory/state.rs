//! What the memory store keeps, and the few edits everything is made of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, EventSeq, HookId, ItemId, JobId, ResultId, SessionId, Token};
use pipeline_core::model::{Control, Counts, ItemStatus, JobStatus, Limits, Money};
use pipeline_core::storage::{
    Budget, BudgetKey, CallRecord, CallState, DeliveryRecord, EventBody, EventRecord, GateKey, Hook, ItemRecord,
    JobPlan, JobRecord, NewItem, NewJob, ResultRecord, ReviewRecord, SavedKind, SavedRecord, ScheduleRecord,
    SessionRecord,
};
use pipeline_core::time::Timestamp;

use super::hooks::LaneState;

/// A place in claim order: ordinal, slot, item.
pub(super) type Place = (u32, u32, ItemId);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) jobs: BTreeMap<JobId, Job>,
    /// Deleted jobs of which something is left.
    pub(super) deleted: BTreeMap<JobId, Job>,
    /// Whose the jobs were of which only calls are left.
    pub(super) gone: BTreeMap<JobId, String>,
    pub(super) items: HashMap<ItemId, Item>,
    pub(super) results: HashMap<ResultId, ResultRecord>,
    pub(super) calls: Vec<CallRecord>,
    pub(super) call_places: HashMap<CallId, usize>,
    pub(super) sessions: BTreeMap<SessionId, SessionRecord>,
    pub(super) gates: BTreeMap<GateKey, Gate>,
    pub(super) budgets: BTreeMap<BudgetKey, Budget>,
    pub(super) paused: bool,
    pub(super) names: HashMap<(String, String), (JobId, ItemId)>,
    pub(super) reviews: Vec<ReviewRecord>,
    pub(super) saved: BTreeMap<(SavedKind, String, String), SavedRecord>,
    pub(super) schedules: Vec<ScheduleRecord>,
    pub(super) fingerprints: HashMap<(JobId, String), Vec<(ItemId, u64)>>,
    /// By owner and name.
    pub(super) hooks: Vec<Hook>,
    pub(super) lanes: BTreeMap<(HookId, JobId), LaneState>,
    /// In the order of their first try.
    pub(super) deliveries: Vec<DeliveryRecord>,
}

/// What is kept of a gate; the rest is in the calls.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) closed_until: Option<Timestamp>,
    pub(super) reason: Option<String>,
    pub(super) limits: Limits,
    pub(super) outages: u32,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) new: NewJob,
    /// Settings of later rounds; the first has the number 1.
    pub(super) revisions: Vec<JobPlan>,
    pub(super) control: Control,
    /// Only once ended.
    pub(super) status: Option<JobStatus>,
    pub(super) cost: Money,
    pub(super) served_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) events: Vec<EventRecord>,
    pub(super) places: BTreeSet<Place>,
    /// Those no session holds and that have a time.
    pub(super) claimable: BTreeSet<Place>,
    /// Leaves that have not ended.
    pub(super) open: u64,
}

#[derive(Debug)]
pub(super) struct Item {
    /// `status` is what the last commit said, whoever holds the item.
    pub(super) record: ItemRecord,
    pub(super) claimable_at: Option<Timestamp>,
    pub(super) unit: Option<ItemId>,
    pub(super) gate: Option<GateKey>,
    pub(super) token: Token,
    pub(super) session: Option<SessionId>,
    pub(super) history: Vec<ResultId>,
}

impl Item {
    pub(super) fn place(&self) -> Place {
        (self.record.ordinal, self.record.slot, self.record.id)
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.record.machine.expanded.is_some()
    }

    pub(super) fn status(&self) -> ItemStatus {
        if self.session.is_some() { ItemStatus::Running } else { self.record.status }
    }

    pub(super) fn view(&self) -> ItemRecord {
        ItemRecord { status: self.status(), ..self.record.clone() }
    }

    fn open(&self) -> u64 {
        if self.record.status.is_terminal() { 0 } else { u64::from(self.record.machine.leaves) }
    }

    fn is_claimable(&self) -> bool {
        self.session.is_none() && self.claimable_at.is_some()
    }
}

impl State {
    pub(super) fn job(&self, id: JobId) -> Result<&Job> {
        self.jobs.get(&id).ok_or_else(|| missing(id))
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> Result<&mut Job> {
        self.jobs.get_mut(&id).ok_or_else(|| missing(id))
    }

    /// Returns the items of a job in claim order.
    pub(super) fn items_of<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = &'a Item> {
        job.places.iter().filter_map(|(_, _, id)| self.items.get(id))
    }

    /// Changes an item and keeps its job's indexes right.
    pub(super) fn edit(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) {
        let Some(item) = self.items.get_mut(&id) else { return };
        let Some(job) = self.jobs.get_mut(&item.record.job) else { return };
        job.open -= item.open();
        job.claimable.remove(&item.place());
        change(item);
        job.open += item.open();
        if item.is_claimable() {
            job.claimable.insert(item.place());
        }
    }

    /// Inserts an item; when it has not ended it is claimable at once.
    pub(super) fn insert(&mut self, job: JobId, status: ItemStatus, new: NewItem, now: Timestamp) {
        let id = new.id;
        let due = (!status.is_terminal() && new.machine.expanded.is_none()).then_some(now);
        let record = ItemRecord {
            id,
            job,
            parent: new.parent,
            ordinal: new.ordinal,
            slot: new.slot,
            name: new.name,
            input: new.input,
            status,
            machine: new.machine,
            cost: Money::ZERO,
            updated_at: now,
        };
        let item = Item {
            record,
            claimable_at: due,
            unit: new.unit,
            gate: new.gate,
            token: Token(0),
            session: None,
            history: Vec::new(),
        };
        if let Some(job) = self.jobs.get_mut(&job) {
            job.open += item.open();
            job.places.insert(item.place());
            if item.is_claimable() {
                job.claimable.insert(item.place());
            }
        }
        self.items.insert(id, item);
    }

    pub(super) fn tell(&mut self, job: JobId, body: EventBody, now: Timestamp) {
        if let Some(found) = self.jobs.get_mut(&job) {
            let seq = EventSeq(found.events.len() as i64 + 1);
            found.events.push(EventRecord { job, seq, at: now, body });
        }
    }

    pub(super) fn counts(&self, job: &Job) -> Counts {
        let mut counts = Counts::default();
        for item in self.items_of(job) {
            counts.add(item.status(), u64::from(item.record.machine.leaves));
        }
        counts
    }

    /// Ends the job when its last leaf has ended.
    pub(super) fn finish(&mut self, id: JobId, now: Timestamp) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.open == 0 && job.status.is_none()) else { return };
        let counts = self.counts(job);
        let status = JobStatus::derive(job.control, job.started_at.is_some(), &counts);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.status = Some(status);
            job.ended_at = Some(now);
        }
        self.tell(id, EventBody::Finished { status, counts }, now);
    }

    /// Ends sessions: their items are free, or cancelled with their job.
    pub(super) fn release(&mut self, dead: &[SessionId], now: Timestamp) {
        self.free(dead, &[], now);
        for session in dead {
            self.sessions.remove(session);
        }
    }

    /// Frees what sessions hold beside some items. What has a call without a known outcome goes on with that, and comes to
    /// no gate.
    pub(super) fn free(&mut self, sessions: &[SessionId], kept: &[ItemId], now: Timestamp) {
        let held = |item: &&Item| {
            item.session.is_some_and(|session| sessions.contains(&session)) && !kept.contains(&item.record.id)
        };
        let items: Vec<(ItemId, JobId)> =
            self.items.values().filter(held).map(|item| (item.record.id, item.record.job)).collect();
        for (item, job) in &items {
            let unsettled = self
                .calls
                .iter()
                .any(|call| matches!(call.state, CallState::Open | CallState::Unknown) && call.items.contains(item));
            let cancelled = self.jobs.get(job).is_some_and(|job| job.control == Control::Cancel);
            self.edit(*item, |item| {
                item.session = None;
                item.gate = item.gate.take().filter(|_| !unsettled);
                item.record.updated_at = now;
                item.claimable_at = (!cancelled).then_some(now);
                if cancelled {
                    item.record.status = ItemStatus::Cancelled;
                } else if item.record.status == ItemStatus::Running {
                    item.record.status = ItemStatus::Pending;
                }
            });
        }
        for job in items.iter().map(|(_, job)| *job).collect::<BTreeSet<_>>() {
            self.finish(job, now);
        }
    }

    /// Takes the claims of sessions whose lease has run out.
    pub(super) fn bury(&mut self, now: Timestamp) {
        let dead: Vec<SessionId> =
            self.sessions.values().filter(|session| session.lease_until <= now).map(|session| session.id).collect();
        if !dead.is_empty() {
            self.release(&dead, now);
        }
    }

    pub(super) fn view(&self, job: &Job) -> JobRecord {
        let counts = self.counts(job);
        let steps = self
            .items_of(job)
            .map(|item| u64::from(item.record.machine.steps()) * u64::from(item.record.machine.leaves));
        JobRecord {
            id: job.new.id,
            label: job.new.label.clone(),
            owner: job.new.owner.clone(),
            priority: job.new.priority,
            pipeline: job.new.plan.plan.pipeline.clone(),
            control: job.control,
            status: job.status.unwrap_or_else(|| JobStatus::derive(job.control, job.started_at.is_some(), &counts)),
            counts,
            steps_done: steps.sum(),
            steps_planned: job.new.plan.plan.stages.len() as u64 * counts.planned,
            cost: job.cost,
            created_at: job.created_at,
            started_at: job.started_at,
            ended_at: job.ended_at,
            last_event: EventSeq(job.events.len() as i64),
            out: job.new.out.clone(),
            parent: job.new.parent,
            key: job.new.key.clone(),
            start_at: job.new.start_at,
            budget: self.budgets.get(&BudgetKey::Job(job.new.id)).cloned(),
        }
    }
}

fn missing(id: JobId) -> Error {
    Error::not_found("there is no such job").with("job", id)
}
