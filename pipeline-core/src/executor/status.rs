//! What an item is, derived from what its stages are.

use crate::model::ItemStatus;
use crate::pipeline::Plan;
use crate::time::Timestamp;

use super::state::{ItemMachine, StageState, Stop, Wait};

impl ItemMachine {
    /// Derives the item's status.
    ///
    /// An item with a stage that can still change is pending, running or waiting. Otherwise branches that disagree are
    /// settled by: failed > undecided > rejected > cancelled > succeeded (a last stage is done) > filtered (none is).
    pub fn status(&self, plan: &Plan) -> ItemStatus {
        let any = |test: fn(&StageState) -> bool| self.stages.iter().any(test);
        if any(|state| matches!(state, StageState::Running { .. })) {
            return ItemStatus::Running;
        }
        if any(|state| matches!(state, StageState::Ready { .. } | StageState::Blocked)) {
            // A blocked stage beside a waiting one is the waiting one's: it is the reason nothing goes on.
            let ready = any(|state| matches!(state, StageState::Ready { .. }));
            let waiting = any(|state| matches!(state, StageState::Waiting { .. }));
            return if waiting && !ready { ItemStatus::Waiting } else { ItemStatus::Pending };
        }
        if any(|state| matches!(state, StageState::Waiting { .. })) {
            return ItemStatus::Waiting;
        }
        self.end(plan)
    }

    /// Tells whether nothing can change any more except by a decision.
    pub fn is_ended(&self) -> bool {
        self.expanded.is_some() || self.stages.iter().all(StageState::is_settled)
    }

    /// Returns when the earliest timed wait is over.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.stages
            .iter()
            .filter_map(|state| match state {
                StageState::Waiting { on: Wait::Until { at, .. }, .. } => Some(*at),
                StageState::Waiting { .. }
                | StageState::Blocked
                | StageState::Ready { .. }
                | StageState::Running { .. }
                | StageState::Done { .. }
                | StageState::Skipped { .. }
                | StageState::Stopped { .. } => None,
            })
            .min()
    }

    /// Returns when a worker next has something to do with it; `None` when only something else can wake it.
    pub fn due(&self, plan: &Plan, now: Timestamp) -> Option<Timestamp> {
        if self.is_ended() {
            return None;
        }
        let startable = self.stages.iter().enumerate().any(|(index, state)| match state {
            StageState::Running { .. } => true,
            StageState::Ready { .. } => !self.expands(plan, index),
            StageState::Blocked
            | StageState::Waiting { .. }
            | StageState::Done { .. }
            | StageState::Skipped { .. }
            | StageState::Stopped { .. } => false,
        });
        let waiting = self.stages.iter().any(|state| matches!(state, StageState::Waiting { .. }));
        if startable || !waiting { Some(now) } else { self.wake_at() }
    }

    fn end(&self, plan: &Plan) -> ItemStatus {
        let mut worst: Option<ItemStatus> = None;
        for state in &self.stages {
            let StageState::Stopped { stop, .. } = state else { continue };
            let status = match stop {
                Stop::Failed { .. } => ItemStatus::Failed,
                Stop::Undecided { .. } => ItemStatus::Undecided,
                Stop::Rejected => ItemStatus::Rejected,
                Stop::Cancelled => ItemStatus::Cancelled,
            };
            if worst.is_none_or(|known| severity(status) > severity(known)) {
                worst = Some(status);
            }
        }
        if let Some(status) = worst {
            return status;
        }
        let reached = self.reached(plan);
        let succeeded = plan.sinks().iter().zip(&reached).any(|(sink, reached)| *sink && *reached);
        if succeeded { ItemStatus::Succeeded } else { ItemStatus::Filtered }
    }

    /// Returns, for each stage, whether the walk got through it: done, or passed over with all it needs got through.
    fn reached(&self, plan: &Plan) -> Vec<bool> {
        let mut reached: Vec<bool> = Vec::with_capacity(self.stages.len());
        for (state, stage) in self.stages.iter().zip(&plan.stages) {
            let value = match state {
                StageState::Done { .. } => true,
                StageState::Skipped { why } if why.passes() => {
                    stage.needs.iter().all(|need| reached.get(*need) == Some(&true))
                }
                StageState::Skipped { .. }
                | StageState::Blocked
                | StageState::Ready { .. }
                | StageState::Running { .. }
                | StageState::Waiting { .. }
                | StageState::Stopped { .. } => false,
            };
            reached.push(value);
        }
        reached
    }
}

const fn severity(status: ItemStatus) -> u8 {
    match status {
        ItemStatus::Failed => 4,
        ItemStatus::Undecided => 3,
        ItemStatus::Rejected => 2,
        ItemStatus::Cancelled => 1,
        ItemStatus::Pending
        | ItemStatus::Running
        | ItemStatus::Waiting
        | ItemStatus::Succeeded
        | ItemStatus::Filtered => 0,
    }
}
