//! What can happen to an item.

use serde::{Deserialize, Serialize};

use crate::id::ResultId;
use crate::model::{Failure, Verdict};
use crate::pipeline::StageIndex;
use crate::time::Timestamp;

use super::state::{Resume, Wait};

/// How one try of a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A work stage made something.
    Output {
        /// Where it is recorded.
        result: ResultId,
    },
    /// A check judged.
    Judged {
        /// Where it is recorded.
        result: ResultId,
        /// What it found.
        verdict: Verdict,
    },
    /// It could not be done.
    Failure {
        /// Why.
        failure: Failure,
    },
}

/// What a retry walks again, and with which settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The first stage of the new round; `None` takes the pipeline's.
    pub from: Option<StageIndex>,
    /// Of what is done, only these stages and those between two of them are done again; empty means everything from the
    /// start on. Excludes `from`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<StageIndex>,
    /// These are left as they are: what is done stays done, what is not is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<StageIndex>,
    /// Which of the job's settings the round has; 0 are those of the submit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u32,
}

impl Retry {
    /// Walks again from a stage; `None` takes the pipeline's.
    pub fn from(from: Option<StageIndex>) -> Self {
        Self { from, ..Self::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A person's decision about an ended item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Walk again.
    Retry(Retry),
    /// Go on after the check.
    Approve,
    /// Mark as not wanted; the state stays.
    Discard,
}

/// What can happen to an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A worker took the item over.
    Claimed,
    /// A try of a stage ended.
    Finished {
        /// The stage.
        stage: StageIndex,
        /// The try.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// A stage could not start now; no attempt is used up.
    Deferred {
        /// The stage.
        stage: StageIndex,
        /// The try.
        attempt: u32,
        /// What it waits for.
        wait: Wait,
    },
    /// A stage gave its place up and goes on later.
    Suspended {
        /// The stage.
        stage: StageIndex,
        /// The try.
        attempt: u32,
        /// What it goes on from.
        resume: Resume,
        /// When to look again.
        poll_at: Timestamp,
    },
    /// Time has passed, or what was waited for may have happened.
    Woke {
        /// Waits that are over beside those whose time has come: `Gate`, `Call` and `Person` waits.
        released: bool,
    },
    /// The job was cancelled.
    CancelRequested,
    /// A person decided.
    Decided {
        /// What.
        decision: Decision,
    },
}
