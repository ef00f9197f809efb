//! The port that reads items and their results.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Result;
use crate::executor::ItemMachine;
use crate::id::{CallId, ItemId, JobId, ResultId, StageName};
use crate::model::{Artifact, FailureCode, ItemStatus, Money, Verdict};
use crate::pipeline::StageIndex;
use crate::time::Timestamp;

use super::gate::GateKey;

/// An item to be stored: a root item of a submit, or a child of an expansion.
#[derive(Clone, Debug, PartialEq)]
pub struct NewItem {
    /// Its id; also `machine.id`.
    pub id: ItemId,
    /// The item it replaces a part of.
    pub parent: Option<ItemId>,
    /// The place of its root item in the job, from 0.
    pub ordinal: u32,
    /// Its place among its siblings, from 0.
    pub slot: u32,
    /// For people, for example a file name or a keyword.
    pub name: String,
    /// What the source planned for it.
    pub input: Map<String, Value>,
    /// Its state.
    pub machine: ItemMachine,
    /// Derived from the machine by the caller.
    pub status: ItemStatus,
    /// Claimed together with the other claimable items of the same unit.
    pub unit: Option<ItemId>,
    /// The gate it comes to next.
    pub gate: Option<GateKey>,
}

/// A stored item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ItemRecord {
    /// Its id.
    pub id: ItemId,
    /// Its job.
    pub job: JobId,
    /// The item it replaced a part of.
    pub parent: Option<ItemId>,
    /// The place of its root item in the job, from 0.
    pub ordinal: u32,
    /// Its place among its siblings, from 0.
    pub slot: u32,
    /// For people.
    pub name: String,
    /// What the source planned for it.
    pub input: Map<String, Value>,
    /// `running` while a session holds it, `pending` when that session is gone; otherwise what its machine says, or
    /// `cancelled` with its job.
    pub status: ItemStatus,
    /// Its state.
    pub machine: ItemMachine,
    /// What its results cost.
    pub cost: Money,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// Which items of a job to list, by ordinal and slot; items replaced by children are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    /// The job.
    pub job: JobId,
    /// Only these states; empty means all.
    pub statuses: Vec<ItemStatus>,
    /// Only those whose walk ended at this stage: it rejected, could not decide or failed, or was cancelled.
    pub stage: Option<StageIndex>,
    /// Only those whose walk a failure with this code has ended.
    pub code: Option<FailureCode>,
    /// Only those in this round, from 1.
    pub round: Option<u32>,
    /// Only ids that begin so.
    pub id_prefix: Option<String>,
    /// Only items after this place.
    pub after: Option<(u32, u32)>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

impl ItemQuery {
    /// The first items of a job.
    pub fn of(job: JobId) -> Self {
        Self { job, statuses: Vec::new(), stage: None, code: None, round: None, id_prefix: None, after: None, limit: 0 }
    }
}

/// What a stage recorded for an item; append-only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Its id.
    pub id: ResultId,
    /// The item whose stage recorded it.
    pub item: ItemId,
    /// The stage.
    pub stage: StageName,
    /// The round, from 1.
    pub round: u32,
    /// The try, from 1.
    pub attempt: u32,
    /// Output fields; what conditions and templates see.
    pub fields: Map<String, Value>,
    /// Output files.
    pub files: BTreeMap<String, Artifact>,
    /// The verdict, when the stage is a check.
    pub verdict: Option<Verdict>,
    /// Who made it: provider name.
    pub provider: Option<String>,
    /// This item's share of what it cost.
    pub cost: Money,
    /// The call of another job whose answer was taken instead of making a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<CallId>,
    /// When the try started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// How long one stage of a job has taken so far, over its results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageTally {
    /// The stage.
    pub stage: StageName,
    /// How many results.
    pub count: u64,
    /// Σ duration.
    pub total: Duration,
    /// Σ duration², in seconds squared.
    pub sum_squares: f64,
    /// Σ cost.
    pub cost: Money,
}

/// Reads items and results.
///
/// # Contract
/// 1. *Not found* is an error of kind `NotFound` for `item`; unknown ids in `results` are left out.
/// 2. *Order and cursor.* `items` is ordered by (ordinal, slot), honours states, prefix and limit, and following
///    `after` visits every item once.
/// 3. *Replaced items* (expanded into children) are not listed, but `item` returns them.
/// 4. *History.* `history` returns every result of an item, oldest first, over all rounds; nothing removes one.
/// 5. *Tallies* sum over all results of the job, by stage.
/// 6. *Reused* counts, by stage, the results of the job that were made of an answer another job had; stages without one
///    are left out.
/// 7. *Filters.* `items` honours stage, code and round of the query, each alone, together and with states and cursor, by what
///    the item's machine is now: a new round takes away what ended the last one.
#[async_trait]
pub trait ItemStore {
    /// Returns an item.
    async fn item(&self, id: ItemId) -> Result<ItemRecord>;

    /// Lists items of a job.
    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>>;

    /// Returns the results with these ids, in any order.
    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>>;

    /// Returns every result of an item.
    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>>;

    /// Returns how long the stages of a job have taken.
    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>>;

    /// Returns how many results of a job were made of an answer that another job had.
    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>>;
}
