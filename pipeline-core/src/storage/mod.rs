//! The ports of storage: records (jobs, items, queue, ledger, gates, budgets, events, hooks, names), artifacts and logs.
//!
//! Each trait numbers the clauses of its contract; the conformance suite has one test a clause.

mod artifact;
mod audit;
mod budget;
mod event;
mod event_filter;
mod gate;
mod historian;
mod hook;
mod hook_message;
mod hook_policy;
mod item;
mod job;
mod ledger;
mod listing;
mod log;
mod queue;
mod registry;
mod review;
mod saved;
mod schedule;
mod spend;
mod steward;

use std::fmt;

pub use artifact::{ArtifactStore, RENEWED_AFTER, StoredArtifact};
pub use audit::{Audit, AuditedCall, AuditedEvents, AuditedItem, AuditedResult, Breach, JobAuditor};
pub use budget::{Budget, BudgetKeeper, BudgetKey, BudgetScope, Closed};
pub use event::{EventBody, EventLog, EventRecord};
pub use event_filter::{EventFilter, UnknownEvent};
pub use gate::{BREAKER_TRIPS_AT, GateKeeper, GateKey, GateLoad, GatePass, GateRecord, RATE_WINDOW, breaker_pause};
pub use historian::{
    Historian, JobProfile, Retries, RetryQuery, RetryRecord, StageFailures, StageTimes, StageWord, stage_word,
};
pub use hook::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, DeliveryState, Hook, HookJobs, HookKeeper, HookSpec, LANE_GRACE,
    Lane, LaneReport, LaneStep, Lanes, NewHook,
};
pub use hook_message::message_body;
pub use hook_policy::HookPolicy;
pub use item::{ItemQuery, ItemRecord, ItemStore, NewItem, ResultRecord, StageTally};
pub use job::{Idempotency, JobKey, JobPlan, JobRecord, JobStore, NewJob, Recipe};
pub use ledger::{
    AttachReply, CallLedger, CallQuery, CallRecord, CallState, Decision, NewCall, NewResolution, Resolution,
    SettleReply, Settlement, shortened,
};
pub use listing::{JobCursor, JobKeyOf, JobOrder, JobQuery, JobSort};
pub use log::{LogEntry, LogKeeper, LogQuery, LogSeq, LogVolume, NewLogEntry, Outdated};
pub use queue::{
    AGEING, ClaimRequest, Claimed, Claims, Commit, CommitReply, Depth, Heartbeat, LOOK_AGAIN, NewSession, QueueStatus,
    Rates, Refusal, SessionRecord, WorkQueue,
};
pub use registry::{FingerprintMark, NameRequest, Registry, TakeOver};
pub use review::{ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply};
pub use saved::{NAME_LENGTH, SavedBody, SavedKind, SavedLayer, SavedRecord, SavedRequest, TemplateKeeper, check_name};
pub use schedule::{Due, NewSchedule, Occasion, Outcome, ScheduleKeeper, ScheduleRecord};
pub use spend::{Spend, SpendBy, SpendQuery};
pub use steward::{Census, Holder, Mention, Steward};

/// What a store says about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StoreInfo {
    /// `memory`, `sqlite`, …
    pub backend: String,
    /// Where it is, without credentials.
    pub location: String,
    /// The number of the newest migration applied.
    pub schema: i64,
    /// The version of the database engine.
    pub engine: String,
    /// Whether an acknowledged commit survives a crash of the process.
    pub durable: bool,
}

/// A complete record store.
pub trait Store:
    JobStore
    + ItemStore
    + WorkQueue
    + CallLedger
    + GateKeeper
    + BudgetKeeper
    + ReviewDesk
    + EventLog
    + HookKeeper
    + Historian
    + Registry
    + Steward
    + TemplateKeeper
    + ScheduleKeeper
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Says what and where it is.
    fn info(&self) -> StoreInfo;
}

const _: Option<std::sync::Arc<dyn Store>> = None;
const _: Option<std::sync::Arc<dyn ArtifactStore>> = None;
