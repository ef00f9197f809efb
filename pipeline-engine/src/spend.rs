//! What calls have cost, added up from the ledger.

use std::collections::BTreeMap;

use serde::Serialize;

use pipeline_core::Result;
use pipeline_core::id::JobId;
use pipeline_core::model::Money;
use pipeline_core::storage::{CallQuery, CallRecord, CallState, JobCursor, JobOrder, JobQuery, JobRecord};
use pipeline_core::time::Timestamp;

use crate::engine::Engine;

/// By what spending is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendBy {
    /// The job's id.
    Job,
    /// The stage's name, over all pipelines.
    Stage,
    /// The provider's name.
    Provider,
    /// The job's owner.
    Owner,
    /// The day, in UTC, on which the outcome was recorded.
    Day,
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

/// What calls have cost together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spend {
    /// What they have in common: an id, a name or a day, as [`SpendQuery::by`] says.
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

impl Engine {
    /// Adds up what calls have cost, job by job, from the ledger; in the order of the keys. Of a call without a known outcome
    /// the time of its intent counts.
    ///
    /// # Errors
    /// `NotFound` for a job that is not there, or the store's.
    pub async fn spend(&self, query: &SpendQuery) -> Result<Vec<Spend>> {
        let mut sums: BTreeMap<String, Spend> = BTreeMap::new();
        let mut after = None;
        loop {
            let jobs = match query.job {
                Some(job) => vec![self.job(job).await?],
                None => self.jobs(JobQuery { after, limit: 200, ..JobQuery::default() }).await?,
            };
            for job in jobs.iter().filter(|job| query.owner.as_ref().is_none_or(|owner| job.owner == *owner)) {
                let calls = CallQuery { job: Some(job.id), limit: u32::MAX, ..CallQuery::default() };
                for call in self.store().calls(calls).await? {
                    add(&mut sums, query, job, &call);
                }
            }
            after = jobs.last().map(|job| JobCursor::of(job, JobOrder::default()));
            if after.is_none() || query.job.is_some() {
                return Ok(sums.into_values().collect());
            }
        }
    }
}

fn add(sums: &mut BTreeMap<String, Spend>, query: &SpendQuery, job: &JobRecord, call: &CallRecord) {
    let settled = matches!(call.state, CallState::Succeeded | CallState::Failed);
    let at = call.settled_at.filter(|_| settled).unwrap_or(call.opened_at);
    if query.since.is_some_and(|since| at < since) || query.until.is_some_and(|until| at >= until) {
        return;
    }
    let key = match query.by {
        SpendBy::Job => job.id.to_string(),
        SpendBy::Stage => call.stage.to_string(),
        SpendBy::Provider => call.provider.clone(),
        SpendBy::Owner => job.owner.clone(),
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
