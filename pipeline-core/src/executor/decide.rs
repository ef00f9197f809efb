//! A person's decisions about an ended item: retry, approve, discard.

use crate::model::ItemStatus;
use crate::pipeline::{Plan, Role, StageIndex};

use super::event::{Decision, Retry};
use super::state::{ItemMachine, StageState, Stop, Why};
use super::step::{Walk, illegal};
use super::transition::{IllegalTransition, ItemEvent};

/// Why an item cannot be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefused {
    /// It has not ended.
    #[error("the item has not ended yet")]
    NotEnded,
    /// It was replaced by its children.
    #[error("the item was replaced by its children; retry those")]
    Expanded,
    /// The job was cancelled.
    #[error("the item was cancelled; make a new job from this one instead")]
    Cancelled,
    /// A condition kept it from every last stage.
    #[error("the item was filtered by a condition; make a new job with another condition instead")]
    Filtered,
    /// No rounds are left.
    #[error("the item has had {rounds} rounds, and `max_rounds` is {rounds}")]
    NoRoundsLeft {
        /// `max_rounds`.
        rounds: u32,
    },
    /// A start and single stages were named.
    #[error("a retry is from a stage on, or of single stages, not both")]
    FromAndOnly,
    /// There is no such stage.
    #[error("the pipeline has no stage {0}")]
    NoSuchStage(StageIndex),
    /// The stage was done by the parent, for all its children.
    #[error("`{0}` was done once for all siblings; retry from a later stage, or make a new job")]
    BeforeExpansion(String),
    /// A stage the start needs has not been done.
    #[error("`{stage}` needs `{need}`, which is not done; retry from there")]
    MissingInput {
        /// The start.
        stage: String,
        /// What it needs.
        need: String,
    },
}

impl ItemMachine {
    /// Returns the first stage a retry would walk again, or why there can be none.
    ///
    /// Without `from` it is the pipeline's `retry_from` stage when everything before it is there, else the first stage
    /// that ended the walk, else the stage that made the item out of its parent, else the first stage.
    ///
    /// # Errors
    /// [`RetryRefused`] with the reason.
    pub fn can_retry(&self, plan: &Plan, retry: &Retry) -> Result<StageIndex, RetryRefused> {
        if self.expanded.is_some() {
            return Err(RetryRefused::Expanded);
        }
        if !self.is_ended() {
            return Err(RetryRefused::NotEnded);
        }
        if self.cancelled {
            return Err(RetryRefused::Cancelled);
        }
        if self.status(plan) == ItemStatus::Filtered {
            return Err(RetryRefused::Filtered);
        }
        if self.round >= plan.max_rounds {
            return Err(RetryRefused::NoRoundsLeft { rounds: plan.max_rounds });
        }
        if let Some(index) = retry.skip.iter().find(|index| plan.stage(**index).is_none()) {
            return Err(RetryRefused::NoSuchStage(*index));
        }
        if let Some(first) = retry.only.iter().min() {
            if retry.from.is_some() {
                return Err(RetryRefused::FromAndOnly);
            }
            let again = again(plan, &retry.only);
            for index in &retry.only {
                self.ready_to_start(plan, *index, &again)?;
            }
            return Ok(*first);
        }
        let index = match retry.from {
            Some(index) => index,
            None => {
                let default = plan.retry_from.and_then(|index| self.first_ready(plan, index));
                let stopped = self.stop().map(|(index, _)| index);
                let made = self.slots.last().map(|(index, _)| *index);
                default.or(stopped).or(made).unwrap_or(0)
            }
        };
        self.ready_to_start(plan, index, &[]).map(|()| index)
    }

    /// Returns a stage, or the first one before it that has to be done for it; `None` when neither can start.
    fn first_ready(&self, plan: &Plan, mut index: StageIndex) -> Option<StageIndex> {
        while let Some(need) = self.missing(plan, index, &[]) {
            index = need;
        }
        self.ready_to_start(plan, index, &[]).is_ok().then_some(index)
    }

    /// Returns the first stage before another one that is neither done nor among those that are done again.
    fn missing(&self, plan: &Plan, index: StageIndex, again: &[StageIndex]) -> Option<StageIndex> {
        let is_missing = |(need, state): &(StageIndex, &StageState)| {
            let before = plan.suffix(*need).get(index) == Some(&true) && *need != index;
            let planned = plan.stage(*need);
            // Checks are not repeated: one that stopped the item counts as made. What is off has nothing to give.
            let check = planned.is_some_and(|stage| stage.role == Role::Check);
            let off = planned.is_some_and(|stage| !stage.enabled);
            let there = state.is_through() || off || (check && matches!(state, StageState::Stopped { .. }));
            before && !there && !again.contains(need)
        };
        self.stages.iter().enumerate().find(is_missing).map(|(need, _)| need)
    }

