//! The port that keeps recurring jobs, and lets each occasion fire exactly once.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{JobId, ScheduleId};
use crate::time::Timestamp;

use super::saved::SavedRequest;

/// A schedule to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSchedule {
    /// Minted by the caller. Another schedule of the same name has another, so their occasions are apart.
    pub id: ScheduleId,
    /// Whose it and its jobs are.
    pub owner: String,
    /// Unique for the owner.
    pub name: String,
    /// When, in the words of cron.
    pub every: String,
    /// The name of the time zone those are in.
    pub timezone: String,
    /// Whether a job is made although the last one has not ended.
    pub overlap: bool,
    /// What is submitted each time.
    pub request: SavedRequest,
    /// The first occasion.
    pub next_at: Timestamp,
}

/// What became of the newest occasion that somebody has looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// When it was due.
    pub at: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of an occasion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Taken, and its job is being submitted; whoever sees it so helps: a submit can be repeated.
    Begun,
    /// This job was submitted.
    Submitted {
        /// The job.
        job: JobId,
    },
    /// Nothing was submitted because the last job had not ended.
    Skipped {
        /// That job.
        open: JobId,
    },
    /// The job could not be submitted.
    Failed {
        /// Why, in one line.
        reason: String,
    },
}

impl Outcome {
    /// Returns the job that was submitted.
    pub const fn job(&self) -> Option<JobId> {
        match self {
            Self::Submitted { job } => Some(*job),
            Self::Begun | Self::Skipped { .. } | Self::Failed { .. } => None,
        }
    }
}

/// A stored schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleRecord {
    /// Its id.
    pub id: ScheduleId,
    /// Whose it and its jobs are.
    pub owner: String,
    /// Unique for the owner.
    pub name: String,
    /// When, in the words of cron.
    pub every: String,
    /// The name of the time zone those are in.
    pub timezone: String,
    /// Whether a job is made although the last one has not ended.
    pub overlap: bool,
    /// What is submitted each time.
    pub request: SavedRequest,
    /// Whether a person has stopped it for now.
    pub paused: bool,
    /// The next occasion.
    pub next_at: Timestamp,
    /// The newest occasion that was taken.
    pub last: Option<Occasion>,
    /// The newest job it has made.
    pub last_job: Option<JobId>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// What there is to do now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// Those whose time has come, and those whose occasion somebody has begun.
    pub schedules: Vec<ScheduleRecord>,
    /// When the next of the others is due.
    pub next_at: Option<Timestamp>,
}

/// Keeps recurring jobs.
///
/// # Contract
/// 1. *Kept.* What `schedule` has stored is durable when it returns; a name the owner has already used is a `Conflict` and
///    changes nothing. `schedules` lists by owner and name, all or those of one owner.
/// 2. *Due.* `due` returns, by the clock of the store, every schedule that is not paused and whose `next_at` has come, every
///    one whose last occasion is `Begun`, paused or not, and when the next of the others comes.
/// 3. *One takes it.* `take` moves a schedule from the occasion it is at to the next, and records what becomes of the first.
///    Of several at once exactly one succeeds; a schedule that is at another occasion, is paused, has one that is `Begun` or
///    is gone is left as it is.
/// 4. *Settled once.* `settle_occasion` records how a begun occasion ended, durably; one that is not `Begun`, or is not the
///    newest, is left as it is. `last_job` stays what it was unless a job was submitted.
/// 5. *Paused.* While a schedule is paused it is not due. Resuming sets the next occasion: those that passed meanwhile are
///    left out. Pausing twice is no error.
/// 6. *Not found* is an error of kind `NotFound`, for `pause_schedule`, `resume_schedule` and `unschedule`; what `unschedule`
///    has removed is gone.
#[async_trait]
pub trait ScheduleKeeper {
    /// Stores a schedule.
    async fn schedule(&self, new: NewSchedule) -> Result<ScheduleRecord>;

    /// Lists schedules.
    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>>;

    /// Returns what there is to do now.
    async fn due(&self) -> Result<Due>;

    /// Takes the occasion a schedule is at; true when the caller has it.
    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool>;

    /// Records what became of an occasion that was begun; true when that was not known before.
    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool>;

    /// Stops a schedule for now.
    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord>;

    /// Lets a schedule go on, from an occasion on.
    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord>;

    /// Removes a schedule. Its jobs stay.
    async fn unschedule(&self, owner: &str, name: &str) -> Result<()>;
}
