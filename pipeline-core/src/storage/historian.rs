//! The port that tells how jobs and items came to be what they are: what else the records say, added up or picked out.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::error::Result;
use crate::executor::StageState;
use crate::id::{ItemId, JobId, StageName};
use crate::model::{FailureCode, ItemStatus};
use crate::pipeline::StageIndex;

use super::event::EventRecord;
use super::review::ReviewRecord;

/// What a stage of an item is, as [`StageState`] is stored: `blocked`, `ready`, `running`, `waiting`, `done`, `skipped`, or
/// for one that ended the walk `rejected`, `undecided`, `failed`, `cancelled`.
pub type StageWord = String;

/// What the records of a job say about its stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JobProfile {
    /// Leaves by stage and what it is for them.
    pub states: BTreeMap<(StageIndex, StageWord), u64>,
    /// How long the results of each stage took.
    pub times: Vec<StageTimes>,
    /// How often each stage could not be done, by code; the most frequent first.
    pub failures: Vec<StageFailures>,
    /// The jobs that were made from it, oldest first.
    pub reruns: Vec<JobId>,
}

impl JobProfile {
    /// Of how many items at least the times of results are looked at. A job with more of them has every nth one looked at,
    /// spread evenly over the order of its list, so that a million items cost no more than this many.
    pub const LOOKED_AT: u64 = 20_000;

    /// Returns which of the items of a job with so many leaves are looked at: every nth.
    pub fn stride(leaves: u64) -> u64 {
        (leaves / Self::LOOKED_AT).max(1)
    }
}

/// How long the results of a stage took; of many the one at its rank, so that it is one of them. In a large job not every
/// result is looked at: see [`JobProfile::LOOKED_AT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageTimes {
    /// The stage.
    pub stage: StageName,
    /// How many results were looked at.
    pub count: u64,
    /// Half of them took no longer.
    pub median: Duration,
    /// Of a hundred, 95 took no longer.
    pub p95: Duration,
    /// The longest of those looked at.
    pub longest: Duration,
}

/// How often a stage could not be done with one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageFailures {
    /// The stage.
    pub stage: StageName,
    /// The code.
    pub code: FailureCode,
    /// How often, over all tries of all rounds.
    pub count: u64,
    /// An item it happened to: the first one.
    pub example: ItemId,
}

/// Which items that people sent into another round to list, the newest decision first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryQuery {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only items in these states; empty means all.
    pub statuses: Vec<ItemStatus>,
    /// Only decisions before this one.
    pub before: Option<u64>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// An item in a later round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetryRecord {
    /// The number of the decision: the cursor.
    pub number: u64,
    /// The decision that began its round.
    pub review: ReviewRecord,
    /// For people.
    pub name: String,
    /// What the item is now.
    pub status: ItemStatus,
}

/// Items in later rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// Those asked for.
    pub records: Vec<RetryRecord>,
    /// How many there are in each state, over all pages and states.
    pub counts: BTreeMap<ItemStatus, u64>,
}

/// Tells the word of a stage's state.
pub const fn stage_word(state: &StageState) -> &'static str {
    use crate::executor::Stop;
    match state {
        StageState::Blocked => "blocked",
        StageState::Ready { .. } => "ready",
        StageState::Running { .. } => "running",
        StageState::Waiting { .. } => "waiting",
        StageState::Done { .. } => "done",
        StageState::Skipped { .. } => "skipped",
        StageState::Stopped { stop, .. } => match stop {
            Stop::Rejected => "rejected",
            Stop::Undecided { .. } => "undecided",
            Stop::Failed { .. } => "failed",
            Stop::Cancelled => "cancelled",
        },
    }
}

/// Tells how jobs and items came to be what they are.
///
/// # Contract
/// 1. *States.* `profile` counts the leaves of every item by stage and state; items replaced by children have none.
/// 2. *Times* are the nearest ranks over the results of the job, by stage; in a job with more than
///    [`JobProfile::LOOKED_AT`] leaves over those of every nth item, at least.
/// 3. *Failures* are counted over the whole event log of the job, tries that another one followed as well, by stage and
///    code; the example is the item of the first.
/// 4. *Descent.* `reruns` are the jobs whose parent it is, deleted ones apart, oldest first. A job that is not there is
///    `NotFound`.
/// 5. *Later rounds.* `retries` lists each item whose round a decision of a person began, once, by that decision, newest
///    first; it honours every field of the query. Marks begin nothing, and items of deleted jobs are left out.
/// 6. *Of one item.* `events_of` returns what the log of the item's job tells of that item, in order, and nothing else; an
///    item that is not there is `NotFound`.
#[async_trait]
pub trait Historian {
    /// Adds up what the records of a job say about its stages.
    async fn profile(&self, job: JobId) -> Result<JobProfile>;

    /// Lists items in later rounds.
    async fn retries(&self, query: RetryQuery) -> Result<Retries>;

    /// Returns the events of an item.
    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>>;
}
