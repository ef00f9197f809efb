//! The port that hands out work and takes it back: sessions, claims, fenced commits.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::error::Result;
use crate::executor::{ItemEvent, ItemMachine};
use crate::id::{CallId, ItemId, JobId, SessionId, Token};
use crate::model::{Control, ItemStatus, JobStatus};
use crate::time::Timestamp;

use super::budget::{BudgetScope, Closed};
use super::gate::GateKey;
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
    /// It was never handed out before. A server that crashes and forgets a claim may say so again.
    pub first: bool,
}

/// What a claim brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Units of items; each unit is of one job.
    pub units: Vec<Vec<Claimed>>,
    /// When to ask again, if nothing else happens; `None` when time alone brings nothing.
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
    /// The gate it stands at or comes to next.
    pub gate: Option<GateKey>,
    /// Results to append.
    pub results: Vec<ResultRecord>,
    /// Intents of calls about to be made.
    pub calls: Vec<NewCall>,
    /// Calls of the item whose answers the try that ends here has used up.
    pub used: Vec<CallId>,
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
    /// It held the intent of a call that may not be made now; nothing was written.
    Refused(Refusal),
}

/// Why a call may not be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The job, or all work of the store, is paused.
    Paused,
    /// The job is being cancelled.
    Cancelled,
    /// The call's outcome is known: whoever sent it before has recorded it meanwhile.
    Settled,
    /// The gate is closed or full; with the time when it may let the call pass, if that is known.
    Gate(Option<Timestamp>),
    /// It would pass a budget, or nobody knows whether it would.
    Budget(BudgetScope, Closed),
}

/// A job that waits gains one point of priority in this time.
pub const AGEING: Duration = Duration::from_mins(1);

/// While only others' calls are in the way of what is due, it is worth looking again after this time.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How much stands in the queue, over the jobs that have not ended, and how fast it moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueStatus {
    /// Whether all work of the store is paused.
    pub paused: bool,
    /// Jobs that have not ended, by status.
    pub jobs: BTreeMap<JobStatus, u64>,
    /// Their items.
    pub depth: Depth,
    /// The unheld items by the gate they come to next.
    pub by_gate: BTreeMap<String, u64>,
    /// Since when the longest-waiting job that could be worked on has not been served.
    pub oldest: Option<Timestamp>,
    /// How fast it moves.
    pub rates: Rates,
}

/// Items that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// Their time has come; what else may be in the way (a gate, a pause, a later start or turn of their job) is not asked.
    pub due: u64,
    /// Their time has not come, or only something else can wake them.
    pub waiting: u64,
    /// A session holds them.
    pub held: u64,
}

/// What the events of the last while tell, of the jobs that have ended since as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// How long that while is; one of [`Rates::WINDOWS`].
    pub window: Duration,
    /// Items that ended.
    pub items: u64,
    /// Stages that were done.
    pub stages: u64,
}

impl Rates {
    /// Over how long is counted. The first is the usual one; a store takes a shorter one where it holds so much that
    /// counting would take long.
    pub const WINDOWS: [Duration; 3] = [Duration::from_mins(1), Duration::from_secs(10), Duration::from_secs(1)];

    /// More events than this take long to count.
    pub const ENOUGH: u64 = 20_000;

    /// Returns how many items ended in a second.
    pub fn items_per_second(&self) -> f64 {
        self.per_second(self.items)
    }

    /// Returns how many stages were done in a second.
    pub fn stages_per_second(&self) -> f64 {
        self.per_second(self.stages)
    }

    fn per_second(&self, count: u64) -> f64 {
        if self.window.is_zero() { 0.0 } else { count as f64 / self.window.as_secs_f64() }
    }
}

/// Hands out work and takes it back.
///
/// # Contract
/// 1. *One holder.* An item is held by at most one live session; every claim raises its token, and tells whether it is
///    the item's first.
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
/// 12. *Time.* `next_at` tells what time alone will bring. It is the earliest time at which an unclaimed item of a job that
///     is to run becomes due, or the job's start where that is later; no later than now while one is left that a further
///     claim would hand out. While a gate, a turn or a job's concurrency keeps back what is due, it is when that gate
///     opens, or `LOOK_AGAIN` from now where nobody can tell. It is `None` when no time helps: who works until nothing is
///     left ends then.
/// 13. *Ageing.* A job that has not been served gains one point of priority a minute.
/// 14. *Not before.* Items of a job are not handed out before its `start_at`.
/// 15. *Turns.* Of the open jobs with one key at most `limit` have been started; the others' items are not handed out.
/// 16. *Job concurrency.* No more units of a job are held than its plan's `concurrency`, over all sessions.
/// 17. *Pause of everything.* After `pause_all(true)` nothing is handed out and no intent is accepted, until
///     `pause_all(false)`; heartbeats say `Pause` for every job.
/// 18. *Intents ask.* A commit with the intent of a call is refused, whole, when the call is settled with a known outcome,
///     the job is not to `Run`, all is paused, the call's gate is closed, full or out of rate, or it would pass a budget:
///     what was acknowledged before holds for every intent after it.
/// 19. *Keep only.* `keep_only` gives back, as `close_session` does, what the session holds beside the items named, so that
///     a claim whose answer was lost strands nothing; those named are not touched.
/// 20. *Rates.* `queue_status` counts the events `Ended` and `StageDone` of items that are younger than `rates.window`, of
///     every job. The window is the first of `Rates::WINDOWS`, or a later one while more than `Rates::ENOUGH` events of
///     the busy jobs are younger than it.
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

    /// Gives back what a session holds beside these items.
    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()>;

    /// Lists live sessions; with a job, those that hold items of it or were started for it.
    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>>;

    /// Hands out work.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims>;

    /// Stops all work of the store, or lets it go on.
    async fn pause_all(&self, paused: bool) -> Result<()>;

    /// Waits until another process may have made work, and returns a number to wait for the next time: it returns as
    /// soon as the number is not `seen`. Only a hint, which may be lost, and which a store need not give: whoever waits
    /// looks from time to time as well.
    async fn stirred(&self, seen: u64) -> u64 {
        std::future::pending::<()>().await;
        seen
    }

    /// Says how much stands in the queue, and how fast it moves.
    async fn queue_status(&self) -> Result<QueueStatus>;

    /// Writes transitions, one reply each, in order.
    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>>;
}
