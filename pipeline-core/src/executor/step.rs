//! The transition table: one event, one next state. Nothing else moves an item.

use crate::error::Retryability;
use crate::expression::Facts;
use crate::id::ResultId;
use crate::model::{Failure, FailureCode, Verdict};
use crate::pipeline::{OnFailure, Plan, PlannedStage, Role, StageIndex};
use crate::time::Timestamp;

use super::backoff::backoff;
use super::event::{Event, Outcome};
use super::state::{ItemMachine, MACHINE_FORMAT, Resume, StageState, Stop, Wait, Why};
use super::transition::{Effect, IllegalTransition, ItemEvent, Transition};

/// So many crashes of a process while an item ran end the item.
const MAX_CRASHES: u32 = 3;

/// What a step reads beside the machine and the event.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a Facts,
    pub(super) now: Timestamp,
    pub(super) draw: u64,
}

impl ItemMachine {
    /// Returns the next state and what must be committed and done with it; `self` is not changed.
    ///
    /// `facts` holds the outputs of the stages done so far (including the one just finished), by stage name, and the
    /// item's planned input as `item`. `draw` is any random number.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event contradicts the state. A late event (of an older try, or of an item that
    /// has ended) is no error: the transition is marked `ignored` and changes nothing.
    pub fn step(
        &self,
        plan: &Plan,
        facts: &Facts,
        now: Timestamp,
        draw: u64,
        event: &Event,
    ) -> Result<Transition, IllegalTransition> {
        if self.format != MACHINE_FORMAT {
            return Err(illegal("step", format!("the state has format {}, not {MACHINE_FORMAT}", self.format)));
        }
        if self.stages.len() != plan.stages.len() {
            return Err(illegal("step", "the plan is another one".to_owned()));
        }
        let around = Surroundings { plan, facts, now, draw };
        let mut walk = Walk { next: self.clone(), effects: Vec::new(), events: Vec::new() };
        let accepted = match event {
            Event::Claimed => walk.claimed(around),
            Event::Finished { stage, attempt, outcome } => walk.finished(around, *stage, *attempt, outcome)?,
            Event::Deferred { stage, attempt, wait } => walk.deferred(around, *stage, *attempt, wait)?,
            Event::Suspended { stage, attempt, resume, poll_at } => {
                walk.suspended(around, *stage, *attempt, resume, *poll_at)?
            }
            Event::Woke { released } => walk.woke(now, *released),
            Event::CancelRequested => walk.cancel_requested(),
            Event::Decided { decision } => walk.decided(plan, decision)?,
        };
        if !accepted {
            return Ok(Transition {
                next: self.clone(),
                effects: Vec::new(),
                children: Vec::new(),
                events: Vec::new(),
                ignored: true,
            });
        }
        Ok(walk.advance(self, around, event))
    }
}

/// A step in the making.
pub(super) struct Walk {
    pub(super) next: ItemMachine,
    pub(super) effects: Vec<Effect>,
    pub(super) events: Vec<ItemEvent>,
}

impl Walk {
    fn claimed(&mut self, around: Surroundings<'_>) -> bool {
        if self.next.is_ended() {
            return false;
        }
        let interrupted = self.next.stages.iter().any(|state| matches!(state, StageState::Running { .. }));
        if interrupted {
            self.next.crashes += 1;
            self.events.push(ItemEvent::Recovered { crashes: self.next.crashes });
            let spent = self.next.crashes >= MAX_CRASHES;
            for index in 0..self.next.stages.len() {
                let Some(StageState::Running { attempt, resume }) = self.next.stages.get(index).cloned() else {
                    continue;
                };
                if spent {
                    let message = format!("the process ended {} times while this stage ran", self.next.crashes);
                    self.stop(around.plan, index, failed(Failure::permanent(FailureCode::CrashLoop, message)), None);
                } else if resume.is_some() {
                    self.effects.push(Effect::Run { stage: index, attempt, resume });
                } else {
                    self.set(index, StageState::Ready { attempt });
                }
            }
        }
        // The store hands an item out only when its gate lets something pass.
        self.wake(|on| matches!(on, Wait::Gate { .. }) || is_over(on, around.now));
        true
    }

