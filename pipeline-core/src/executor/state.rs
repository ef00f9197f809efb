//! The state of one item: this is the row.

use serde::{Deserialize, Serialize};

use crate::id::{CallId, HoldId, ItemId, ResultId};
use crate::model::Failure;
use crate::pipeline::{Plan, StageIndex};
use crate::time::Timestamp;

use super::event::is_zero;

/// The number of this layout; every older one needs a fixture.
pub const MACHINE_FORMAT: u32 = 1;

/// What a suspended stage needs to go on, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resume(pub String);

/// What a stage waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Wait {
    /// A point in time.
    Until {
        /// Not before this.
        at: Timestamp,
        /// Why it waits, for people.
        reason: String,
    },
    /// A gate that is closed.
    Gate {
        /// Which one.
        key: String,
    },
    /// A call someone else has open.
    Call {
        /// Which one.
        call: CallId,
    },
    /// A person's decision about a call.
    Person {
        /// Which hold.
        hold: HoldId,
        /// What is to be decided.
        reason: String,
    },
}

/// Why a stage was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is switched off. What needs it goes on.
    Disabled,
    /// Its condition does not hold. What needs it is passed over too.
    Condition,
    /// A stage it needs was passed over because of a condition.
    Upstream,
    /// It could not be done and the policy says to go on as if it were not there.
    Failure,
    /// It could not be done and the policy says that its input counts as its output.
    InputUsed,
    /// A person let the item go on in spite of the check.
    Approved,
    /// A retry started after this check, or left this stage out; checks are not repeated unless named.
    NotRepeated,
    /// The item had stopped before it could start.
    ItemStopped,
}

impl Why {
    /// Says it in words, as a fragment without a full stop.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Disabled => "it is switched off",
            Self::Condition => "its condition does not hold",
            Self::Upstream => "a stage it needs was passed over",
            Self::Failure => "it could not be done, and the policy says to go on without",
            Self::InputUsed => "it could not be done, and the policy says to take its input instead",
            Self::Approved => "a person let the item go on",
            Self::NotRepeated => "a check is not repeated unless named",
            Self::ItemStopped => "the item had ended",
        }
    }

    /// Tells whether what needs the stage goes on as if it were not there.
    pub const fn passes(self) -> bool {
        match self {
            Self::Disabled | Self::Failure | Self::InputUsed | Self::Approved | Self::NotRepeated => true,
            Self::Condition | Self::Upstream | Self::ItemStopped => false,
        }
    }
}

/// How a stage ended an item's walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stop", rename_all = "snake_case")]
pub enum Stop {
    /// A check found the item wanting.
    Rejected,
    /// A check could not be made.
    Undecided {
        /// Why not; absent when the check itself said it cannot tell.
        failure: Option<Failure>,
    },
    /// A work stage could not be done.
    Failed {
        /// Why not.
        failure: Failure,
    },
    /// The job was cancelled.
    Cancelled,
}

/// What one stage of one item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum StageState {
    /// A stage it needs has not ended.
    Blocked,
    /// It can start.
    Ready {
        /// The number of the try to come, from 1.
        attempt: u32,
    },
    /// It runs. In a stored row this is the durable mark that it was started.
    Running {
        /// The number of this try.
        attempt: u32,
        /// What it goes on from.
        resume: Option<Resume>,
    },
    /// It waits.
    Waiting {
        /// The number of the try to come, or suspended.
        attempt: u32,
        /// For what.
        on: Wait,
        /// What it goes on from.
        resume: Option<Resume>,
    },
    /// It is done.
    Done {
        /// What it recorded.
        result: ResultId,
    },
    /// It was passed over.
    Skipped {
        /// Why.
        why: Why,
        /// What a check recorded before it was approved or left out of a new round: conditions still see it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ResultId>,
    },
    /// It ended the item's walk.
    Stopped {
        /// How.
        stop: Stop,
        /// What it recorded: a verdict with reasons, when there is one.
        result: Option<ResultId>,
    },
}

