//! The port that hands out work and takes it back: sessions, claims, fenced commits.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::error::Result;
use crate::executor::{ItemEvent, ItemMachine};
use crate::id::{ItemId, JobId, SessionId, Token};
use crate::model::{Control, ItemStatus};
use crate::time::Timestamp;

use super::item::{ItemRecord, NewItem, ResultRecord};
use super::ledger::NewCall;

/// A process start that wants work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Random for each start.
    pub id: SessionId,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// How long it counts as alive without a heartbeat.
    pub lease: Duration,
    /// The only job it works on, when it was started for one.
    pub focus: Option<JobId>,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The only job it works on.
    pub focus: Option<JobId>,
    /// When it started.
    pub started_at: Timestamp,
    /// Until when it counts as alive.
    pub lease_until: Timestamp,
    /// How many items it holds.
    pub claims: u64,
}

/// What a heartbeat brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// False when the session has been declared dead: its claims are gone and it must not go on.
    pub alive: bool,
    /// What people asked of the jobs it holds items of, where that is not `Run`.
    pub controls: Vec<(JobId, Control)>,
}

/// A wish for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks.
    pub session: SessionId,
    /// At most this many units (a unit is one item, or all claimable items with the same `unit`).
    pub limit: u32,
    /// Only this job.
    pub job: Option<JobId>,
}

/// One item handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The item as stored.
    pub item: ItemRecord,
    /// The fence for every commit on it.
    pub token: Token,
}

/// What a claim brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Units of items; each unit is of one job.
    pub units: Vec<Vec<Claimed>>,
    /// When the earliest waiting item of an eligible job becomes claimable, if nothing else happens.
    pub next_at: Option<Timestamp>,
}

/// One item's transition to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The item.
    pub item: ItemId,
    /// Its job.
    pub job: JobId,
    /// The fence.
    pub token: Token,
    /// The next state.
    pub machine: ItemMachine,
    /// Derived from it.
    pub status: ItemStatus,
    /// When the item may be claimed again, once released; `None` when only something else can wake it.
    pub claimable_at: Option<Timestamp>,
    /// Its unit from now on.
    pub unit: Option<ItemId>,
    /// Results to append.
    pub results: Vec<ResultRecord>,
    /// Intents of calls about to be made.
    pub calls: Vec<NewCall>,
    /// Children to insert.
    pub children: Vec<NewItem>,
    /// What to tell.
    pub events: Vec<ItemEvent>,
    /// Whether the session gives the item back.
    pub release: bool,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitReply {
    /// It is durable.
    Applied,
    /// Another claim has superseded this one; nothing was written.
    Superseded,
}

/// Hands out work and takes it back.
///
/// # Contract
/// 1. *One holder.* An item is held by at most one live session; every claim raises its token.
/// 2. *Fence.* A commit whose token is not the item's current one, or whose session is gone, changes nothing and is
///    `Superseded`. Other commits of the same batch are not touched by that.
/// 3. *Atomic.* Machine, results, calls, children, events and counters of one commit appear together or not at all; so
///    does the whole batch.
/// 4. *Only what is due.* `claim` returns items whose `claimable_at` has come, of jobs whose control is `Run` and which
///    have not ended; higher priority first, then the job least recently served, then by (ordinal, slot).
/// 5. *Whole units.* All claimable items of one unit are claimed together, even beyond `limit`.
/// 6. *Quiet.* A claim writes no event. The first claim of a job sets its `started_at`.
/// 7. *Dead sessions.* A session whose lease has run out (or whose process is known to have ended) loses its claims
///    before the next `claim`, `sessions` or `control` answers; its items are pending again and keep their machine, so a
///    running stage shows that it was interrupted. Its later heartbeats say `alive: false`.
/// 8. *Release.* `close_session` gives all its claims back at once; they are claimable now.
/// 9. *The end.* The commit that ends a job's last leaf also ends the job: status, `ended_at`, and the event `Finished`
///    after the item's own events.
/// 10. *Children* take the leaves of their parent: `planned` does not change.
/// 11. *The store's clock* decides what is due and what is expired.
/// 12. *Time.* `next_at` is never later than the earliest `claimable_at` of an unclaimed item of an eligible job.
#[async_trait]
pub trait WorkQueue {
    /// Returns the store's time.
    async fn now(&self) -> Result<Timestamp>;

    /// Registers a session.
    async fn open_session(&self, session: NewSession) -> Result<()>;

    /// Extends a session's lease by `lease` from now.
    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat>;

    /// Ends a session and gives its claims back.
    async fn close_session(&self, session: SessionId) -> Result<()>;

    /// Lists live sessions; with a job, those that hold items of it or were started for it.
    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>>;

    /// Hands out work.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims>;

    /// Writes transitions, one reply each, in order.
    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>>;
}
