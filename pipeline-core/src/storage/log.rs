//! The port of the logs: what happened in detail, beside the records and never in their way.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{ItemId, JobId, StageName};
use crate::model::{LogLevel, Step};
use crate::time::Timestamp;

/// The number of an entry among all a keeper has; later ones have greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogSeq(pub i64);

impl LogSeq {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

/// An entry to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewLogEntry {
    /// When it happened, by the clock of the process it happened in.
    pub at: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// The job it is about.
    pub job: JobId,
    /// The item. What several siblings share in one call is about their parent.
    pub item: Option<ItemId>,
    /// The stage.
    pub stage: Option<StageName>,
    /// The step.
    pub step: Step,
    /// The try of the stage.
    pub attempt: Option<u32>,
    /// The code of what went wrong; `None` when nothing did.
    pub code: Option<Cow<'static, str>>,
    /// How long the step took.
    pub duration: Option<Duration>,
    /// One line for people, without secrets.
    pub message: Cow<'static, str>,
}

/// An entry that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its number.
    pub seq: LogSeq,
    /// What it says.
    #[serde(flatten)]
    pub entry: NewLogEntry,
}

/// Which entries to return: those to which everything that is set applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Of one job.
    pub job: Option<JobId>,
    /// Of any of these items; empty means of all, and those of none.
    pub items: Vec<ItemId>,
    /// Of one stage.
    pub stage: Option<StageName>,
    /// Of one step.
    pub step: Option<Step>,
    /// Of this level or one that matters more.
    pub level: LogLevel,
    /// With this code.
    pub code: Option<String>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// After this one.
    pub after: LogSeq,
    /// At most so many.
    pub limit: u32,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            job: None,
            items: Vec::new(),
            stage: None,
            step: None,
            level: LogLevel::Debug,
            code: None,
            since: None,
            after: LogSeq::START,
            limit: 1_000,
        }
    }
}

impl LogQuery {
    /// Tells whether an entry is one of those asked for.
    pub fn matches(&self, LogEntry { seq, entry }: &LogEntry) -> bool {
        *seq > self.after
            && entry.level >= self.level
            && self.job.is_none_or(|job| job == entry.job)
            && (self.items.is_empty() || entry.item.is_some_and(|item| self.items.contains(&item)))
            && self.stage.as_ref().is_none_or(|stage| entry.stage.as_ref() == Some(stage))
            && self.step.as_ref().is_none_or(|step| *step == entry.step)
            && self.code.as_ref().is_none_or(|code| entry.code.as_ref() == Some(&Cow::Borrowed(code.as_str())))
            && self.since.is_none_or(|since| entry.at >= since)
    }
}

/// Which entries to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outdated {
    /// All of a job.
    Job(JobId),
    /// All that happened before this time.
    Before(Timestamp),
}

/// How much a keeper has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogVolume {
    /// Where it is, without credentials.
    pub location: String,
    /// Entries.
    pub entries: u64,
    /// What they take, in bytes, as far as the keeper can tell.
    pub bytes: Option<u64>,
}

/// Keeps the logs of jobs.
///
/// # Contract
/// 1. *Kept.* When `append` returns, the entries are there for everyone, each as it was given.
/// 2. *In order.* Entries get growing numbers in the order they are given; `entries` returns them in that order, those after
///    `after`, at most `limit`.
/// 3. *Chosen.* Everything that is set in a query must apply, as [`LogQuery::matches`] says.
/// 4. *Nothing is missed.* Who has seen an entry has seen, or can still see, every entry with a lesser number; who goes on
///    after the last number has missed nothing, whoever appends at the same time.
/// 5. *Removed.* `remove` takes away those asked for and no others, at most `limit` at once, and returns how many; a number
///    is never given again.
/// 6. *Counted.* `volume` counts every entry once.
#[async_trait]
pub trait LogKeeper: fmt::Debug + Send + Sync + 'static {
    /// Keeps entries.
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<()>;

    /// Returns entries.
    async fn entries(&self, query: LogQuery) -> Result<Vec<LogEntry>>;

    /// Removes entries.
    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64>;

    /// Counts entries; with a time, those that happened before it.
    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume>;
}

const _: Option<std::sync::Arc<dyn LogKeeper>> = None;
