//! A keeper of logs that keeps all of its contract but what is broken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogSeq, LogVolume, NewLogEntry, Outdated};
use pipeline_core::time::Timestamp;
use pipeline_testkit::conformance::{LOG_CLAUSES, LogBook};

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<LogEntry>,
    last: i64,
}

/// Entries in memory, with a breach.
#[derive(Clone, Debug)]
struct BrokenLogs {
    kept: Arc<Mutex<Kept>>,
    breach: Option<Breach>,
}

impl BrokenLogs {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, entries: Vec<NewLogEntry>) -> Vec<LogEntry> {
        let mut kept = self.kept();
        if self.breach == Some(Breach::NumbersGivenAgain) {
            kept.last = kept.entries.last().map_or(0, |last| last.seq.0);
        }
        let numbered = entries.into_iter().map(|entry| {
            kept.last += 1;
            LogEntry { seq: LogSeq(kept.last), entry }
        });
        numbered.collect()
    }
}

#[async_trait]
impl LogKeeper for BrokenLogs {
    async fn append(&self, mut entries: Vec<NewLogEntry>) -> Result<()> {
        match self.breach {
            Some(Breach::TriesForgotten) => entries.iter_mut().for_each(|entry| entry.attempt = None),
            Some(Breach::DurationsInMilliseconds) => entries.iter_mut().for_each(|entry| {
                let millis = entry.duration.map(|duration| duration.as_millis());
                entry.duration = millis.and_then(|millis| Some(Duration::from_millis(millis.try_into().ok()?)));
            }),
            Some(Breach::LastOneLost) => drop(entries.pop()),
            Some(Breach::OrderedByTime) => entries.sort_by_key(|entry| entry.at),
            _ => {}
        }
        let numbered = self.number(entries);
        if self.breach == Some(Breach::SeenOutOfOrder) {
            // The more there is to write, the longer it takes from the number to the commit.
            for _ in 0..numbered.len() * 3 {
                tokio::task::yield_now().await;
            }
        }
        let mut kept = self.kept();
        kept.entries.extend(numbered);
        kept.entries.sort_by_key(|entry| entry.seq);
        Ok(())
    }

    async fn entries(&self, mut query: LogQuery) -> Result<Vec<LogEntry>> {
        let least = query.level;
        match self.breach {
            Some(Breach::StagesIgnored) => query.stage = None,
            Some(Breach::ItemsIgnored) => query.items.truncate(1),
            Some(Breach::SinceIsAfter) => query.since = query.since.map(|since| since.after(Duration::from_micros(1))),
            Some(Breach::AfterIncludesIt) => query.after = LogSeq((query.after.0 - 1).max(0)),
            _ => {}
        }
        let limit = if self.breach == Some(Breach::NoLimit) { usize::MAX } else { query.limit as usize };
        let exact = self.breach == Some(Breach::ThisLevelOnly) && least > pipeline_core::model::LogLevel::Debug;
        let matches = |entry: &&LogEntry| query.matches(entry) && (!exact || entry.entry.level == least);
        Ok(self.kept().entries.iter().filter(matches).take(limit).cloned().collect())
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64> {
        let mut removed = 0;
        let limit = if self.breach == Some(Breach::RemovedAllAtOnce) { u32::MAX } else { limit };
        self.kept().entries.retain(|LogEntry { entry, .. }| {
            let outdated = match which {
                Outdated::Job(_) if self.breach == Some(Breach::EveryJobRemoved) => true,
                Outdated::Job(job) => entry.job == job,
                Outdated::Before(time) if self.breach == Some(Breach::RemovedAtItsTime) => entry.at <= time,
                Outdated::Before(time) => entry.at < time,
            };
            let goes = outdated && removed < limit;
            removed += u32::from(goes);
            !goes
        });
        Ok(u64::from(removed))
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume> {
        let before = before.filter(|_| self.breach != Some(Breach::AgesNotCounted));
        let kept = self.kept();
        let counted = kept.entries.iter().filter(|entry| before.is_none_or(|before| entry.entry.at < before)).count();
        let entries = if self.breach == Some(Breach::RemovedIsCounted) && before.is_none() {
            kept.last.unsigned_abs()
        } else {
            counted as u64
        };
        Ok(LogVolume { location: "memory".to_owned(), entries, bytes: None })
    }
}

fn book(breach: Option<Breach>) -> LogBook {
    let logs = BrokenLogs { kept: Arc::default(), breach };
    LogBook::new(logs.clone(), logs, ())
}

crate::breaches::breaches! {
    Breach of LOG_CLAUSES, in book;
    log_1_kept {
        a_try_that_is_forgotten = TriesForgotten;
        durations_that_are_rounded = DurationsInMilliseconds;
        an_entry_that_is_lost = LastOneLost,
            also log_2_in_order, log_3_chosen, log_4_nothing_is_missed, log_5_removed, log_6_counted;
    }
    log_2_in_order {
        entries_in_the_order_of_their_times = OrderedByTime, also log_1_kept;
        more_entries_than_asked_for = NoLimit;
        a_cursor_that_is_returned_again = AfterIncludesIt, also log_3_chosen;
    }
    log_3_chosen {
        a_stage_that_does_not_matter = StagesIgnored;
        only_the_first_item = ItemsIgnored;
        a_time_that_is_left_out = SinceIsAfter;
        one_level_and_none_above = ThisLevelOnly;
    }
    log_4_nothing_is_missed {
        numbers_that_are_seen_out_of_order = SeenOutOfOrder;
    }
    log_5_removed {
        every_job_that_is_removed_with_one = EveryJobRemoved, also log_6_counted;
        all_that_is_removed_at_once = RemovedAllAtOnce;
        what_happened_at_the_time_that_is_removed = RemovedAtItsTime;
        a_number_that_is_given_again = NumbersGivenAgain;
    }
    log_6_counted {
        a_count_of_what_was_there = RemovedIsCounted;
        a_count_of_every_age = AgesNotCounted;
    }
}
