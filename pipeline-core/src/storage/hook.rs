//! The port of the hooks: what is told to whom, how far each has heard, and what became of each message.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{EventSeq, HookId, JobId, MessageId, Token};
use crate::provider::HookTarget;
use crate::time::Timestamp;

use super::event_filter::EventFilter;
use super::hook_policy::HookPolicy;

/// So much longer than a try may take is a lane held: for what is recorded after it.
pub const LANE_GRACE: Duration = Duration::from_secs(3);

/// Which of its owner's jobs a hook tells of; decided when the job is submitted, or when the hook is added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookJobs {
    /// Only those of this pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Only those with this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl HookJobs {
    /// Tells whether a job is one of them.
    pub fn match_with(&self, pipeline: &str, label: &str) -> bool {
        self.pipeline.as_ref().is_none_or(|wanted| wanted == pipeline)
            && self.label.as_ref().is_none_or(|wanted| wanted == label)
    }
}

/// What a hook does. Safe to print: it holds references to secrets, and none itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// Where it leads.
    pub target: HookTarget,
    /// What it tells of.
    pub events: EventFilter,
    /// Of which jobs.
    pub jobs: HookJobs,
    /// How long and how often it tries.
    pub policy: HookPolicy,
}

/// A hook to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHook {
    /// Its id.
    pub id: HookId,
    /// Whose it is: it tells of the jobs of this owner only.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// What it does.
    pub spec: HookSpec,
}

/// A stored hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Its id.
    pub id: HookId,
    /// Whose it is.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// What it does.
    pub spec: HookSpec,
    /// When it was added.
    pub created_at: Timestamp,
    /// Why nothing is delivered; `None` while it is on.
    pub paused: Option<String>,
}

/// The events of one job on their way to one hook, as handed out: nobody else has the lane for as long as a try may take and
/// [`LANE_GRACE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The hook.
    pub hook: HookId,
    /// The job.
    pub job: JobId,
    /// The job's label.
    pub label: String,
    /// The job's pipeline.
    pub pipeline: String,
    /// The job's owner.
    pub owner: String,
    /// The fence.
    pub token: Token,
    /// The last event that is dealt with.
    pub after: EventSeq,
    /// How often the next message was tried.
    pub attempts: u32,
}

/// Lanes with something to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Those handed out, the least recently served first.
    pub lanes: Vec<Lane>,
    /// When the next one may be handed out, of those that are not; `None` when there is nothing to deliver.
    pub next_at: Option<Timestamp>,
    /// Whether there is any hook that is not paused.
    pub hooks: bool,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver has it.
    Delivered {
        /// The status of the answer, or 0 of a program.
        status: i32,
    },
    /// It is tried again.
    Waiting {
        /// After how long.
        wait: Duration,
        /// The status of the answer, where there was one.
        status: Option<i32>,
        /// What went wrong.
        error: String,
    },
    /// It was tried for the last time; the lane goes on without it.
    Failed {
        /// The status of the answer, where there was one.
        status: Option<i32>,
        /// What went wrong.
        error: String,
    },
}

/// What was done in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneStep {
    /// The hook is not to be told of the events up to this one.
    Passed(EventSeq),
    /// A message was tried.
    Tried {
        /// The event it tells of.
        seq: EventSeq,
        /// What kind of event.
        kind: String,
        /// What became of it.
        outcome: DeliveryOutcome,
    },
}

/// A report of whoever holds a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneReport {
    /// The hook.
    pub hook: HookId,
    /// The job.
    pub job: JobId,
    /// The fence.
    pub token: Token,
    /// What was done.
    pub step: LaneStep,
    /// Whether the lane is held on, for another try.
    pub hold: bool,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried again.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// It was tried for the last time.
    Failed,
}

impl DeliveryState {
    /// Returns the word it is stored and shown as.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A message that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// Its id, also for the receiver.
    pub id: MessageId,
    /// The hook.
    pub hook: HookId,
    /// The job.
    pub job: JobId,
    /// The event it tells of.
    pub seq: EventSeq,
    /// What kind of event.
    pub kind: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The last status: of the answer by HTTP, or the exit code of the program.
    pub status: Option<i32>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// When it was tried last.
    pub tried_at: Timestamp,
}

