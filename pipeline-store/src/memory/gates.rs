//! The gates: what the calls say about them, and closing and opening.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::storage::{CallState, GateKeeper, GateKey, GateLoad, GateRecord, RATE_WINDOW, breaker_pause};
use pipeline_core::time::Timestamp;

use super::state::State;
use super::store::MemoryStore;

impl State {
    /// Returns what is known of a gate.
    pub(super) fn load(&self, key: &GateKey, now: Timestamp) -> GateLoad {
        let calls = || self.calls.iter().filter(|call| call.gate.as_ref() == Some(key));
        let gate = self.gates.get(key);
        GateLoad {
            closed_until: gate.and_then(|gate| gate.closed_until),
            outages: gate.map_or(0, |gate| gate.outages),
            limits: gate.map(|gate| gate.limits).unwrap_or_default(),
            open: calls().filter(|call| call.state == CallState::Open && call.deadline > now).count() as u64,
            recent: calls().map(|call| call.opened_at).filter(|at| at.after(RATE_WINDOW) > now).collect(),
        }
    }

    /// Counts an answer of a provider, or that there was none.
    pub(super) fn heard(&mut self, key: &GateKey, outage: bool, now: Timestamp) {
        let gate = self.gates.entry(key.clone()).or_default();
        if outage && gate.closed_until.is_some_and(|until| until > now) {
            return;
        }
        gate.outages = if outage { gate.outages.saturating_add(1) } else { 0 };
        if let Some(pause) = breaker_pause(gate.outages) {
            let reason = format!("{} outages in a row", gate.outages);
            self.close(key, pause, &reason, now);
        }
    }

    fn close(&mut self, key: &GateKey, pause: Duration, reason: &str, now: Timestamp) {
        let gate = self.gates.entry(key.clone()).or_default();
        let until = now.after(pause);
        if gate.closed_until.is_none_or(|current| current < until) {
            gate.closed_until = Some(until);
            gate.reason = Some(reason.to_owned());
        }
    }

    /// Returns how many items, or units of them, sessions hold at a gate.
    pub(super) fn held_at(&self, key: &GateKey) -> u64 {
        let held = self.items.values().filter(|item| item.session.is_some() && item.gate.as_ref() == Some(key));
        held.map(|item| item.unit.unwrap_or(item.record.id)).collect::<BTreeSet<_>>().len() as u64
    }
}

#[async_trait]
impl GateKeeper for MemoryStore {
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()> {
        let now = self.time();
        self.with(|state| state.close(&key, pause, reason, now));
        Ok(())
    }

    async fn open_gate(&self, key: GateKey) -> Result<()> {
        self.with(|state| {
            let gate = state.gates.entry(key).or_default();
            gate.closed_until = None;
            gate.reason = None;
            gate.outages = 0;
        });
        Ok(())
    }

    async fn gates(&self) -> Result<Vec<GateRecord>> {
        let now = self.time();
        self.with(|state| {
            let open = |item: &&super::state::Item| {
                item.session.is_none()
                    && item.claimable_at.is_some()
                    && state.jobs.get(&item.record.job).is_some_and(|job| job.status.is_none())
            };
            let record = |(key, gate): (&GateKey, &super::state::Gate)| {
                let closed = gate.closed_until.filter(|until| *until > now);
                let waiting = state.items.values().filter(open).filter(|item| item.gate.as_ref() == Some(key));
                GateRecord {
                    key: key.clone(),
                    closed_until: closed,
                    reason: closed.and(gate.reason.clone()),
                    limits: gate.limits,
                    open_calls: state.load(key, now).open,
                    waiting: waiting.count() as u64,
                    outages: gate.outages,
                }
            };
            Ok(state.gates.iter().map(record).collect())
        })
    }
}
