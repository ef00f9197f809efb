//! Logs of one owner's jobs.

use std::sync::Arc;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogVolume, NewLogEntry, Outdated};
use pipeline_core::time::Timestamp;

use super::store::Owned;

/// A log in which the jobs of other owners do not appear.
#[derive(Clone, Debug)]
pub(crate) struct OwnedLogs {
    logs: Arc<dyn LogKeeper>,
    owned: Owned,
}

impl OwnedLogs {
    /// Shows a log as it is for the owner of a store.
    pub(crate) fn new(logs: Arc<dyn LogKeeper>, owned: Owned) -> Self {
        Self { logs, owned }
    }
}

#[async_trait]
impl LogKeeper for OwnedLogs {
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<()> {
        self.logs.append(entries).await
    }

    async fn entries(&self, mut query: LogQuery) -> Result<Vec<LogEntry>> {
        if let Some(job) = query.job {
            return if self.owned.owns(job).await? { self.logs.entries(query).await } else { Ok(Vec::new()) };
        }
        let limit = query.limit as usize;
        let mut found = Vec::new();
        loop {
            let page = self.logs.entries(query.clone()).await?;
            let Some(last) = page.last() else { return Ok(found) };
            query.after = last.seq;
            let end = page.len() < limit;
            for line in page {
                if self.owned.owns(line.entry.job).await? {
                    found.push(line);
                }
            }
            if end || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64> {
        match which {
            Outdated::Job(job) => {
                // Its job may be deleted already.
                self.logs.remove(Outdated::Job(job), limit).await
            }
            Outdated::Before(_) => self.owned.operator("removing lines of all jobs"),
        }
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume> {
        let _ = before;
        self.owned.operator("counting lines of all jobs")
    }
}