impl StageState {
    /// Tells whether it can change no more in this round.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Skipped { .. } | Self::Stopped { .. })
    }

    /// Tells whether what needs the stage can go on: it is done, or passed over as if it were.
    pub(super) const fn is_through(&self) -> bool {
        match self {
            Self::Done { .. } => true,
            Self::Skipped { why, .. } => why.passes(),
            Self::Blocked | Self::Ready { .. } | Self::Running { .. } | Self::Waiting { .. } | Self::Stopped { .. } => {
                false
            }
        }
    }
}

/// The state of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemMachine {
    /// [`MACHINE_FORMAT`].
    pub format: u32,
    /// The item.
    pub id: ItemId,
    /// From 1.
    pub round: u32,
    /// Which of the job's settings this round has; 0 are those of the submit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u32,
    /// How many leaves it stands for; 0 once expanded.
    pub leaves: u32,
    /// For each expansion it came out of: the stage and the slot.
    pub slots: Vec<(StageIndex, u32)>,
    /// How many children replaced it.
    pub expanded: Option<u32>,
    /// How often a process ended while it ran, in this round.
    pub crashes: u32,
    /// Whether the job's cancellation has reached it.
    pub cancelled: bool,
    /// One state a stage of the plan.
    pub stages: Vec<StageState>,
}

impl ItemMachine {
    /// Makes the machine of a root item: every stage blocked, sources ready.
    pub fn new(id: ItemId, plan: &Plan) -> Self {
        let stages = plan
            .stages
            .iter()
            .map(|stage| {
                if stage.needs.is_empty() && stage.enabled && stage.when.is_none() {
                    StageState::Ready { attempt: 1 }
                } else {
                    StageState::Blocked
                }
            })
            .collect();
        Self {
            format: MACHINE_FORMAT,
            id,
            round: 1,
            revision: 0,
            leaves: plan.leaves_per_item(),
            slots: Vec::new(),
            expanded: None,
            crashes: 0,
            cancelled: false,
            stages,
        }
    }

    /// Returns the slot of the innermost expansion it came out of; 0 for a root item.
    pub fn slot(&self) -> u32 {
        self.slots.last().map_or(0, |(_, slot)| *slot)
    }

    /// Tells whether a process ended while it ran: such an item may be what ended it, and runs alone.
    pub fn is_suspect(&self) -> bool {
        self.crashes > 0 || self.stages.iter().any(|state| matches!(state, StageState::Running { .. }))
    }

    /// Returns how many stages are settled: the numerator of progress.
    pub fn steps(&self) -> u32 {
        u32::try_from(self.stages.iter().filter(|state| state.is_settled()).count()).unwrap_or(u32::MAX)
    }

    /// Returns the recorded results its stages refer to.
    pub fn results(&self) -> impl Iterator<Item = (StageIndex, ResultId)> + '_ {
        self.stages.iter().enumerate().filter_map(|(index, state)| match state {
            StageState::Done { result }
            | StageState::Skipped { result: Some(result), .. }
            | StageState::Stopped { result: Some(result), .. } => Some((index, *result)),
            StageState::Blocked
            | StageState::Ready { .. }
            | StageState::Running { .. }
            | StageState::Waiting { .. }
            | StageState::Skipped { result: None, .. }
            | StageState::Stopped { result: None, .. } => None,
        })
    }

    /// Tells whether nothing new starts any more: a stage ended the walk, or the job was cancelled.
    pub(super) fn is_halted(&self) -> bool {
        self.cancelled || self.stop().is_some()
    }

    /// Returns the failure that ended the walk, if one did.
    pub fn failure(&self) -> Option<&Failure> {
        match self.stop()?.1 {
            Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => Some(failure),
            Stop::Rejected | Stop::Undecided { failure: None } | Stop::Cancelled => None,
        }
    }

    /// Returns the first stage that ended the walk, and how.
    pub fn stop(&self) -> Option<(StageIndex, &Stop)> {
        self.stages.iter().enumerate().find_map(|(index, state)| match state {
            StageState::Stopped { stop, .. } => Some((index, stop)),
            StageState::Blocked
            | StageState::Ready { .. }
            | StageState::Running { .. }
            | StageState::Waiting { .. }
            | StageState::Done { .. }
            | StageState::Skipped { .. } => None,
        })
    }
}
