//! The one write path of items: first everything is checked, then everything is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, ResultId, SessionId};
use pipeline_core::model::{Control, ItemStatus, Money};
use pipeline_core::storage::{CallRecord, CallState, Commit, CommitReply, EventBody, NewCall};
use pipeline_core::time::Timestamp;

use super::state::State;

/// Writes transitions, one reply each, in order.
pub(super) fn commit(
    state: &mut State,
    session: SessionId,
    commits: Vec<Commit>,
    now: Timestamp,
) -> Result<Vec<CommitReply>> {
    let accepted = accept(state, session, &commits);
    check(state, commits.iter().zip(&accepted).filter(|(_, accepted)| **accepted).map(|(commit, _)| commit))?;
    let mut jobs = BTreeSet::new();
    let mut replies = Vec::with_capacity(commits.len());
    for (commit, accepted) in commits.into_iter().zip(accepted) {
        if accepted {
            jobs.insert(commit.job);
            write(state, commit, now);
            replies.push(CommitReply::Applied);
        } else {
            replies.push(CommitReply::Superseded);
        }
    }
    for job in jobs {
        state.finish(job, now);
    }
    Ok(replies)
}

/// Decides which commits pass the fence; the second commit on an item sees the first.
fn accept(state: &State, session: SessionId, commits: &[Commit]) -> Vec<bool> {
    let mut given_back: HashSet<ItemId> = HashSet::new();
    commits
        .iter()
        .map(|commit| {
            let accepted = !given_back.contains(&commit.item)
                && state.items.get(&commit.item).is_some_and(|item| {
                    item.token == commit.token && item.session == Some(session) && item.record.job == commit.job
                });
            if accepted && gives_back(commit) {
                given_back.insert(commit.item);
            }
            accepted
        })
        .collect()
}

/// An item that has ended is given back whatever the commit says.
fn gives_back(commit: &Commit) -> bool {
    commit.release || commit.status.is_terminal() || commit.machine.expanded.is_some()
}

fn check<'a>(state: &State, commits: impl Iterator<Item = &'a Commit>) -> Result<()> {
    let mut results: HashSet<ResultId> = HashSet::new();
    let mut items: HashSet<ItemId> = HashSet::new();
    for commit in commits {
        for result in &commit.results {
            if state.results.contains_key(&result.id) || !results.insert(result.id) {
                return Err(Error::conflict("a result with this id is already there").with("result", result.id));
            }
        }
        for child in &commit.children {
            if state.items.contains_key(&child.id) || !items.insert(child.id) {
                return Err(Error::conflict("an item with this id is already there").with("item", child.id));
            }
        }
    }
    Ok(())
}

fn write(state: &mut State, commit: Commit, now: Timestamp) {
    let cancelled = state.jobs.get(&commit.job).is_some_and(|job| job.control == Control::Cancel);
    let release = gives_back(&commit);
    let replaced = commit.machine.expanded.is_some();
    let mut status = commit.status;
    // What is given back unended to a cancelled job ends with it.
    if cancelled && commit.release && !replaced && !status.is_terminal() {
        status = ItemStatus::Cancelled;
    }
    let over = replaced || status.is_terminal();
    let cost = commit.results.iter().fold(Money::ZERO, |sum, result| sum + result.cost);
    state.edit(commit.item, |item| {
        item.record.machine = commit.machine;
        item.record.status = status;
        item.record.cost += cost;
        item.record.updated_at = now;
        item.claimable_at = commit.claimable_at.filter(|_| !over);
        item.unit = commit.unit;
        if release {
            item.session = None;
        }
    });
    for result in commit.results {
        if let Some(item) = state.items.get_mut(&result.item) {
            item.history.push(result.id);
        }
        state.results.insert(result.id, result);
    }
    for call in commit.calls {
        open(&mut state.call_places, &mut state.calls, call, now);
    }
    for child in commit.children {
        let ends = cancelled && !child.status.is_terminal();
        let status = if ends { ItemStatus::Cancelled } else { child.status };
        state.insert(commit.job, status, child, now);
    }
    tell(state, commit.job, cost, commit.item, commit.events, now);
}

fn tell(
    state: &mut State,
    job: JobId,
    cost: Money,
    item: ItemId,
    events: Vec<pipeline_core::executor::ItemEvent>,
    now: Timestamp,
) {
    if let Some(job) = state.jobs.get_mut(&job) {
        job.cost += cost;
    }
    for what in events {
        state.tell(job, EventBody::Item { item, what }, now);
    }
}

/// Writes an intent. A call that serves several items may come with each of them; it is written once.
fn open(
    places: &mut HashMap<pipeline_core::id::CallId, usize>,
    calls: &mut Vec<CallRecord>,
    call: NewCall,
    now: Timestamp,
) {
    if places.contains_key(&call.id) {
        return;
    }
    places.insert(call.id, calls.len());
    calls.push(CallRecord {
        id: call.id,
        job: call.job,
        stage: call.stage,
        items: call.items,
        round: call.round,
        attempt: call.attempt,
        provider: call.provider,
        capability: call.capability,
        request: call.request,
        state: CallState::Open,
        reserved: call.reserved,
        cost: None,
        response: None,
        failure: None,
        external_id: None,
        opened_at: now,
        settled_at: None,
    });
}
