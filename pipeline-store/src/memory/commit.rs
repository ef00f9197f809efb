//! The one write path of items: first everything is checked, then everything is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, ItemId, JobId, ResultId, SessionId};
use pipeline_core::model::{Control, ItemStatus, Money};
use pipeline_core::storage::{
    CallRecord, CallState, Commit, CommitReply, EventBody, GateKey, GateLoad, GatePass, NewCall, Refusal,
};
use pipeline_core::time::Timestamp;

use super::state::State;
use crate::purse::Purse;

/// Writes transitions, one reply each, in order.
pub(super) fn commit(
    state: &mut State,
    session: SessionId,
    commits: Vec<Commit>,
    now: Timestamp,
) -> Result<Vec<CommitReply>> {
    let (replies, purse) = answer(state, session, &commits, now);
    let applied = |reply: &CommitReply| *reply == CommitReply::Applied;
    check(state, commits.iter().zip(&replies).filter(|(_, reply)| applied(reply)).map(|(commit, _)| commit))?;
    state.budgets.extend(purse.changed().map(|budget| (budget.key.clone(), budget)));
    let mut jobs = BTreeSet::new();
    for (commit, _) in commits.into_iter().zip(&replies).filter(|(_, reply)| applied(reply)) {
        jobs.insert(commit.job);
        write(state, commit, now);
    }
    for job in jobs {
        state.finish(job, now);
    }
    Ok(replies)
}

/// Decides what becomes of each commit: whether it passes the fence, and whether its intents may be written. The second
/// commit on an item sees the first, and a call sees those before it at its gate and in its budgets, which are returned as
/// they stand after all of them.
fn answer(state: &State, session: SessionId, commits: &[Commit], now: Timestamp) -> (Vec<CommitReply>, Purse) {
    let mut given_back: HashSet<ItemId> = HashSet::new();
    let mut seen = Seen::default();
    let mut replies = Vec::with_capacity(commits.len());
    for commit in commits {
        let held = !given_back.contains(&commit.item)
            && state.items.get(&commit.item).is_some_and(|item| {
                item.token == commit.token && item.session == Some(session) && item.record.job == commit.job
            });
        let reply = if !held {
            CommitReply::Superseded
        } else if let Some(refusal) = refusal(state, commit, &mut seen, now) {
            CommitReply::Refused(refusal)
        } else {
            CommitReply::Applied
        };
        if reply == CommitReply::Applied && gives_back(commit) {
            given_back.insert(commit.item);
        }
        replies.push(reply);
    }
    (replies, seen.purse)
}

/// What the calls of a batch have changed so far.
#[derive(Default)]
struct Seen {
    loads: HashMap<GateKey, GateLoad>,
    purse: Purse,
    admitted: HashSet<CallId>,
}

fn refusal(state: &State, commit: &Commit, seen: &mut Seen, now: Timestamp) -> Option<Refusal> {
    seen.purse.begin();
    let refusal = refused(state, commit, seen, now);
    if refusal.is_some() {
        seen.purse.undo();
    }
    refusal
}

fn refused(state: &State, commit: &Commit, seen: &mut Seen, now: Timestamp) -> Option<Refusal> {
    let Seen { loads, purse, admitted } = seen;
    for call in &commit.calls {
        let known = state.call_places.get(&call.id).and_then(|place| state.calls.get(*place));
        // Written once, whichever of its items brought it; only an unknown one is opened again.
        match known.map(|known| known.state) {
            _ if admitted.contains(&call.id) => continue,
            Some(CallState::Open) => continue,
            Some(CallState::Succeeded | CallState::Failed) => return Some(Refusal::Settled),
            Some(CallState::Unknown) | None => {}
        }
        match state.jobs.get(&commit.job).map(|job| job.control) {
            Some(Control::Cancel) => return Some(Refusal::Cancelled),
            Some(Control::Pause) => return Some(Refusal::Paused),
            Some(Control::Run) | None if state.paused => return Some(Refusal::Paused),
            Some(Control::Run) | None => {}
        }
        if let Some(GatePass { key, limits }) = &call.gate {
            let load = loads.entry(key.clone()).or_insert_with(|| state.load(key, now));
            load.limits = *limits;
            if let Err(until) = load.admit(now) {
                return Some(Refusal::Gate(until));
            }
        }
        // An unknown one has its reservation.
        if known.is_none() {
            purse.add(commit.job, state.budgets_of(commit.job));
            if let Err(refusal) = purse.admit(commit.job, call.reserved) {
                return Some(refusal);
            }
        }
        admitted.insert(call.id);
    }
    None
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
        item.gate = commit.gate;
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
        open(state, call, now);
    }
    for call in commit.used {
        let place = state.call_places.get(&call).copied();
        if let Some(known) = place.and_then(|place| state.calls.get_mut(place)) {
            let CallRecord { items, used_by, .. } = known;
            let used = |item: &&ItemId| **item == commit.item || used_by.contains(item);
            *used_by = items.iter().filter(used).copied().collect();
        }
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
fn open(state: &mut State, call: NewCall, now: Timestamp) {
    let gate = call.gate.map(|pass| {
        state.gates.entry(pass.key.clone()).or_default().limits = pass.limits;
        pass.key
    });
    let deadline = now.after(call.patience);
    if let Some(known) = state.call_places.get(&call.id).and_then(|place| state.calls.get_mut(*place)) {
        if known.state == CallState::Unknown {
            known.state = CallState::Open;
            (known.sending, known.attempt) = (call.sending, call.attempt);
            (known.opened_at, known.deadline, known.settled_at) = (now, deadline, None);
        }
        return;
    }
    state.call_places.insert(call.id, state.calls.len());
    state.calls.push(CallRecord {
        id: call.id,
        sending: call.sending,
        job: call.job,
        stage: call.stage,
        items: call.items,
        round: call.round,
        attempt: call.attempt,
        provider: call.provider,
        model: call.model,
        prompt: call.prompt,
        capability: call.capability,
        request: call.request,
        state: CallState::Open,
        reserved: call.reserved.unwrap_or_default(),
        cost: None,
        response: None,
        failure: None,
        external_id: None,
        opened_at: now,
        gate,
        deadline,
        settled_at: None,
        used_by: Vec::new(),
        resolution: None,
    });
}
