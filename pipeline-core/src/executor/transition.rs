//! What a step gives back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ItemId, ResultId, StageName};
use crate::model::{Failure, ItemStatus};
use crate::pipeline::StageIndex;
use crate::time::Timestamp;

use super::event::Decision;
use super::state::{ItemMachine, Resume, Stop, Why};

/// What the driver is to do once the transition is committed. Every effect is safe to repeat after a crash.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run this try of this stage.
    Run {
        /// The stage.
        stage: StageIndex,
        /// The try.
        attempt: u32,
        /// What it goes on from.
        resume: Option<Resume>,
    },
    /// Ask the running stage to end; what it has paid for is still recorded.
    Abort {
        /// The stage.
        stage: StageIndex,
    },
}

/// A child that replaces a part of its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChild {
    /// Its id, derived from parent, stage and slot.
    pub id: ItemId,
    /// Its place among its siblings.
    pub slot: u32,
    /// Its state: done up to the expanding stage, which is ready.
    pub machine: ItemMachine,
}

/// What the event log tells of a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ItemEvent {
    /// The condition of a stage was evaluated.
    Condition {
        /// The stage.
        stage: StageName,
        /// Whether it holds; nothing when it could not be evaluated.
        answer: Option<bool>,
        /// The fields it uses and what they were, long ones shortened; what was missing is left out.
        saw: BTreeMap<String, Value>,
    },
    /// A stage is done.
    StageDone {
        /// The stage.
        stage: StageName,
        /// The try.
        attempt: u32,
        /// What it recorded.
        result: ResultId,
    },
    /// A stage was passed over.
    StageSkipped {
        /// The stage.
        stage: StageName,
        /// Why.
        why: Why,
        /// What it could not do, when it was tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// A stage ended the walk.
    StageStopped {
        /// The stage.
        stage: StageName,
        /// How.
        stop: Stop,
    },
    /// A try failed and another will follow.
    StageRetrying {
        /// The stage.
        stage: StageName,
        /// The try that failed.
        attempt: u32,
        /// When the next one may start.
        at: Timestamp,
        /// Why it failed.
        failure: Failure,
    },
    /// A stage waits without using up an attempt.
    StageWaiting {
        /// The stage.
        stage: StageName,
        /// For what, for people.
        reason: String,
    },
    /// The process ended while the item ran; it goes on.
    Recovered {
        /// How often, in this round.
        crashes: u32,
    },
    /// Children replaced the item.
    Expanded {
        /// The stage.
        stage: StageName,
        /// How many.
        children: u32,
    },
    /// A new round began, or a review mark was set.
    Decided {
        /// What was decided.
        decision: Decision,
        /// The round it began, or the one it marks.
        round: u32,
    },
    /// The item ended.
    Ended {
        /// As what.
        status: ItemStatus,
    },
}

/// What a step gives back: the next state and everything that must be committed with it.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The next state; adopt it only once it is committed.
    pub next: ItemMachine,
    /// What to do then.
    pub effects: Vec<Effect>,
    /// Children to be inserted in the same commit.
    pub children: Vec<NewChild>,
    /// What to tell.
    pub events: Vec<ItemEvent>,
    /// Whether the event was late (of an older try) and changed nothing.
    pub ignored: bool,
}

/// An event that contradicts the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible: {reason}")]
pub struct IllegalTransition {
    /// Which event.
    pub event: &'static str,
    /// Why not.
    pub reason: String,
}
