//! The port that keeps jobs.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::id::{Digest, EventSeq, JobId};
use crate::model::{Control, Counts, Estimate, JobStatus, Money};
use crate::pipeline::Plan;
use crate::time::Timestamp;

use super::budget::Budget;
use super::item::NewItem;
use super::listing::JobQuery;

/// Jobs with the same key take turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobKey {
    /// Compared over all owners.
    pub name: String,
    /// So many jobs of the name are in work at once, from 1.
    pub limit: u32,
}

/// Makes a repeated submit find the job of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Chosen by the caller; compared within one owner.
    pub key: String,
    /// The hash of what was asked for.
    pub body: Digest,
}

/// A job to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Minted by the caller.
    pub id: JobId,
    /// For people; need not be unique.
    pub label: String,
    /// Whose it is.
    pub owner: String,
    /// Higher is served first.
    pub priority: i32,
    /// The frozen plan and where each setting came from.
    pub plan: JobPlan,
    /// Where finished files go, for display.
    pub out: Option<String>,
    /// The job it was made from.
    pub parent: Option<JobId>,
    /// With whom it takes turns.
    pub key: Option<JobKey>,
    /// Not claimed before.
    pub start_at: Option<Timestamp>,
    /// What its calls may cost.
    pub budget: Option<Money>,
    /// What makes a repeated submit the same one.
    pub idempotency: Option<Idempotency>,
}

/// What a job does: the compiled plan and the settings as resolved, with origins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobPlan {
    /// What the executor walks.
    pub plan: Plan,
    /// Every setting with its value and origin, for people. Holds no secrets.
    pub settings: Value,
    /// What it was made from; `None` for jobs of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// What was expected of the job when it was submitted; `None` for jobs of versions that did not say, and for revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// What a job was made from beside its settings, so that another one can be made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The preset, when it was one.
    pub preset: Option<String>,
    /// The pipeline's definition as it was.
    pub definition: String,
    /// Whether that is JSON; otherwise it is TOML.
    pub json: bool,
    /// What problems in it are reported with.
    pub file: String,
    /// The inputs that were given.
    pub inputs: Vec<String>,
    /// How many items were asked for.
    pub count: Option<u32>,
}

/// A stored job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// For people.
    pub label: String,
    /// Whose it is.
    pub owner: String,
    /// Higher is served first.
    pub priority: i32,
    /// The pipeline's name.
    pub pipeline: String,
    /// What a person asked of it.
    pub control: Control,
    /// Derived from control and counts; see [`JobStatus::derive`].
    pub status: JobStatus,
    /// Leaves by state; always adds up.
    pub counts: Counts,
    /// Σ settled stages × leaves, for progress.
    pub steps_done: u64,
    /// Stages × planned leaves.
    pub steps_planned: u64,
    /// What its results cost.
    pub cost: Money,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its first item was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its newest event.
    pub last_event: EventSeq,
    /// Where finished files go.
    pub out: Option<String>,
    /// The job it was made from.
    pub parent: Option<JobId>,
    /// With whom it takes turns.
    pub key: Option<JobKey>,
    /// Not claimed before.
    pub start_at: Option<Timestamp>,
    /// What its calls may cost, and what became of that.
    pub budget: Option<Budget>,
}

/// Keeps jobs.
///
/// # Contract
/// 1. *Durable submit.* When `submit` returns, job and items survive a crash; when it fails, nothing is stored.
/// 2. *Whole submit.* Job, all items and the event `Submitted` (sequence 1) appear together. A job without items is
///    `empty` at once and also has `Finished`.
/// 3. *Unique.* A second `submit` of the same id is a `Conflict` and changes nothing.
/// 4. *Counts reconcile* in every record returned.
/// 5. *Order and cursor.* `jobs` is in the order of the query, and among equals in that of ids (UUIDv7); newest first where
///    nothing is said. Following `after` visits every job once, however large the pages, as long as what it is ordered by
///    does not change. A cursor of another order is `Invalid`.
/// 6. *Not found* is an error of kind `NotFound`, for `job`, `plan` and `control`.
/// 7. *Control.* `control` of an ended job is a `Conflict`; `Cancel` is sticky: a later `Run` or `Pause` is a `Conflict`.
///    The same control twice is no error and writes no second event.
/// 8. *Cancel* ends at once, in the same commit, every item that no live session holds; items held end through their
///    holder's commit. When none is held the job ends with the event `Finished`.
/// 9. *The plan is returned as stored*, byte for byte equal after serialisation.
/// 10. *Repeated submit.* With an idempotency key its owner has used before, the same body gives the job of the first
///     submit and stores nothing; another body is a `Conflict`.
/// 11. *Abandon* cancels a job and takes its items from whoever holds them: every item and the job end at once, and what
///     the former holders commit is superseded. Calls in flight can still be settled.
/// 12. *Revisions.* `revise` stores further settings of a job and returns their number, from 1; a plan whose hash the job
///     has already gives the number that has (0 for the plan of the submit). `revision` returns what was stored, byte for
///     byte equal after serialisation; 0 is `plan`. An unknown job or number is `NotFound`.
/// 13. *Filters.* `jobs` honours every filter of the query, each alone and all together.
#[async_trait]
pub trait JobStore {
    /// Stores a job with its items.
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord>;

    /// Returns a job.
    async fn job(&self, id: JobId) -> Result<JobRecord>;

    /// Lists jobs.
    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>>;

    /// Returns what a job does.
    async fn plan(&self, id: JobId) -> Result<JobPlan>;

    /// Stores settings for a new round of some of a job's items, and returns the number of the revision.
    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32>;

    /// Returns a revision of what a job does; 0 is that of the submit.
    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan>;

    /// Writes the control column.
    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord>;

    /// Cancels a job without waiting for those who work on it.
    async fn abandon(&self, id: JobId) -> Result<JobRecord>;
}
