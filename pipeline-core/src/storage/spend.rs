//! What calls have cost, added up.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::JobId;
use crate::model::Money;
use crate::time::Timestamp;

use super::ledger::{CallRecord, CallState};

/// By what spending is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendBy {
    /// The job's id.
    Job,
    /// The stage's name, over all pipelines.
    Stage,
    /// The provider's name.
    Provider,
    /// The provider's model; empty where it has no more than one.
    Model,
    /// What was asked in words, shortened; empty where nothing was, and for deleted jobs.
    Prompt,
    /// The job's owner.
    Owner,
    /// The day, in UTC, on which the outcome was recorded.
    Day,
}

impl SpendBy {
    /// Each of them.
    pub const ALL: [Self; 7] =
        [Self::Job, Self::Stage, Self::Provider, Self::Model, Self::Prompt, Self::Owner, Self::Day];

    /// Returns its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Stage => "stage",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Owner => "owner",
            Self::Day => "day",
        }
    }
}

/// Which calls are added up, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendQuery {
    /// By what.
    pub by: SpendBy,
    /// Only those whose outcome was recorded then or later.
    pub since: Option<Timestamp>,
    /// Only those whose outcome was recorded before.
    pub until: Option<Timestamp>,
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only of this owner's jobs.
    pub owner: Option<String>,
}

impl SpendQuery {
    /// Adds up all calls.
    pub const fn by(by: SpendBy) -> Self {
        Self { by, since: None, until: None, job: None, owner: None }
    }
}

/// What calls have cost together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spend {
    /// What they have in common: an id, a name, a text or a day, as [`SpendQuery::by`] says.
    pub key: String,
    /// How many calls have a known outcome.
    pub calls: u64,
    /// What they have cost.
    pub spent: Money,
    /// How many calls have none.
    pub unsettled: u64,
    /// What those may cost at most.
    pub reserved: Money,
}

impl SpendQuery {
    /// Adds a call of a job of `owner` to the sums by key, if it is one of those that are wanted; for stores that add up
    /// themselves.
    pub fn add(&self, sums: &mut BTreeMap<String, Spend>, owner: &str, call: &CallRecord) {
        let settled = matches!(call.state, CallState::Succeeded | CallState::Failed);
        let at = call.settled_at.filter(|_| settled).unwrap_or(call.opened_at);
        let early = self.since.is_some_and(|since| at < since);
        let late = self.until.is_some_and(|until| at >= until);
        let others = self.job.is_some_and(|job| job != call.job) || self.owner.as_deref().is_some_and(|of| of != owner);
        if early || late || others {
            return;
        }
        let key = match self.by {
            SpendBy::Job => call.job.to_string(),
            SpendBy::Stage => call.stage.to_string(),
            SpendBy::Provider => call.provider.clone(),
            SpendBy::Model => call.model.clone().unwrap_or_default(),
            SpendBy::Prompt => call.prompt.clone().unwrap_or_default(),
            SpendBy::Owner => owner.to_owned(),
            SpendBy::Day => at.to_string().chars().take(10).collect(),
        };
        let sum = sums.entry(key.clone()).or_insert_with(|| Spend { key, ..Spend::default() });
        if settled {
            sum.calls += 1;
            sum.spent += call.cost.unwrap_or_default();
        } else {
            sum.unsettled += 1;
            sum.reserved += call.reserved;
        }
    }
}