impl DeliveryRecord {
    /// Makes the record of a message that was not tried before.
    pub fn new(hook: HookId, job: JobId, seq: EventSeq, kind: &str, now: Timestamp) -> Self {
        Self {
            id: hook.message(job, seq),
            hook,
            job,
            seq,
            kind: kind.to_owned(),
            state: DeliveryState::Waiting,
            attempts: 0,
            status: None,
            error: None,
            next_at: None,
            tried_at: now,
        }
    }

    /// Notes another try: the one rule all stores share.
    pub fn tried(&mut self, outcome: &DeliveryOutcome, now: Timestamp) {
        self.attempts += 1;
        self.tried_at = now;
        (self.state, self.status, self.error, self.next_at) = match outcome {
            DeliveryOutcome::Delivered { status } => (DeliveryState::Delivered, Some(*status), None, None),
            DeliveryOutcome::Waiting { wait, status, error } => {
                (DeliveryState::Waiting, *status, Some(error.clone()), Some(now.after(*wait)))
            }
            DeliveryOutcome::Failed { status, error } => (DeliveryState::Failed, *status, Some(error.clone()), None),
        };
    }
}

/// Which messages to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Only of this hook.
    pub hook: Option<HookId>,
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only this one.
    pub id: Option<MessageId>,
    /// Only those that stand so.
    pub state: Option<DeliveryState>,
    /// Only those that were first tried before this one.
    pub before: Option<MessageId>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// Keeps the hooks, how far each has heard of each job, and what became of each message.
///
/// # Contract
/// 1. *Named once.* Once `add_hook` returns, durable, `hooks` lists it, by owner and name; a name its owner has used already
///    is a `Conflict`, and changes nothing.
/// 2. *From now on.* A hook hears of every event that is appended after it was added, of its owner's jobs that match, and of
///    no other: not of what was told before.
/// 3. *One at a time.* A lane that is handed out, or held on, is handed out to nobody else, over all processes, before it is
///    given back or the time of a try and [`LANE_GRACE`] have passed. Then it is, from where the last report left it, and
///    with a greater token.
/// 4. *Only who holds it.* The report of whoever has lost the lane, of a hook or a job that is gone, is false, and changes
///    nothing.
/// 5. *In order.* A lane goes on behind what was passed, delivered or has failed, and with a message that waits, not before
///    its time; `next_at` tells that. A lane that has heard all is handed out when there is more.
/// 6. *Paused.* Nothing of a paused hook is handed out, and `hooks` tells why; once it is not paused any more, it goes on
///    where it was, also with what waited. `wake_hook` has what waits due at once, and leaves a paused hook paused. Of no hook
///    both are `NotFound`.
/// 7. *Kept.* `deliveries` lists the messages tried, those first tried last first, with what became of them and how often
///    they were tried; `redelivered` notes another try, and moves no lane.
/// 8. *Removed.* With a hook go its lanes and messages, and its name is free; so they do with a job. Other hooks and jobs
///    keep theirs. A removal that ends midway may have taken messages; the hook is there until all else is gone.
#[async_trait]
pub trait HookKeeper {
    /// Adds a hook.
    async fn add_hook(&self, hook: NewHook) -> Result<Hook>;

    /// Lists the hooks.
    async fn hooks(&self) -> Result<Vec<Hook>>;

    /// Pauses a hook for a reason, or lets it go on at once.
    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook>;

    /// Has what waits for a later try due at once.
    async fn wake_hook(&self, hook: HookId) -> Result<()>;

    /// Removes a hook.
    async fn remove_hook(&self, hook: HookId) -> Result<()>;

    /// Hands out at most `limit` lanes that have something to deliver now, of all hooks or of one.
    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes>;

    /// Notes what was done in a lane; false when somebody else has it.
    async fn report_lane(&self, report: LaneReport) -> Result<bool>;

    /// Lists messages that were tried.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>>;

    /// Notes another try of a message, outside of its lane.
    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord>;
}
