//! Removes jobs that have ended: one by one, or by age and state.

use std::time::Duration;

use serde::Serialize;

use pipeline_core::id::JobId;
use pipeline_core::model::JobStatus;
use pipeline_core::storage::{JobCursor, JobOrder, JobQuery, JobRecord};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, ErrorKind, Result};

use super::{PAGE, Upkeep};

/// So many records of a job are removed in one transaction: others do not wait long for it.
const STEP: u32 = 2_000;

/// Which jobs to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneOptions {
    /// Only jobs that ended longer ago than this.
    pub older_than: Duration,
    /// Only jobs that ended so; empty means however they ended.
    pub statuses: Vec<JobStatus>,
    /// Only says which would be removed.
    pub dry_run: bool,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// Jobs removed; in a dry run, those that would be.
    pub jobs: u64,
    /// Σ planned leaves of them.
    pub items: u64,
}

impl Upkeep {
    /// Removes jobs that ended long enough ago, with items, results, events and their logs. Calls that have cost something stay in the
    /// ledger; files stay until [`Upkeep::gc`]. `each` hears of those removed, in a dry run of those that would be.
    ///
    /// # Errors
    /// `Invalid` for a status of a job that has not ended; the store's. Jobs told before an error are gone.
    pub async fn prune(&self, options: &PruneOptions, mut each: impl FnMut(&JobRecord)) -> Result<PruneReport> {
        if let Some(status) = options.statuses.iter().find(|status| !status.is_terminal()) {
            return Err(Error::invalid("only jobs that have ended are removed")
                .with("state", status)
                .with("accepted", "completed, completed_with_failures, failed, cancelled or empty"));
        }
        let now = self.store.now().await?;
        let age = i64::try_from(options.older_than.as_micros()).unwrap_or(i64::MAX);
        let ended_before = Timestamp::from_micros(now.as_micros().saturating_sub(age));
        let mut report = PruneReport::default();
        let mut after = None;
        loop {
            let jobs = self.store.jobs(JobQuery { after, limit: PAGE, ..JobQuery::default() }).await?;
            let Some(last) = jobs.last() else { break };
            after = Some(JobCursor::of(last, JobOrder::default()));
            for job in &jobs {
                let old = job.ended_at.is_some_and(|ended| ended < ended_before);
                if !old || !(options.statuses.is_empty() || options.statuses.contains(&job.status)) {
                    continue;
                }
                if !options.dry_run {
                    match self.delete(job.id).await {
                        Ok(()) => {}
                        // Somebody else has removed it, or lets it go on.
                        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => continue,
                        Err(error) => return Err(error),
                    }
                }
                report.jobs += 1;
                report.items += job.counts.planned;
                each(job);
            }
        }
        if !options.dry_run {
            // What an interrupted removal has left.
            self.sweep().await?;
        }
        Ok(report)
    }

    /// Removes a job that has ended, with items, results, events and its log. Calls that have cost something stay in the ledger;
    /// files stay until [`Upkeep::gc`].
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the job has not ended; the store's. A removal that is interrupted is ended by the next.
    pub async fn delete(&self, job: JobId) -> Result<()> {
        self.store.delete(job).await?;
        self.forget(job).await?;
        self.sweep().await
    }

    async fn sweep(&self) -> Result<()> {
        while self.store.sweep(STEP).await? > 0 {}
        Ok(())
    }
}
