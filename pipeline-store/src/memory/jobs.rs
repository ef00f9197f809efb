//! Jobs and their events.

use std::collections::BTreeSet;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::executor::Decision;
use pipeline_core::id::{EventSeq, ItemId, JobId, Token};
use pipeline_core::model::{Control, Counts, ItemStatus, JobStatus, Money};
use pipeline_core::storage::{
    Budget, BudgetKey, EventBody, EventLog, EventRecord, JobKeyOf, JobPlan, JobQuery, JobRecord, JobSort, JobStore,
    NewItem, NewJob, ReviewRecord,
};
use pipeline_core::time::Timestamp;

use super::state::{Job, State};
use super::store::MemoryStore;

#[async_trait]
impl JobStore for MemoryStore {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        let now = self.time();
        self.with(|state| {
            if let Some(first) = submitted(state, &job)? {
                return Ok(state.view(state.job(first)?));
            }
            if state.jobs.contains_key(&job.id) {
                return Err(Error::conflict("a job with this id is already there").with("job", job.id));
            }
            let ids: BTreeSet<ItemId> = items.iter().map(|item| item.id).collect();
            if ids.len() < items.len() || ids.iter().any(|id| state.items.contains_key(id)) {
                return Err(Error::conflict("an item with this id is already there").with("job", job.id));
            }
            let id = job.id;
            if let Some(amount) = job.budget {
                state.budgets.insert(BudgetKey::Job(id), Budget::new(BudgetKey::Job(id), amount));
            }
            let planned = items.iter().map(|item| u64::from(item.machine.leaves)).sum();
            state.jobs.insert(id, begin(job, now));
            state.hear(id, None);
            for item in items {
                state.insert(id, item.status, item, now);
            }
            state.tell(id, EventBody::Submitted { planned }, now);
            state.finish(id, now);
            Ok(state.view(state.job(id)?))
        })
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.with(|state| Ok(state.view(state.job(id)?)))
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>> {
        let place = query.place()?.map(|cursor| (&cursor.key, cursor.id));
        let prefix = query.id_prefix.as_ref().map(|prefix| prefix.to_ascii_lowercase());
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let wanted = state.jobs.values().filter(|job| {
                prefix.as_ref().is_none_or(|prefix| job.new.id.to_string().starts_with(prefix))
                    && query.passes(state, job)
            });
            let mut jobs: Vec<(JobKeyOf, &Job)> = wanted.map(|job| (placed_by(job, query.order.by), job)).collect();
            jobs.sort_by(|(one, a), (two, b)| (one, a.new.id).cmp(&(two, b.new.id)));
            if query.order.descending {
                jobs.reverse();
            }
            let comes_after = |(key, job): &(JobKeyOf, &Job)| {
                let this = (key, job.new.id);
                place.is_none_or(|place| if query.order.descending { this < place } else { this > place })
            };
            let jobs = jobs.into_iter().filter(comes_after).take(limit as usize);
            Ok(jobs.map(|(_, job)| state.view(job)).collect())
        })
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.with(|state| Ok(state.job(id)?.new.plan.clone()))
    }

    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32> {
        self.with(|state| {
            let job = state.job_mut(id)?;
            let known = std::iter::once(&job.new.plan).chain(&job.revisions);
            let place = known.into_iter().position(|known| known.plan.hash == plan.plan.hash);
            let number = place.unwrap_or_else(|| {
                job.revisions.push(plan);
                job.revisions.len()
            });
            Ok(u32::try_from(number).unwrap_or(u32::MAX))
        })
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        self.with(|state| {
            let job = state.job(id)?;
            let place = (number as usize).checked_sub(1);
            let plan = place.map_or(Some(&job.new.plan), |place| job.revisions.get(place));
            plan.cloned().ok_or_else(|| no_revision(id, number))
        })
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            steer(state, id, control, now)?;
            Ok(state.view(state.job(id)?))
        })
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            let job = state.job(id)?;
            if job.control != Control::Cancel || job.status.is_some() {
                steer(state, id, Control::Cancel, now)?;
            }
            let held = |id: &ItemId| state.items.get(id).is_some_and(|item| item.session.is_some());
            let items: Vec<ItemId> = state.job(id)?.places.iter().map(|(_, _, id)| *id).filter(held).collect();
            for item in items {
                state.edit(item, |item| {
                    item.session = None;
                    // Whoever held it knows the old one.
                    item.token = Token(item.token.0 + 1);
                    item.record.status = ItemStatus::Cancelled;
                    item.record.updated_at = now;
                    item.claimable_at = None;
                });
            }
            state.finish(id, now);
            Ok(state.view(state.job(id)?))
        })
    }
}