    fn finished(
        &mut self,
        around: Surroundings<'_>,
        index: StageIndex,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<bool, IllegalTransition> {
        let Some(stage) = self.running(around.plan, "finished", index, attempt)? else { return Ok(false) };
        match (outcome, stage.role) {
            (Outcome::Output { result }, Role::Work) => {
                self.set(index, StageState::Done { result: *result });
                self.events.push(ItemEvent::StageDone { stage: stage.name.clone(), attempt, result: *result });
            }
            (Outcome::Judged { result, verdict }, Role::Check) => match verdict {
                Verdict::Pass => {
                    self.set(index, StageState::Done { result: *result });
                    self.events.push(ItemEvent::StageDone { stage: stage.name.clone(), attempt, result: *result });
                }
                Verdict::Fail { .. } => self.stop(around.plan, index, Stop::Rejected, Some(*result)),
                Verdict::Uncertain { .. } => {
                    self.stop(around.plan, index, Stop::Undecided { failure: None }, Some(*result));
                }
            },
            (Outcome::Failure { failure }, _) => self.failed(around, stage, index, attempt, failure),
            (Outcome::Output { .. }, Role::Check) => {
                return Err(illegal("finished", format!("`{}` is a check and gave no verdict", stage.name)));
            }
            (Outcome::Judged { .. }, Role::Work) => {
                return Err(illegal("finished", format!("`{}` is no check and gave a verdict", stage.name)));
            }
        }
        Ok(true)
    }

    fn failed(
        &mut self,
        around: Surroundings<'_>,
        stage: &PlannedStage,
        index: StageIndex,
        attempt: u32,
        failure: &Failure,
    ) {
        let resume = self.resume(index);
        if let Retryability::Throttled { after } = failure.retry
            && (resume.is_some() || !self.next.is_halted())
        {
            // The same try goes on later; what a suspended one goes on from is kept, or it would be bought again.
            let at = around.now.after(after.unwrap_or(stage.policy.backoff_base));
            return self.wait(stage, index, attempt, Wait::Until { at, reason: failure.message.clone() }, resume);
        }
        if self.next.cancelled {
            return self.stop(around.plan, index, Stop::Cancelled, None);
        }
        let passing = matches!(failure.retry, Retryability::Transient | Retryability::Throttled { .. });
        if passing && self.next.is_halted() {
            // Another branch has ended the item: there will be no further try, and one failed try is no verdict.
            return self.skip(around.plan, index, Why::ItemStopped, Some(failure));
        }
        match failure.retry {
            Retryability::Transient if attempt < stage.policy.max_attempts => {
                let at = around.now.after(backoff(&stage.policy, attempt, around.draw));
                let on = Wait::Until { at, reason: failure.message.clone() };
                self.set(index, StageState::Waiting { attempt: attempt + 1, on, resume: None });
                self.events.push(ItemEvent::StageRetrying {
                    stage: stage.name.clone(),
                    attempt,
                    at,
                    failure: failure.clone(),
                });
            }
            Retryability::Transient
            | Retryability::Throttled { .. }
            | Retryability::Permanent
            | Retryability::Refused
            | Retryability::Exhausted
            | Retryability::Indeterminate => match stage.policy.on_failure {
                OnFailure::Skip => self.skip(around.plan, index, Why::Failure, Some(failure)),
                OnFailure::UseInput => self.skip(around.plan, index, Why::InputUsed, Some(failure)),
                OnFailure::Fail => {
                    let mut failure = failure.clone();
                    if failure.retry == Retryability::Transient {
                        failure.retry = Retryability::Exhausted;
                    }
                    let stop = match stage.role {
                        Role::Work => Stop::Failed { failure },
                        Role::Check => Stop::Undecided { failure: Some(failure) },
                    };
                    self.stop(around.plan, index, stop, None);
                }
            },
        }
    }

    fn deferred(
        &mut self,
        around: Surroundings<'_>,
        index: StageIndex,
        attempt: u32,
        wait: &Wait,
    ) -> Result<bool, IllegalTransition> {
        let Some(stage) = self.running(around.plan, "deferred", index, attempt)? else { return Ok(false) };
        let resume = self.resume(index);
        if self.next.cancelled && resume.is_none() {
            self.stop(around.plan, index, Stop::Cancelled, None);
        } else {
            self.wait(stage, index, attempt, wait.clone(), resume);
        }
        Ok(true)
    }

    fn suspended(
        &mut self,
        around: Surroundings<'_>,
        index: StageIndex,
        attempt: u32,
        resume: &Resume,
        poll_at: Timestamp,
    ) -> Result<bool, IllegalTransition> {
        let Some(stage) = self.running(around.plan, "suspended", index, attempt)? else { return Ok(false) };
        let wait = Wait::Until { at: poll_at, reason: "the provider is working".to_owned() };
        self.wait(stage, index, attempt, wait, Some(resume.clone()));
        Ok(true)
    }

    fn woke(&mut self, now: Timestamp, released: bool) -> bool {
        if self.next.is_ended() {
            return false;
        }
        self.wake(|on| match on {
            Wait::Until { .. } => is_over(on, now),
            Wait::Gate { .. } | Wait::Call { .. } | Wait::Person { .. } => released,
        });
        true
    }

    /// Ends the waits that are over.
    fn wake(&mut self, over: impl Fn(&Wait) -> bool) {
        for index in 0..self.next.stages.len() {
            let Some(StageState::Waiting { attempt, on, resume }) = self.next.stages.get(index).cloned() else {
                continue;
            };
            if !over(&on) {
                continue;
            }
            // A suspended stage goes on where it was, even after a stop: what it has paid for is still recorded.
            if resume.is_some() {
                self.set(index, StageState::Running { attempt, resume: resume.clone() });
                self.effects.push(Effect::Run { stage: index, attempt, resume });
            } else {
                self.set(index, StageState::Ready { attempt });
            }
        }
    }

    fn cancel_requested(&mut self) -> bool {
        if self.next.is_ended() || self.next.cancelled {
            return false;
        }
        self.next.cancelled = true;
        for (index, state) in self.next.stages.iter().enumerate() {
            if matches!(state, StageState::Running { .. }) {
                self.effects.push(Effect::Abort { stage: index });
            }
        }
        true
    }

    /// Returns the stage when this try of it runs, `None` when the event is late.
    fn running<'a>(
        &self,
        plan: &'a Plan,
        event: &'static str,
        index: StageIndex,
        attempt: u32,
    ) -> Result<Option<&'a PlannedStage>, IllegalTransition> {
        let (Some(stage), Some(state)) = (plan.stage(index), self.next.stages.get(index)) else {
            return Err(illegal(event, format!("there is no stage {index}")));
        };
        match state {
            StageState::Running { attempt: current, .. } if *current == attempt => Ok(Some(stage)),
            StageState::Running { attempt: current, .. }
            | StageState::Waiting { attempt: current, .. }
            | StageState::Ready { attempt: current }
                if *current < attempt =>
            {
                Err(illegal(event, format!("`{}` is at try {current}, not {attempt}", stage.name)))
            }
            StageState::Blocked => Err(illegal(event, format!("`{}` was never started", stage.name))),
            StageState::Running { .. }
            | StageState::Ready { .. }
            | StageState::Waiting { .. }
            | StageState::Done { .. }
            | StageState::Skipped { .. }
            | StageState::Stopped { .. } => Ok(None),
        }
    }

    fn wait(&mut self, stage: &PlannedStage, index: StageIndex, attempt: u32, on: Wait, resume: Option<Resume>) {
        let reason = match &on {
            Wait::Until { reason, .. } | Wait::Person { reason, .. } => reason.clone(),
            Wait::Gate { key } => format!("gate {key} is closed"),
            Wait::Call { call } => format!("call {call} is open"),
        };
        self.set(index, StageState::Waiting { attempt, on, resume });
        self.events.push(ItemEvent::StageWaiting { stage: stage.name.clone(), reason });
    }

    /// Returns what the running stage goes on from.
    fn resume(&self, index: StageIndex) -> Option<Resume> {
        match self.next.stages.get(index) {
            Some(StageState::Running { resume, .. }) => resume.clone(),
            _ => None,
        }
    }

    pub(super) fn skip(&mut self, plan: &Plan, index: StageIndex, why: Why, failure: Option<&Failure>) {
        self.set(index, StageState::Skipped { why, result: None });
        if let Some(stage) = plan.stage(index) {
            let failure = failure.cloned();
            self.events.push(ItemEvent::StageSkipped { stage: stage.name.clone(), why, failure });
        }
    }

    pub(super) fn stop(&mut self, plan: &Plan, index: StageIndex, stop: Stop, result: Option<ResultId>) {
        if let Some(stage) = plan.stage(index) {
            self.events.push(ItemEvent::StageStopped { stage: stage.name.clone(), stop: stop.clone() });
        }
        self.set(index, StageState::Stopped { stop, result });
    }

    pub(super) fn set(&mut self, index: StageIndex, state: StageState) {
        if let Some(slot) = self.next.stages.get_mut(index) {
            *slot = state;
        }
    }
}

/// Tells whether a wait for a time is over.
fn is_over(on: &Wait, now: Timestamp) -> bool {
    matches!(on, Wait::Until { at, .. } if *at <= now)
}

fn failed(failure: Failure) -> Stop {
    Stop::Failed { failure }
}

pub(super) fn illegal(event: &'static str, reason: String) -> IllegalTransition {
    IllegalTransition { event, reason }
}
