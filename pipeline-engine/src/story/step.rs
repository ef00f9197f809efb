//! One thing that happened to an item.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use pipeline_core::executor::{Stop, Why};
use pipeline_core::id::{CallId, StageName};
use pipeline_core::model::{Advice, Artifact, Failure, ItemStatus, Money, Verdict};
use pipeline_core::storage::{CallState, Resolution, Reviewer};
use pipeline_core::time::Timestamp;

/// A failure with what its code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What failed.
    #[serde(flatten)]
    pub failure: Failure,
    /// What its code means, and what helps.
    pub advice: Advice,
}

impl From<&Failure> for Explained {
    fn from(failure: &Failure) -> Self {
        Self { failure: failure.clone(), advice: failure.code.advice() }
    }
}

/// One thing that happened to an item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// When; the store says.
    #[serde(serialize_with = "text")]
    pub at: Timestamp,
    /// In which stage.
    pub stage: Option<StageName>,
    /// Whether it happened to the item this one came out of.
    pub of_parent: bool,
    /// What.
    #[serde(flatten)]
    pub what: StepKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepKind {
    /// A condition was evaluated.
    Condition {
        /// As it was written.
        condition: Option<String>,
        /// Whether it holds; nothing when it could not be evaluated.
        answer: Option<bool>,
        /// The fields it uses, and what they were.
        saw: BTreeMap<String, Value>,
    },
    /// A provider was called.
    Call {
        /// Which call.
        call: CallId,
        /// Whom.
        provider: String,
        /// For which try.
        attempt: u32,
        /// Where it stands now.
        state: CallState,
        /// What was reserved.
        #[serde(rename = "reserved_micros")]
        reserved: Money,
        /// What it cost, once that is known; for all items of the call.
        #[serde(rename = "cost_micros")]
        cost: Option<Money>,
        /// How many items it serves.
        items: usize,
        /// The vendor's id of the task.
        task: Option<String>,
        /// When its outcome was recorded.
        #[serde(serialize_with = "maybe_text")]
        settled_at: Option<Timestamp>,
        /// Why it failed, or is unknown.
        failure: Option<Explained>,
        /// What a person has decided about it.
        resolution: Option<Resolution>,
    },
    /// A stage recorded something: it is done, or judged.
    Result {
        /// Which try.
        attempt: u32,
        /// How long that took, in milliseconds.
        #[serde(rename = "took_ms", serialize_with = "millis")]
        took: Duration,
        /// This item's share of what it cost.
        #[serde(rename = "cost_micros")]
        cost: Money,
        /// Who made it.
        provider: Option<String>,
        /// What a check found.
        verdict: Option<Verdict>,
        /// Files it made.
        files: BTreeMap<String, Artifact>,
        /// How the walk ended here, when the check stopped it.
        stop: Option<Stop>,
    },
    /// A stage was passed over.
    Skipped {
        /// Why.
        why: Why,
        /// What it could not do, when it was tried.
        failure: Option<Explained>,
    },
    /// A stage ended the walk without recording anything.
    Stopped {
        /// How.
        stop: Stop,
        /// Why it could not be done.
        failure: Option<Explained>,
    },
    /// A try failed, and another one followed.
    Retrying {
        /// The try that failed.
        attempt: u32,
        /// When the next one could start.
        #[serde(serialize_with = "text")]
        again_at: Timestamp,
        /// Why it failed.
        failure: Explained,
    },
    /// A stage waited without using up an attempt.
    Waited {
        /// For what.
        reason: String,
    },
    /// The process ended while the item ran.
    Recovered {
        /// How often, in this round.
        crashes: u32,
    },
    /// Children replaced the item.
    Expanded {
        /// How many.
        children: u32,
    },
    /// A person marked it as not wanted.
    Discarded {
        /// Who, and why.
        by: Option<Reviewer>,
    },
    /// The item ended.
    Ended {
        /// As what.
        status: ItemStatus,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[expect(clippy::ref_option, reason = "serde passes it so")]
pub(super) fn maybe_text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn millis<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
