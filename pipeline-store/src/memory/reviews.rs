//! Reviews.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{EventBody, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply};
use pipeline_core::time::Timestamp;

use super::state::State;
use super::store::MemoryStore;

#[async_trait]
impl ReviewDesk for MemoryStore {
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        let now = self.time();
        self.with(|state| {
            let replies = answer(state, &rulings)?;
            let mut jobs = BTreeSet::new();
            for (ruling, _) in rulings.into_iter().zip(&replies).filter(|(_, reply)| **reply == RulingReply::Applied) {
                jobs.insert(ruling.job);
                write(state, ruling, &by, now);
            }
            for job in jobs {
                state.finish(job, now);
            }
            Ok(replies)
        })
    }

    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let wanted = state.reviews.iter().filter(|review| {
                query.job.is_none_or(|job| review.job == job) && query.item.is_none_or(|item| review.item == item)
            });
            Ok(wanted.skip(query.skip as usize).take(limit as usize).cloned().collect())
        })
    }
}

/// Decides what becomes of each ruling.
fn answer(state: &State, rulings: &[Ruling]) -> Result<Vec<RulingReply>> {
    let mut ruled = HashSet::new();
    let mut replies = Vec::with_capacity(rulings.len());
    for ruling in rulings {
        let item = state.items.get(&ruling.item).filter(|item| item.record.job == ruling.job);
        let item = item.ok_or_else(|| missing(ruling.job, ruling.item))?;
        let (control, free) = (state.job(ruling.job)?.control, item.session.is_none());
        let reply = ruling.answer(control, free, &item.record.machine, ruled.contains(&ruling.item));
        if reply == RulingReply::Applied {
            ruled.insert(ruling.item);
        }
        replies.push(reply);
    }
    Ok(replies)
}

fn missing(job: JobId, item: ItemId) -> Error {
    Error::not_found("the job has no such item").with("job", job).with("item", item)
}

fn write(state: &mut State, ruling: Ruling, by: &Reviewer, now: Timestamp) {
    let (changes, due) = (ruling.changes(), ruling.due());
    let Ruling { job, item, machine, status, unit, gate, decision, events, .. } = ruling;
    let round = machine.round;
    if changes {
        reopen(state, job, now);
        state.edit(item, |item| {
            item.record.machine = machine;
            item.record.status = status;
            item.record.updated_at = now;
            item.claimable_at = due;
            item.unit = unit;
            item.gate = gate;
        });
    }
    for what in events {
        state.tell(job, EventBody::Item { item, what }, now);
    }
    state.reviews.push(ReviewRecord { job, item, round, decision, by: by.clone(), at: now });
}

fn reopen(state: &mut State, job: JobId, now: Timestamp) {
    let Some(found) = state.jobs.get_mut(&job).filter(|job| job.status.is_some()) else { return };
    found.status = None;
    found.ended_at = None;
    if found.new.key.is_some() {
        found.started_at = None;
    }
    state.tell(job, EventBody::Reopened, now);
}
