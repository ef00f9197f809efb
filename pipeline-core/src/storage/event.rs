//! The port that reads the event log: one gapless sequence a job.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::executor::ItemEvent;
use crate::id::{EventSeq, ItemId, JobId};
use crate::model::{Control, Counts, JobStatus};
use crate::time::Timestamp;

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventBody {
    /// The job was stored.
    Submitted {
        /// Leaves planned.
        planned: u64,
    },
    /// Something happened to an item.
    Item {
        /// The item.
        item: ItemId,
        /// What.
        what: ItemEvent,
    },
    /// A person wrote the control column.
    Controlled {
        /// What was asked.
        control: Control,
    },
    /// The job had ended, and a review began something of it anew.
    Reopened,
    /// The job ended.
    Finished {
        /// As what.
        status: JobStatus,
        /// The final counts.
        counts: Counts,
    },
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The job.
    pub job: JobId,
    /// Its place in the job's sequence, from 1 without gaps.
    pub seq: EventSeq,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}

/// Reads the event log. Events are written in the commit of the state they tell of.
///
/// # Contract
/// 1. *Gapless.* The sequence of a job is 1, 2, 3, … in commit order.
/// 2. *Replay.* `events` returns those after `after`, in order, at most `limit`; the same call gives the same answer.
/// 3. *Nothing early.* An event is visible only with the state it tells of.
#[async_trait]
pub trait EventLog {
    /// Returns the events of a job after a point.
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>>;
}
