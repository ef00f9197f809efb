//! The port of the reviews: what people decided about items that had ended.

use async_trait::async_trait;
use serde::Serialize;

use crate::error::Result;
use crate::executor::{Decision, ItemEvent, ItemMachine};
use crate::id::{ItemId, JobId};
use crate::model::{Control, ItemStatus};
use crate::time::Timestamp;

use super::gate::GateKey;

/// A decision about one item, with the state that follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    /// The item's job.
    pub job: JobId,
    /// The item.
    pub item: ItemId,
    /// Its state as it was read.
    pub expected: ItemMachine,
    /// Its state after the decision.
    pub machine: ItemMachine,
    /// Derived from the machine by the caller.
    pub status: ItemStatus,
    /// When it is due; `None` when it has ended.
    pub claimable_at: Option<Timestamp>,
    /// Claimed together with the other claimable items of the same unit.
    pub unit: Option<ItemId>,
    /// The gate it comes to next.
    pub gate: Option<GateKey>,
    /// What was decided.
    pub decision: Decision,
    /// What to tell.
    pub events: Vec<ItemEvent>,
}

impl Ruling {
    /// Answers the ruling, for every store alike: `control` is the job's; the item is `free` when no session holds it, and is
    /// `current`; `again` says that the batch has a ruling on it already.
    pub fn answer(&self, control: Control, free: bool, current: &ItemMachine, again: bool) -> RulingReply {
        if control == Control::Cancel {
            RulingReply::Cancelled
        } else if free && *current == self.expected && !again {
            RulingReply::Applied
        } else {
            RulingReply::Changed
        }
    }

    /// Tells whether it is more than a mark.
    pub fn changes(&self) -> bool {
        self.machine != self.expected
    }

    /// Returns when the item is due after it; `None` when it has ended.
    pub fn due(&self) -> Option<Timestamp> {
        self.claimable_at.filter(|_| !self.status.is_terminal())
    }
}

/// Who decides, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reviewer {
    /// Who.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// What became of a ruling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulingReply {
    /// It is durable.
    Applied,
    /// The item is not, or no more, as it was read; nothing changed.
    Changed,
    /// Its job was cancelled; nothing changed.
    Cancelled,
}

/// A stored decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewRecord {
    /// The item's job.
    pub job: JobId,
    /// The item.
    pub item: ItemId,
    /// The round it began, or the one it marks.
    pub round: u32,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
    /// Who decided, and why.
    #[serde(flatten)]
    pub by: Reviewer,
    /// When.
    pub at: Timestamp,
}

/// Which reviews to list, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewQuery {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only of this item.
    pub item: Option<ItemId>,
    /// The first so many are left out.
    pub skip: u32,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// Applies and keeps reviews.
///
/// # Contract
/// 1. *Only what was read.* A ruling on an item that is held or not as `expected`, and the second one on an item in a batch,
///    change nothing and are `Changed`; on an item of a job that was cancelled a ruling is `Cancelled`. The other rulings of
///    the batch are not touched by that.
/// 2. *Together.* State, counters, the job's events and the review appear together, durable when `rule` returns.
/// 3. *The job opens.* A ruling that changes an item of a job that has ended opens the job: its status is derived again, it
///    has no `ended_at`, and the event `Reopened` stands before the item's own. The item is claimable as any other. A job
///    with a key has to wait for its turn again. A job none of whose items is open after that ends again at once.
/// 4. *A mark* (a ruling that leaves the machine as it is) opens nothing.
/// 5. *Append-only.* `reviews` returns what was decided in order, honours every field of the query, and nothing removes or
///    changes one.
/// 6. *Not found* is an error of kind `NotFound` for an item or job that is not there; the whole batch changes nothing.
#[async_trait]
pub trait ReviewDesk {
    /// Applies rulings of one person, one reply each, in order.
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>>;

    /// Lists reviews.
    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>>;
}
