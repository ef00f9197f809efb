//! What follows from an event: stages unblock, are passed over, start or stop until nothing moves on its own.

use crate::model::{Failure, FailureCode};
use crate::pipeline::{Plan, PlannedStage, StageIndex};

use super::event::Event;
use super::state::{ItemMachine, StageState, Stop, Why};
use super::step::{Surroundings, Walk};
use super::transition::{Effect, ItemEvent, Transition};

impl Walk {
    /// Brings every stage as far as it can go, starts what is ready, and closes the step.
    pub(super) fn advance(mut self, before: &ItemMachine, around: Surroundings<'_>, event: &Event) -> Transition {
        self.settle(around);
        let mut children = Vec::new();
        // A decision comes from a person, not from a worker that holds the item: what is ready waits for a claim.
        let decided = matches!(event, Event::Decided { .. });
        if let Some((index, count)) = self.next.expanding(around.plan).filter(|_| !decided) {
            children = self.next.children(around.plan, index, count);
            self.next.leaves = 0;
            self.next.expanded = Some(count);
            if let Some(stage) = around.plan.stage(index) {
                self.events.push(ItemEvent::Expanded { stage: stage.name.clone(), children: count });
            }
        } else if !decided {
            self.start(around.plan);
        }
        let began = !before.is_ended() || self.next.round != before.round;
        if began && self.next.is_ended() && self.next.expanded.is_none() {
            self.events.push(ItemEvent::Ended { status: self.next.status(around.plan) });
        }
        Transition { next: self.next, effects: self.effects, children, events: self.events, ignored: false }
    }

    /// Unblocks, skips and stops stages until nothing changes; one pass, because needs stand before their stage.
    ///
    /// A stage waits for all that stands before it, not only for what it needs: a retry may leave out a stage whose own
    /// needs are done again, and what follows is to read what they make.
    fn settle(&mut self, around: Surroundings<'_>) {
        let mut open = Vec::with_capacity(around.plan.stages.len());
        for (index, stage) in around.plan.stages.iter().enumerate() {
            let waits = stage.needs.iter().any(|need| open.get(*need) == Some(&true));
            if !waits && !self.next.is_halted() && matches!(self.next.stages.get(index), Some(StageState::Blocked)) {
                self.unblock(around, index, stage);
            }
            let settled = self.next.stages.get(index).is_some_and(StageState::is_settled);
            open.push(waits || !settled);
        }
        if self.next.is_halted() {
            self.halt(around.plan);
        }
    }

    fn unblock(&mut self, around: Surroundings<'_>, index: StageIndex, stage: &PlannedStage) {
        let needs: Vec<StageState> =
            stage.needs.iter().filter_map(|need| self.next.stages.get(*need)).cloned().collect();
        let filtered = needs.iter().any(|state| matches!(state, StageState::Skipped { why, .. } if !why.passes()));
        if filtered {
            return self.skip(around.plan, index, Why::Upstream, None);
        }
        if !stage.enabled {
            return self.skip(around.plan, index, Why::Disabled, None);
        }
        let answer = stage.when.as_ref().map(|when| when.evaluate(around.facts));
        if let (Some(when), Some(answer)) = (&stage.when, &answer) {
            let (answer, saw) = (answer.as_ref().ok().copied(), when.seen(around.facts));
            self.events.push(ItemEvent::Condition { stage: stage.name.clone(), answer, saw });
        }
        match answer {
            None | Some(Ok(true)) => self.set(index, StageState::Ready { attempt: 1 }),
            Some(Ok(false)) => self.skip(around.plan, index, Why::Condition, None),
            Some(Err(error)) => {
                let message = format!("the condition of `{}` cannot be evaluated: {error}", stage.name);
                let failure = Failure::permanent(FailureCode::ConditionError, message);
                self.stop(around.plan, index, Stop::Undecided { failure: Some(failure) }, None);
            }
        }
    }

    /// After a stop nothing new starts; what runs is still recorded.
    fn halt(&mut self, plan: &Plan) {
        for index in 0..self.next.stages.len() {
            let unstarted = matches!(
                self.next.stages.get(index),
                Some(StageState::Blocked | StageState::Ready { .. } | StageState::Waiting { resume: None, .. })
            );
            if !unstarted {
                continue;
            }
            // The first stage a cancellation keeps from starting carries the stop; the rest follow from it.
            if self.next.stop().is_some() {
                self.set(index, StageState::Skipped { why: Why::ItemStopped, result: None });
            } else {
                self.stop(plan, index, Stop::Cancelled, None);
            }
        }
    }

    fn start(&mut self, plan: &Plan) {
        for index in 0..self.next.stages.len() {
            // An expanding stage waits until the branches beside it have ended.
            let expands = self.next.expands(plan, index);
            if let Some(StageState::Ready { attempt }) = self.next.stages.get(index).cloned()
                && !expands
            {
                self.set(index, StageState::Running { attempt, resume: None });
                self.effects.push(Effect::Run { stage: index, attempt, resume: None });
            }
        }
    }
}
