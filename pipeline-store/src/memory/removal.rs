//! Removing what deleted jobs have left, in steps.

use pipeline_core::id::{CallId, JobId};
use pipeline_core::model::Money;
use pipeline_core::storage::{CallRecord, CallState};

use super::state::{Place, State};

/// Removes some of what deleted jobs have left, and returns how many records.
pub(super) fn sweep(state: &mut State, limit: usize) -> u64 {
    let Some(job) = state.deleted.keys().next().copied() else { return 0 };
    let removed = items(state, job, limit);
    let removed = if removed > 0 { removed } else { events(state, job, limit) };
    let removed = if removed > 0 { removed } else { calls(state, job, limit) };
    if removed > 0 {
        return removed;
    }
    if let Some(gone) = state.deleted.remove(&job) {
        state.gone.insert(job, gone.new.owner);
    }
    state.unhear(job);
    state.names.retain(|_, (owner, _)| *owner != job);
    state.fingerprints.retain(|(owner, _), _| *owner != job);
    1
}

fn items(state: &mut State, job: JobId, limit: usize) -> u64 {
    let Some(gone) = state.deleted.get_mut(&job) else { return 0 };
    let places: Vec<Place> = gone.places.iter().take(limit).copied().collect();
    for place in &places {
        gone.places.remove(place);
        for result in state.items.remove(&place.2).map(|item| item.history).unwrap_or_default() {
            state.results.remove(&result);
        }
    }
    places.len() as u64
}

fn events(state: &mut State, job: JobId, limit: usize) -> u64 {
    let Some(gone) = state.deleted.get_mut(&job) else { return 0 };
    let some = gone.events.len().min(limit);
    gone.events.drain(..some);
    some as u64
}

/// What has cost nothing goes; the others forget whom they served and with what they were answered.
fn calls(state: &mut State, job: JobId, limit: usize) -> u64 {
    let left = |call: &&mut CallRecord| call.job == job && (is_free(call) || is_talkative(call));
    let mut free: Vec<CallId> = Vec::new();
    let mut done = 0;
    for call in state.calls.iter_mut().filter(left).take(limit) {
        done += 1;
        if is_free(call) {
            free.push(call.id);
        }
        call.items.clear();
        call.used_by.clear();
        (call.response, call.prompt) = (None, None);
    }
    state.calls.retain(|call| !free.contains(&call.id));
    state.call_places = state.calls.iter().enumerate().map(|(place, call)| (call.id, place)).collect();
    done
}

fn is_free(call: &CallRecord) -> bool {
    matches!(call.state, CallState::Succeeded | CallState::Failed) && call.cost.is_none_or(|cost| cost == Money::ZERO)
}

fn is_talkative(call: &CallRecord) -> bool {
    !call.items.is_empty() || call.response.is_some() || call.prompt.is_some()
}
