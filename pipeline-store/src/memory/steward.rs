//! Counting, proving and reading what the store keeps.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, ItemId, JobId, ResultId};
use pipeline_core::storage::{
    Audit, AuditedCall, AuditedEvents, AuditedItem, AuditedResult, Breach, CallRecord, CallState, Census, Holder,
    ItemStore as _, JobAuditor, JobRecord, Mention, Steward,
};
use serde::Serialize;
use uuid::Uuid;

use super::removal;
use super::state::{Item, State};
use super::store::MemoryStore;

#[async_trait]
impl Steward for MemoryStore {
    async fn census(&self) -> Result<Census> {
        self.with(|state| {
            Ok(Census {
                jobs: state.jobs.len() as u64,
                items: state.items.len() as u64,
                results: state.results.len() as u64,
                calls: state.calls.len() as u64,
                events: state.jobs.values().chain(state.deleted.values()).map(|job| job.events.len() as u64).sum(),
                names: state.names.len() as u64,
                fingerprints: state.fingerprints.values().map(|marks| marks.len() as u64).sum(),
                bytes: None,
            })
        })
    }

    async fn mentions(&self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>> {
        self.with(|state| {
            let mut ids: Vec<Uuid> = match holder {
                Holder::Jobs => state.jobs.keys().map(JobId::as_uuid).collect(),
                Holder::Items => state.items.keys().map(ItemId::as_uuid).collect(),
                Holder::Results => state.results.keys().map(ResultId::as_uuid).collect(),
                Holder::Calls => state.calls.iter().map(|call| call.id.as_uuid()).collect(),
            };
            ids.retain(|id| after.is_none_or(|after| *id > after));
            ids.sort_unstable();
            ids.truncate(limit as usize);
            ids.into_iter().map(|id| Ok(Mention { id, text: said(state, holder, id)? })).collect()
        })
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        let tallies = self.tallies(job).await?;
        self.with(|state| {
            let found = state.job(job)?;
            let mut auditor = JobAuditor::new(job);
            for item in state.items_of(found) {
                audit_item(state, &mut auditor, item);
            }
            for call in state.calls.iter().filter(|call| call.job == job) {
                auditor.call(&audited_call(state, call));
            }
            let ids = auditor.unresolved();
            auditor.resolved(ids.into_iter().filter(|id| state.results.contains_key(id)));
            let events = AuditedEvents {
                count: found.events.len() as u64,
                first: found.events.first().map_or(0, |event| event.seq.0),
                last: found.events.last().map_or(0, |event| event.seq.0),
            };
            Ok(auditor.end(&state.view(found), &tallies, events))
        })
    }

    async fn strays(&self) -> Result<Vec<Breach>> {
        self.with(|state| {
            let lost = |owner| format!("{owner} that it belongs to is not there");
            let items = state.items.values().filter(|item| {
                !state.jobs.contains_key(&item.record.job) && !state.deleted.contains_key(&item.record.job)
            });
            let items = items.map(|item| Breach::new(format!("items {}", item.record.id), lost("a job")));
            let results = state.results.values().filter(|result| !state.items.contains_key(&result.item));
            let results = results.map(|result| Breach::new(format!("results {}", result.id), lost("an item")));
            Ok(items.chain(results).collect())
        })
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        self.with(|state| {
            label.clone_into(&mut state.job_mut(job)?.new.label);
            Ok(state.view(state.job(job)?))
        })
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            if state.job(job)?.status.is_none() {
                return Err(Error::conflict("the job has not ended").with("job", job));
            }
            if let Some(gone) = state.jobs.remove(&job) {
                state.deleted.insert(job, gone);
            }
            Ok(())
        })
    }

    async fn sweep(&self, limit: u32) -> Result<u64> {
        self.with(|state| Ok(removal::sweep(state, limit.max(1) as usize)))
    }
}

/// Returns what a record says, as JSON.
fn said(state: &State, holder: Holder, id: Uuid) -> Result<String> {
    match holder {
        Holder::Jobs => text(&state.jobs.get(&JobId::from_uuid(id)).map(|job| &job.new.plan)),
        Holder::Items => {
            let item = state.items.get(&ItemId::from_uuid(id));
            text(&item.map(|item| (&item.record.input, &item.record.machine)))
        }
        Holder::Results => {
            let result = state.results.get(&ResultId::from_uuid(id));
            text(&result.map(|result| (&result.files, &result.fields, &result.verdict)))
        }
        Holder::Calls => {
            let place = state.call_places.get(&CallId::from_uuid(id));
            let call = place.and_then(|place| state.calls.get(*place));
            text(&call.map(|call| (&call.response, &call.failure)))
        }
    }
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::unexpected("cannot write a record as JSON").because(error))
}

fn audit_item(state: &State, auditor: &mut JobAuditor, item: &Item) {
    let record = &item.record;
    let inherited = record.parent.and_then(|parent| state.items.get(&parent)).map(|parent| parent.history.clone());
    let audited = AuditedItem {
        id: record.id,
        status: record.status,
        held: item.session.is_some(),
        leaves: u64::from(record.machine.leaves),
        steps: u64::from(record.machine.steps()),
        replaced: item.is_replaced(),
        cost: record.cost,
        machine: record.machine.clone(),
        inherited: inherited.unwrap_or_default(),
    };
    let results: Vec<AuditedResult<'_>> = item
        .history
        .iter()
        .filter_map(|id| state.results.get(id))
        .map(|result| AuditedResult {
            id: result.id,
            stage: result.stage.as_str(),
            took: result.ended_at.since(result.started_at),
            cost: result.cost,
        })
        .collect();
    auditor.item(&audited, &results);
}

fn audited_call(state: &State, call: &CallRecord) -> AuditedCall {
    let named = call.items.len() as u64;
    let of_job = |id| state.items.get(id).is_some_and(|item: &Item| item.record.job == call.job);
    AuditedCall {
        id: call.id,
        state: call.state,
        settled: call.settled_at.is_some(),
        priced: call.cost.is_some() || call.state == CallState::Open,
        named,
        found: call.items.iter().filter(|id| of_job(id)).count() as u64,
        indexed: named,
    }
}
