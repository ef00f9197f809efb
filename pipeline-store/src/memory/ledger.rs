//! The ledger of provider calls.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, Digest, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::storage::{
    AttachReply, CallLedger, CallQuery, CallRecord, CallState, Decision, NewResolution, SettleReply, Settlement, Spend,
    SpendQuery,
};

use super::store::MemoryStore;

#[async_trait]
impl CallLedger for MemoryStore {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        if settlement.state == CallState::Open {
            return Err(Error::invalid("a call cannot be settled as open").with("call", settlement.call));
        }
        let now = self.time();
        self.with(|state| {
            let place = state.call_places.get(&settlement.call).copied();
            let call = place
                .and_then(|place| state.calls.get_mut(place))
                .ok_or_else(|| Error::not_found("there is no such call").with("call", settlement.call))?;
            let open = match call.state {
                CallState::Open => true,
                CallState::Unknown => settlement.state != CallState::Unknown,
                CallState::Succeeded | CallState::Failed => false,
            };
            if !open {
                return Ok(SettleReply::AlreadySettled);
            }
            if settlement.state != CallState::Succeeded && settlement.sending.is_some_and(|sent| sent != call.sending) {
                return Ok(SettleReply::SentAgain);
            }
            call.state = settlement.state;
            call.cost = Some(settlement.cost);
            call.response = settlement.response;
            call.failure = settlement.failure;
            call.external_id = settlement.external_id.or_else(|| call.external_id.take());
            call.settled_at = Some(now);
            let (job, reserved) = (call.job, call.reserved);
            if let Some(gate) = call.gate.clone() {
                state.heard(&gate, settlement.outage, now);
            }
            if settlement.state != CallState::Unknown {
                state.pay(job, reserved, settlement.cost);
            }
            Ok(SettleReply::Settled)
        })
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        self.with(|state| {
            let place = state.call_places.get(&call).copied();
            let call = place
                .and_then(|place| state.calls.get_mut(place))
                .ok_or_else(|| Error::not_found("there is no such call").with("call", call))?;
            if matches!(call.state, CallState::Succeeded | CallState::Failed) {
                return Ok(AttachReply::AlreadySettled);
            }
            if *call.external_id.get_or_insert_with(|| external_id.clone()) == external_id {
                Ok(AttachReply::Attached)
            } else {
                Ok(AttachReply::OtherTask)
            }
        })
    }

    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        let now = self.time();
        self.with(|state| {
            let place = state.call_places.get(&resolution.call).copied();
            let call = place
                .and_then(|place| state.calls.get_mut(place))
                .ok_or_else(|| Error::not_found("there is no such call").with("call", resolution.call))?;
            if call.state != CallState::Unknown {
                return Err(Error::conflict("the call is not held").with("call", call.id).with("state", call.state));
            }
            if call.items.iter().any(|item| state.items.get(item).is_some_and(|item| item.session.is_some())) {
                return Err(Error::conflict("an item of the call is being worked on").with("call", call.id));
            }
            (call.state, call.cost) = (resolution.state(), Some(resolution.cost));
            (call.response, call.failure) = (resolution.response.clone(), resolution.failure());
            (call.settled_at, call.resolution) = (Some(now), Some(resolution.kept(now)));
            if resolution.decision == Decision::Repeat {
                call.used_by.clone_from(&call.items);
            }
            let record = call.clone();
            state.pay(record.job, record.reserved, resolution.cost);
            for item in &record.items {
                state.edit(*item, |item| {
                    let waits = item.session.is_none() && item.record.status == ItemStatus::Waiting;
                    if waits && item.claimable_at.is_none() {
                        item.claimable_at = Some(now);
                        // It goes on with what it has, whatever holds new calls back.
                        item.gate = None;
                    }
                });
            }
            Ok(record)
        })
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        self.with(|state| {
            let place = state.call_places.get(&id).and_then(|place| state.calls.get(*place));
            place.cloned().ok_or_else(|| Error::not_found("there is no such call").with("call", id))
        })
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        self.with(|state| {
            let owner = |job: JobId| state.jobs.get(&job).map(|job| &job.new.owner);
            let Some(mine) = owner(job) else { return Ok(None) };
            let found = state.calls.iter().rev().find(|call| {
                call.request == request
                    && call.state == CallState::Succeeded
                    && call.response.is_some()
                    && owner(call.job) == Some(mine)
            });
            Ok(found.cloned())
        })
    }

    async fn spend(&self, query: SpendQuery) -> Result<Vec<Spend>> {
        self.with(|state| {
            let mut sums = BTreeMap::new();
            for call in &state.calls {
                let job = state.jobs.get(&call.job).or_else(|| state.deleted.get(&call.job));
                if let Some(owner) = job.map(|job| &job.new.owner).or_else(|| state.gone.get(&call.job)) {
                    query.add(&mut sums, owner, call);
                }
            }
            Ok(sums.into_values().collect())
        })
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let calls = state.calls.iter().filter(|call| {
                query.job.is_none_or(|job| call.job == job)
                    && query.item.is_none_or(|item| call.items.contains(&item))
                    && !(query.unused && query.item.is_some_and(|item| call.used_by.contains(&item)))
                    && query.stage.as_ref().is_none_or(|stage| call.stage == *stage)
                    && (query.states.is_empty() || query.states.contains(&call.state))
            });
            Ok(calls.take(limit as usize).cloned().collect())
        })
    }
}
