//! What a transition writes: the commit, and the children in it.

use pipeline_core::executor::{ItemMachine, NewChild, StageState};
use pipeline_core::model::ItemStatus;
use pipeline_core::storage::{Commit, NewItem};
use pipeline_core::time::Timestamp;

use super::Walk;

impl Walk {
    pub(super) fn commit_of(&self, next: &ItemMachine, now: Timestamp) -> Commit {
        let plan = &self.job.plan;
        let running = next.stages.iter().any(|state| matches!(state, StageState::Running { .. }));
        let status = if next.expanded.is_some() { ItemStatus::Succeeded } else { next.status(plan) };
        Commit {
            item: self.item.id,
            job: self.job.id,
            token: self.token,
            machine: next.clone(),
            status,
            claimable_at: if running { None } else { next.due(plan, now) },
            unit: self.job.unit_of(next, self.item.parent),
            gate: self.job.gate_of(next),
            results: Vec::new(),
            calls: Vec::new(),
            used: Vec::new(),
            children: Vec::new(),
            events: Vec::new(),
            release: !running,
        }
    }

    pub(super) fn child(&self, child: NewChild, siblings: u32) -> NewItem {
        NewItem {
            id: child.id,
            parent: Some(self.item.id),
            ordinal: self.item.ordinal,
            slot: self.item.slot * siblings + child.slot,
            name: self.item.name.clone(),
            input: self.item.input.clone(),
            unit: self.job.unit_of(&child.machine, Some(self.item.id)),
            gate: self.job.gate_of(&child.machine),
            status: child.machine.status(&self.job.plan),
            machine: child.machine,
        }
    }
}
