//! The port that keeps the ledger of provider calls: intent before, settlement after.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::id::{CallId, Digest, ItemId, JobId, SendingId, StageName};
use crate::model::{Capability, Failure, FailureCode, Money};
use crate::time::Timestamp;

use super::gate::{GateKey, GatePass};
use super::spend::{Spend, SpendQuery};

/// The intent of a call, written durably before anything is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCall {
    /// Also the idempotency key.
    pub id: CallId,
    /// Random for each intent, also when the call is opened again.
    pub sending: SendingId,
    /// The job.
    pub job: JobId,
    /// The stage.
    pub stage: StageName,
    /// The items it serves, in the order of the request.
    pub items: Vec<ItemId>,
    /// The round of the items.
    pub round: u32,
    /// The try of the stage.
    pub attempt: u32,
    /// The provider's name.
    pub provider: String,
    /// The provider's model, when it has more than one.
    pub model: Option<String>,
    /// What it is asked in words, shortened; see [`shortened`].
    pub prompt: Option<String>,
    /// What it is asked to do.
    pub capability: Capability,
    /// The hash of the full request.
    pub request: Digest,
    /// What it may cost at most; `None` when nobody knows.
    pub reserved: Option<Money>,
    /// The gate it passes.
    pub gate: Option<GatePass>,
    /// How long after the intent an answer can still be expected, from whoever sent it.
    pub patience: Duration,
}

/// How much of what a call asks in words is kept with it, in characters.
const KEPT: usize = 200;

/// Shortens what a call asks in words to what is kept of it.
pub fn shortened(prompt: &str) -> String {
    // What PostgreSQL cannot keep in a text stands for nothing anyway.
    let prompt = prompt.trim().replace('\0', "\u{fffd}");
    match prompt.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", prompt.get(..end).unwrap_or_default()),
        None => prompt,
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Sent, or about to be: no answer recorded.
    Open,
    /// Answered; the raw response is recorded.
    Succeeded,
    /// Answered with an error, or certainly not sent.
    Failed,
    /// We cannot know; a person or a policy decides.
    Unknown,
}

impl CallState {
    /// Returns its word, as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A stored call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    /// Its id.
    pub id: CallId,
    /// The last intent.
    pub sending: SendingId,
    /// The job.
    pub job: JobId,
    /// The stage.
    pub stage: StageName,
    /// The items it serves, in the order of the request.
    pub items: Vec<ItemId>,
    /// The round of the items.
    pub round: u32,
    /// The try of the stage it was last sent for.
    pub attempt: u32,
    /// The provider's name.
    pub provider: String,
    /// The provider's model, when it has more than one.
    pub model: Option<String>,
    /// What it was asked in words, shortened.
    pub prompt: Option<String>,
    /// What it was asked to do.
    pub capability: Capability,
    /// The hash of the full request.
    pub request: Digest,
    /// Where it stands.
    pub state: CallState,
    /// What was reserved.
    pub reserved: Money,
    /// What it cost, once settled.
    pub cost: Option<Money>,
    /// The raw response, once it succeeded. Holds artifacts by digest.
    pub response: Option<Value>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The vendor's id of the task.
    pub external_id: Option<String>,
    /// When the intent was written.
    pub opened_at: Timestamp,
    /// The gate it passed.
    pub gate: Option<GateKey>,
    /// Until when an answer can still be expected, from whoever sent it.
    pub deadline: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Those of its items, in the order of `items`, that have used its answer up: it serves no later try of theirs.
    pub used_by: Vec<ItemId>,
    /// What a person has decided about it.
    pub resolution: Option<Resolution>,
}

/// What a person decides about a call of which nobody knows what became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The vendor has answered; the answer is given.
    Answered,
    /// It is to be made again, as a new call.
    Repeat,
    /// What it was for is given up.
    GiveUp,
}

/// A decision about a call, as it is kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was decided.
    pub decision: Decision,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
    /// When; the store says.
    pub at: Timestamp,
}

/// A person's decision about a call.
#[derive(Clone, Debug, PartialEq)]
pub struct NewResolution {
    /// The call.
    pub call: CallId,
    /// What is decided.
    pub decision: Decision,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
    /// What the vendor has charged for it.
    pub cost: Money,
    /// The raw response; with [`Decision::Answered`] only.
    pub response: Option<Value>,
}

impl NewResolution {
    /// Returns how the call ends by it.
    pub fn state(&self) -> CallState {
        match self.decision {
            Decision::Answered => CallState::Succeeded,
            Decision::Repeat | Decision::GiveUp => CallState::Failed,
        }
    }