/// What a page asks of a job beside its id and its place.
trait Passes {
    fn passes(&self, state: &State, job: &Job) -> bool;
}

impl Passes for JobQuery {
    fn passes(&self, state: &State, job: &Job) -> bool {
        let (new, some) = (&job.new, Counts { planned: 1, pending: 1, ..Counts::default() });
        let status = || job.status.unwrap_or_else(|| JobStatus::derive(job.control, job.started_at.is_some(), &some));
        let retried = || {
            let retry = |review: &ReviewRecord| review.job == new.id && matches!(review.decision, Decision::Retry(_));
            state.reviews.iter().any(retry)
        };
        self.label.as_ref().is_none_or(|label| *label == new.label)
            && self.label_prefix.as_ref().is_none_or(|prefix| new.label.starts_with(prefix))
            && self.owner.as_ref().is_none_or(|owner| *owner == new.owner)
            && (self.statuses.is_empty() || self.statuses.contains(&status()))
            && self.pipeline.as_ref().is_none_or(|pipeline| *pipeline == new.plan.plan.pipeline)
            && self.since.is_none_or(|since| job.created_at >= since)
            && self.until.is_none_or(|until| job.created_at < until)
            && self.parent.is_none_or(|parent| new.parent == Some(parent))
            && self.retried.is_none_or(|wanted| wanted == retried())
    }
}

fn placed_by(job: &Job, sort: JobSort) -> JobKeyOf {
    match sort {
        JobSort::Created => JobKeyOf::Number(job.created_at.as_micros()),
        JobSort::Ended => JobKeyOf::Number(job.ended_at.map_or(i64::MAX, Timestamp::as_micros)),
        JobSort::Priority => JobKeyOf::Number(i64::from(job.new.priority)),
        JobSort::Label => JobKeyOf::Text(job.new.label.clone()),
        JobSort::Cost => JobKeyOf::Number(job.cost.as_micros()),
    }
}

fn no_revision(id: JobId, number: u32) -> Error {
    Error::not_found("the job has no such revision of its settings").with("job", id).with("revision", number)
}

/// Returns the job of an earlier submit with the same key.
fn submitted(state: &State, job: &NewJob) -> Result<Option<JobId>> {
    let Some(wanted) = &job.idempotency else { return Ok(None) };
    let same = |known: &&Job| {
        known.new.owner == job.owner && known.new.idempotency.as_ref().is_some_and(|known| known.key == wanted.key)
    };
    match state.jobs.values().find(same) {
        None => Ok(None),
        Some(known) if known.new.idempotency.as_ref() == Some(wanted) => Ok(Some(known.new.id)),
        Some(known) => Err(Error::conflict("this idempotency key was used for another request")
            .with("key", &wanted.key)
            .with("job", known.new.id)),
    }
}

#[async_trait]
impl EventLog for MemoryStore {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        self.with(|state| {
            let events = state.jobs.get(&job).map_or(&[][..], |job| &job.events);
            Ok(events.iter().filter(|event| event.seq > after).take(limit as usize).cloned().collect())
        })
    }
}

fn begin(new: NewJob, now: Timestamp) -> Job {
    Job {
        new,
        revisions: Vec::new(),
        control: Control::Run,
        status: None,
        cost: Money::ZERO,
        served_at: now,
        created_at: now,
        started_at: None,
        ended_at: None,
        events: Vec::new(),
        places: BTreeSet::new(),
        claimable: BTreeSet::new(),
        open: 0,
    }
}

fn steer(state: &mut State, id: JobId, control: Control, now: Timestamp) -> Result<()> {
    let job = state.job_mut(id)?;
    if let Some(status) = job.status {
        return Err(Error::conflict("the job has ended").with("job", id).with("status", status));
    }
    if job.control == control {
        return Ok(());
    }
    if job.control == Control::Cancel {
        return Err(Error::conflict("the job is being cancelled").with("job", id));
    }
    job.control = control;
    state.tell(id, EventBody::Controlled { control }, now);
    if control == Control::Cancel {
        let free = |id: &ItemId| {
            state
                .items
                .get(id)
                .is_some_and(|item| item.session.is_none() && !item.is_replaced() && !item.record.status.is_terminal())
        };
        let items: Vec<ItemId> = state.job(id)?.places.iter().map(|(_, _, id)| *id).filter(free).collect();
        for item in items {
            state.edit(item, |item| {
                item.record.status = ItemStatus::Cancelled;
                item.record.updated_at = now;
                item.claimable_at = None;
            });
        }
        state.finish(id, now);
    }
    Ok(())
}
