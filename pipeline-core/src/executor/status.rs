//! What an item is, derived from what its stages are.

use crate::model::ItemStatus;
use crate::pipeline::Plan;
use crate::time::Timestamp;

use super::state::{ItemMachine, StageState, Stop, Wait, Why};

impl ItemMachine {
    /// Derives the item's status.
    ///
    /// An item with a stage that can still change is running (a stage runs), pending (a worker can start one, or it was
    /// never reached) or waiting (nothing goes on before a wait is over). Otherwise branches that disagree are settled
    /// by: failed > undecided > rejected > cancelled > succeeded (a last stage is done) > filtered (none is). An item
    /// replaced by its children carries no leaves; its status means nothing.
    pub fn status(&self, plan: &Plan) -> ItemStatus {
        let any = |test: fn(&StageState) -> bool| self.stages.iter().any(test);
        if self.stages.iter().all(StageState::is_settled) {
            self.end(plan)
        } else if any(|state| matches!(state, StageState::Running { .. })) {
            ItemStatus::Running
        } else if any(|state| matches!(state, StageState::Waiting { .. })) && !self.startable(plan) {
            ItemStatus::Waiting
        } else {
            ItemStatus::Pending
        }
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
        let running = self.stages.iter().any(|state| matches!(state, StageState::Running { .. }));
        let waiting = self.stages.iter().any(|state| matches!(state, StageState::Waiting { .. }));
        let gated = self.stages.iter().any(|state| matches!(state, StageState::Waiting { on: Wait::Gate { .. }, .. }));
        // Time is not in the way of what waits at a gate; the store asks the gate.
        if running || !waiting || gated || self.startable(plan) { Some(now) } else { self.wake_at() }
    }

    /// Tells whether a stage can start at once. A stage that will expand the item waits for the branches beside it.
    fn startable(&self, plan: &Plan) -> bool {
        let ready = |state: &StageState| matches!(state, StageState::Ready { .. });
        self.stages.iter().enumerate().any(|(index, state)| ready(state) && !self.expands(plan, index))
    }

    fn end(&self, plan: &Plan) -> ItemStatus {
        let stops = self.stages.iter().filter_map(|state| match state {
            StageState::Stopped { stop, .. } => Some(stop),
            StageState::Blocked
            | StageState::Ready { .. }
            | StageState::Running { .. }
            | StageState::Waiting { .. }
            | StageState::Done { .. }
            | StageState::Skipped { .. } => None,
        });
        match stops.max_by_key(|stop| severity(stop)) {
            Some(Stop::Failed { .. }) => ItemStatus::Failed,
            Some(Stop::Undecided { .. }) => ItemStatus::Undecided,
            Some(Stop::Rejected) => ItemStatus::Rejected,
            Some(Stop::Cancelled) => ItemStatus::Cancelled,
            None if self.succeeded(plan) => ItemStatus::Succeeded,
            None => ItemStatus::Filtered,
        }
    }

    /// Tells whether a last stage is done, when no stage ended the walk.
    ///
    /// A stage that is switched off, or failed with the policy `skip`, is as if it were not there: what stands before it
    /// is last in its place. One that failed with `use_input`, and a check a person let pass, count as done.
    fn succeeded(&self, plan: &Plan) -> bool {
        let mut followed = vec![false; self.stages.len()];
        let mut kept_out = false;
        for (index, (state, stage)) in self.stages.iter().zip(&plan.stages).enumerate().rev() {
            let absent = matches!(state, StageState::Skipped { why: Why::Disabled | Why::Failure, .. });
            let is_followed = followed.get(index) == Some(&true);
            if !absent && !is_followed {
                if state.is_through() {
                    return true;
                }
                kept_out = true;
            }
            if !absent || is_followed {
                for need in &stage.needs {
                    if let Some(slot) = followed.get_mut(*need) {
                        *slot = true;
                    }
                }
            }
        }
        !kept_out
    }
}

const fn severity(stop: &Stop) -> u8 {
    match stop {
        Stop::Failed { .. } => 3,
        Stop::Undecided { .. } => 2,
        Stop::Rejected => 1,
        Stop::Cancelled => 0,
    }
}