    /// Returns why the call has failed by it, for those that wait for its answer.
    pub fn failure(&self) -> Option<Failure> {
        let message = match self.decision {
            Decision::Answered => return None,
            Decision::Repeat => format!("{} has decided to make the call again: {}", self.by, self.why),
            Decision::GiveUp => format!("{} has given the call up: {}", self.by, self.why),
        };
        Some(Failure::permanent(FailureCode::OutcomeUnknown, message))
    }

    /// Returns what is kept of it.
    pub fn kept(&self, at: Timestamp) -> Resolution {
        Resolution { decision: self.decision, by: self.by.clone(), why: self.why.clone(), at }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The call.
    pub call: CallId,
    /// `Succeeded`, `Failed` or `Unknown`.
    pub state: CallState,
    /// The intent it tells of; `None` when it is known however often the call was sent.
    pub sending: Option<SendingId>,
    /// What it cost.
    pub cost: Money,
    /// The raw response.
    pub response: Option<Value>,
    /// Why it failed, or why it is unknown.
    pub failure: Option<Failure>,
    /// The vendor's id of the task; `None` leaves the one that is attached.
    pub external_id: Option<String>,
    /// Whether the provider was out of order: what the breaker of its gate counts.
    pub outage: bool,
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleReply {
    /// It is durable.
    Settled,
    /// The call was settled before; nothing changed.
    AlreadySettled,
    /// It tells how an earlier sending went wrong, which says nothing of the last; nothing changed.
    SentAgain,
}

/// What became of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachReply {
    /// The call has this id, durably; it may have had it before.
    Attached,
    /// The call keeps another id it was given before.
    OtherTask,
    /// The call is settled with a known outcome; nothing changed.
    AlreadySettled,
}

/// Which calls to list, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallQuery {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only those that serve this item.
    pub item: Option<ItemId>,
    /// Only of this stage.
    pub stage: Option<StageName>,
    /// Only in these states; empty means all.
    pub states: Vec<CallState>,
    /// With `item`: only those whose answer the item has not used up.
    pub unused: bool,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// Keeps the ledger. Intents are written by [`super::WorkQueue::commit`].
///
/// # Contract
/// 1. *Not fenced.* `settle` is accepted from anyone, whoever holds the item.
/// 2. *Once.* The first settlement of an open or unknown call as `Succeeded` or `Failed` wins; later ones are
///    `AlreadySettled` and change nothing. `Unknown` may be settled later by a known outcome. `Failed` or `Unknown` of
///    another sending than the last changes nothing either, and is `SentAgain`; an answer counts from any.
/// 3. *Durable* when it returns.
/// 4. *Not found* is an error of kind `NotFound`.
/// 5. *By item.* A call that serves several items is found by each of them; every field of the query is honoured.
/// 6. *Attached.* `attach` gives an open or unknown call the vendor's id of its task, from anyone, durable when it
///    returns. The first id stays; a call whose outcome is known is not changed.
/// 7. *Used up.* A commit's `used` says, together with its state, that its item has used the answers of these calls up;
///    for the other items of a call nothing changes.
/// 8. *Opened again.* The intent of a call that is `Unknown`, under its id, makes it `Open` again with a new time,
///    deadline, sending and try; the intent of a settled one is refused.
/// 9. *Resolved.* `resolve` ends an unknown call as a person decides, which is kept with it, and counts what it has cost. An
///    answer serves its items; what is to be repeated is used up; items of the call that wait for a person are claimable
///    again. A call that is not unknown, or of which an item is held, is a `Conflict`, and not changed.
/// 10. *By its id* `call` finds each; another id is `NotFound`.
/// 11. *Answered.* `answered` returns the newest answer to exactly this request that a job of the same owner has, with its
///     response; none of another owner, of a deleted job, or of a call that was not answered. For an unknown job there is none.
/// 12. *Added up.* `spend` adds up every call the query allows, those of deleted jobs too, in the order of the keys; see
///     [`SpendQuery`].
#[async_trait]
pub trait CallLedger {
    /// Records how a call ended.
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply>;

    /// Records the vendor's id of the task a call has begun.
    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply>;

    /// Records what a person decides about a call of which nobody knows what became.
    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord>;

    /// Returns a call.
    async fn call(&self, id: CallId) -> Result<CallRecord>;

    /// Looks for an answer to a request among those of the jobs of this job's owner.
    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>>;

    /// Adds up what calls have cost.
    async fn spend(&self, query: SpendQuery) -> Result<Vec<Spend>>;

    /// Lists calls.
    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_prompt_is_short_and_can_be_kept_everywhere() {
        assert_eq!(shortened(" a \"red\" cat\n"), "a \"red\" cat");
        assert_eq!(shortened("a\0b"), "a\u{fffd}b");
        let long = shortened(&"ü".repeat(300));
        assert_eq!((long.chars().count(), long.ends_with('…')), (201, true));
    }
}
