//! Logs in memory: the newest entries, as long as the process lives.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogSeq, LogVolume, NewLogEntry, Outdated};
use pipeline_core::time::Timestamp;

/// So many entries are kept unless said otherwise.
const ROOM: usize = 100_000;

/// Keeps the newest entries as long as the process lives; older ones give way. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct MemoryLogs {
    kept: Arc<Mutex<Kept>>,
    room: usize,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<LogEntry>,
    last: i64,
}

impl MemoryLogs {
    /// Keeps the newest 100 000 entries.
    pub fn new() -> Self {
        Self::with_room(ROOM)
    }

    /// Keeps so many of the newest entries.
    pub fn with_room(entries: usize) -> Self {
        Self { kept: Arc::default(), room: entries }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LogKeeper for MemoryLogs {
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<()> {
        let mut kept = self.kept();
        for entry in entries {
            kept.last += 1;
            let seq = LogSeq(kept.last);
            kept.entries.push_back(LogEntry { seq, entry });
        }
        let over = kept.entries.len().saturating_sub(self.room);
        kept.entries.drain(..over);
        Ok(())
    }

    async fn entries(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        let kept = self.kept();
        let first = kept.entries.partition_point(|entry| entry.seq <= query.after);
        let found = kept.entries.range(first..).filter(|entry| query.matches(entry));
        Ok(found.take(query.limit as usize).cloned().collect())
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64> {
        let mut removed = 0;
        self.kept().entries.retain(|LogEntry { entry, .. }| {
            let outdated = match which {
                Outdated::Job(job) => entry.job == job,
                Outdated::Before(time) => entry.at < time,
            };
            let goes = outdated && removed < limit;
            removed += u32::from(goes);
            !goes
        });
        Ok(u64::from(removed))
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume> {
        let kept = self.kept();
        let counted = kept.entries.iter().filter(|entry| before.is_none_or(|before| entry.entry.at < before));
        Ok(LogVolume { location: "memory".to_owned(), entries: counted.count() as u64, bytes: None })
    }
}

impl Default for MemoryLogs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLogs").field("room", &self.room).finish_non_exhaustive()
    }
}
