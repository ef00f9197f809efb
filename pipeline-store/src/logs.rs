//! An entry of the logs as both dialects keep it.

use std::borrow::Cow;
use std::time::Duration;

use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::LogLevel;
use pipeline_core::storage::{LogEntry, LogSeq, NewLogEntry};
use pipeline_core::time::Timestamp;
use uuid::Uuid;

/// The columns in their order: number, time, level, job, item, stage, step, try, code, duration, message.
pub(crate) type Columns =
    (i64, i64, i64, Uuid, Option<Uuid>, Option<String>, String, Option<i64>, Option<String>, Option<i64>, String);

/// Returns what a level is stored as: greater numbers matter more.
pub(crate) const fn number(level: LogLevel) -> i64 {
    match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warn => 2,
        LogLevel::Error => 3,
    }
}

/// Returns how long a step took as it is stored, in microseconds.
pub(crate) fn micros(entry: &NewLogEntry) -> Option<i64> {
    entry.duration.map(|duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// Reads an entry.
pub(crate) fn read(columns: Columns) -> Result<LogEntry> {
    let (seq, at, level, job, item, stage, step, attempt, code, duration, message) = columns;
    let damaged = || Error::corrupt("a stored entry of the log cannot be read").with("seq", seq);
    let known = LogLevel::ALL.iter().copied().find(|known| number(*known) == level);
    let entry = NewLogEntry {
        at: Timestamp::from_micros(at),
        level: known.ok_or_else(damaged)?,
        job: JobId::from_uuid(job),
        item: item.map(ItemId::from_uuid),
        stage: stage.map(|name| StageName::new(&name)).transpose().map_err(|error| damaged().because(error))?,
        step: step.parse().map_err(|error| damaged().because(error))?,
        attempt: attempt.map(u32::try_from).transpose().map_err(|error| damaged().because(error))?,
        code: code.map(Cow::Owned),
        duration: duration.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))),
        message: message.into(),
    };
    Ok(LogEntry { seq: LogSeq(seq), entry })
}

/// Writes the conditions of a query behind `WHERE`, then the order and the limit.
macro_rules! conditions {
    ($builder:ident, $query:expr) => {{
        let query = $query;
        $builder.push("seq > ").push_bind(query.after.0);
        if let Some(job) = query.job {
            $builder.push(" AND job = ").push_bind(job.as_uuid());
        }
        if !query.items.is_empty() {
            $builder.push(" AND item IN (");
            let mut items = $builder.separated(", ");
            for item in &query.items {
                items.push_bind(item.as_uuid());
            }
            items.push_unseparated(")");
        }
        if let Some(stage) = &query.stage {
            $builder.push(" AND stage = ").push_bind(stage.as_str());
        }
        if let Some(step) = &query.step {
            $builder.push(" AND step = ").push_bind(step.as_str());
        }
        if query.level > pipeline_core::model::LogLevel::Debug {
            $builder.push(" AND level >= ").push_bind(crate::logs::number(query.level));
        }
        if let Some(code) = &query.code {
            $builder.push(" AND code = ").push_bind(code);
        }
        if let Some(since) = query.since {
            $builder.push(" AND at >= ").push_bind(since.as_micros());
        }
        $builder.push(" ORDER BY seq LIMIT ").push_bind(i64::from(query.limit));
    }};
}
pub(crate) use conditions;

/// The columns, to be selected.
pub(crate) const COLUMNS: &str = "seq, at, level, job, item, stage, step, attempt, code, duration, message";
