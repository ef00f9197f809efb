//! Removes logs: those of a job that is removed, or those of a time long ago.

use std::time::Duration;

use pipeline_core::Result;
use pipeline_core::id::JobId;
use pipeline_core::storage::Outdated;
use pipeline_core::time::Timestamp;

use super::Upkeep;

/// So many entries are removed in one transaction: whoever writes does not wait long for it.
const STEP: u32 = 10_000;

impl Upkeep {
    /// Removes what the logs of all jobs tell of a time longer ago than this; the jobs stay. Returns how many entries, in a
    /// dry run how many it would be.
    ///
    /// # Errors
    /// The keeper's. What was removed before an error is gone.
    pub async fn prune_logs(&self, older_than: Duration, dry_run: bool) -> Result<u64> {
        let Some(logs) = &self.logs else { return Ok(0) };
        let age = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(self.clock.now().as_micros().saturating_sub(age));
        if dry_run {
            return Ok(logs.volume(Some(before)).await?.entries);
        }
        self.remove_logs(Outdated::Before(before)).await
    }

    /// Removes the log of a job.
    pub(super) async fn forget(&self, job: JobId) -> Result<()> {
        self.remove_logs(Outdated::Job(job)).await.map(drop)
    }

    async fn remove_logs(&self, which: Outdated) -> Result<u64> {
        let Some(logs) = &self.logs else { return Ok(0) };
        let mut removed = 0;
        loop {
            let some = logs.remove(which, STEP).await?;
            removed += some;
            if some < u64::from(STEP) {
                return Ok(removed);
            }
        }
    }
}