    /// Tells whether what a stage needs is there, or is among those that are done again.
    fn ready_to_start(&self, plan: &Plan, index: StageIndex, again: &[StageIndex]) -> Result<(), RetryRefused> {
        let stage = plan.stage(index).ok_or(RetryRefused::NoSuchStage(index))?;
        let inside = plan.suffix(index);
        for (expanded, _) in &self.slots {
            if *expanded != index && inside.get(*expanded) == Some(&true) {
                return Err(RetryRefused::BeforeExpansion(stage.name.to_string()));
            }
        }
        if let Some(need) = self.missing(plan, index, again) {
            let need = plan.stage(need).map(|stage| stage.name.to_string()).unwrap_or_default();
            return Err(RetryRefused::MissingInput { stage: stage.name.to_string(), need });
        }
        Ok(())
    }
}

/// Returns the stages that are done again when only some are named: those, and what stands between two of them.
fn again(plan: &Plan, only: &[StageIndex]) -> Vec<StageIndex> {
    let after = |from: StageIndex, index: StageIndex| plan.suffix(from).get(index) == Some(&true);
    let between =
        |index: StageIndex| only.iter().any(|from| after(*from, index)) && only.iter().any(|to| after(index, *to));
    (0..plan.stages.len()).filter(|index| between(*index)).collect()
}

impl Walk {
    pub(super) fn decided(&mut self, plan: &Plan, decision: &Decision) -> Result<bool, IllegalTransition> {
        match decision {
            Decision::Retry(retry) => {
                let from = self.next.can_retry(plan, retry).map_err(|why| illegal("retry", why.to_string()))?;
                self.retry(plan, from, retry);
            }
            Decision::Approve => self.approve(plan)?,
            Decision::Discard => {
                if !self.next.is_ended() {
                    return Err(illegal("discard", "the item has not ended yet".to_owned()));
                }
                if self.next.expanded.is_some() {
                    return Err(illegal("discard", "the item was replaced by its children".to_owned()));
                }
            }
        }
        self.events.push(ItemEvent::Decided { decision: decision.clone(), round: self.next.round });
        Ok(true)
    }

    /// Begins a round: the suffix walks again. Checks before it are not repeated; what an earlier stop kept from
    /// starting, and work that failed beside the suffix, walks again too.
    fn retry(&mut self, plan: &Plan, from: StageIndex, retry: &Retry) {
        let mut inside = plan.suffix(from);
        if !retry.only.is_empty() {
            let again = again(plan, &retry.only);
            inside = (0..plan.stages.len()).map(|index| again.contains(&index)).collect();
        }
        for (index, stage) in plan.stages.iter().enumerate() {
            let Some(state) = self.next.stages.get(index) else { continue };
            let next = match state {
                StageState::Done { .. } if retry.skip.contains(&index) => state.clone(),
                StageState::Stopped { result, .. } | StageState::Skipped { result, .. }
                    if retry.skip.contains(&index) =>
                {
                    StageState::Skipped { why: Why::NotRepeated, result: *result }
                }
                _ if retry.skip.contains(&index) => StageState::Skipped { why: Why::NotRepeated, result: None },
                _ if inside.get(index) == Some(&true) => StageState::Blocked,
                StageState::Stopped { result, .. } if stage.role == Role::Check => {
                    StageState::Skipped { why: Why::NotRepeated, result: *result }
                }
                StageState::Stopped { .. } | StageState::Skipped { why: Why::ItemStopped, .. } => StageState::Blocked,
                kept => kept.clone(),
            };
            self.set(index, next);
        }
        self.begin_round();
        self.next.revision = retry.revision;
    }

    /// Goes on after the checks that stopped the item. `max_rounds` bounds retries only: whatever has been tried, a
    /// person can still take the item as it is.
    fn approve(&mut self, plan: &Plan) -> Result<(), IllegalTransition> {
        let refuse = |reason: &str| Err(illegal("approve", reason.to_owned()));
        if !self.next.is_ended() {
            return refuse("the item has not ended yet");
        }
        if self.next.cancelled {
            return refuse("the item was cancelled; make a new job from this one instead");
        }
        let mut approved = false;
        for (index, stage) in plan.stages.iter().enumerate() {
            match self.next.stages.get(index) {
                Some(StageState::Stopped { stop: Stop::Rejected | Stop::Undecided { .. }, result })
                    if stage.role == Role::Check =>
                {
                    let result = *result;
                    self.set(index, StageState::Skipped { why: Why::Approved, result });
                    approved = true;
                }
                Some(StageState::Stopped { .. }) => return refuse("the item is not rejected or undecided by a check"),
                Some(StageState::Skipped { why: Why::ItemStopped, .. }) => self.set(index, StageState::Blocked),
                _ => {}
            }
        }
        if !approved {
            return refuse("the item is neither rejected nor undecided");
        }
        self.begin_round();
        Ok(())
    }

    fn begin_round(&mut self) {
        self.next.round += 1;
        self.next.crashes = 0;
    }
}
