//! How jobs and items came to be what they are: added up in the database, so that no million rows are read into memory.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::pipeline::StageIndex;
use pipeline_core::storage::{
    EventRecord, Historian, JobProfile, Retries, RetryQuery, RetryRecord, ReviewRecord, Reviewer, StageFailures,
    StageTimes, StageWord,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::fault::Work;
use super::store::SqliteStore;
use super::{jobs, rows};

/// The times of every `?2`nth item.
const TIMES: &str = "WITH took AS (SELECT results.stage AS stage, max(ended_at - started_at, 0) AS micros \
     FROM items INDEXED BY items_place JOIN results ON results.item = items.id WHERE items.job = ?1 \
     AND items.ordinal % ?2 = 0), ranked AS (SELECT stage, micros, row_number() OVER (PARTITION BY stage ORDER BY micros) AS place, \
     count(*) OVER (PARTITION BY stage) AS count FROM took) \
     SELECT stage, count, min(micros) FILTER (WHERE place * 2 >= count), \
     min(micros) FILTER (WHERE place * 100 >= count * 95), max(micros) FROM ranked GROUP BY stage, count \
     ORDER BY stage";

/// Only events with a failure are parsed; beside `min` the other columns are those of its row.
const FAILURES: &str = "WITH told AS (SELECT seq, body ->> '$.item' AS item, body ->> '$.what.stage' AS stage, \
     coalesce(body -> '$.what.failure.code', body -> '$.what.stop.failure.code') AS code \
     FROM events WHERE job = ? AND instr(body, '\"failure\":{') > 0) \
     SELECT stage, code, count(*), item, min(seq) FROM told WHERE code IS NOT NULL \
     GROUP BY stage, code ORDER BY count(*) DESC, stage, code";

const RERUNS: &str = "SELECT id FROM jobs WHERE parent = ? AND deleted IS NULL ORDER BY id";

/// What an item is, when its round began by a decision.
macro_rules! begun {
    () => {
        "FROM reviews JOIN items ON items.id = reviews.item JOIN jobs ON jobs.id = items.job AND jobs.deleted IS NULL \
         WHERE reviews.round = items.round AND reviews.decision ->> '$.decision' <> 'discard' \
         AND (?1 IS NULL OR reviews.job = ?1)"
    };
}

const RETRIES: &str = concat!(
    "SELECT reviews.no, reviews.job, reviews.item, reviews.round, reviews.decision, reviews.actor, reviews.reason, \
     reviews.at, items.name, iif(items.session IS NULL, items.status, 'running') AS now ",
    begun!(),
    " AND (?2 = '[]' OR now IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR reviews.no < ?3) \
     ORDER BY reviews.no DESC LIMIT ?4"
);

const STANDING: &str =
    concat!("SELECT iif(items.session IS NULL, items.status, 'running') AS now, count(*) ", begun!(), " GROUP BY now");

const EVENTS: &str = "SELECT events.job, seq, at, body FROM items JOIN events ON events.job = items.job \
     WHERE items.id = ?1 AND instr(body, ?1) > 0 AND body ->> '$.item' = ?1 ORDER BY seq";

#[async_trait]
impl Historian for SqliteStore {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        self.read(move |connection| Box::pin(profile(connection, job))).await
    }

    async fn retries(&self, query: RetryQuery) -> Result<Retries> {
        self.read(move |connection| Box::pin(retries(connection, query))).await
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let there = "SELECT EXISTS (SELECT 1 FROM items JOIN jobs ON jobs.id = items.job \
                             WHERE items.id = ? AND jobs.deleted IS NULL)";
                let there: bool = sqlx::query_scalar(there).bind(item.to_string()).fetch_one(&mut *connection).await?;
                if !there {
                    return Err(Error::not_found("there is no such item").with("item", item).into());
                }
                let rows = sqlx::query(EVENTS).bind(item.to_string()).fetch_all(connection).await?;
                let read = |row: &SqliteRow| {
                    Ok(EventRecord {
                        job: rows::word(row, 0)?,
                        seq: EventSeq(row.try_get(1)?),
                        at: rows::time(row, 2)?,
                        body: rows::json(row, 3)?,
                    })
                };
                rows.iter().map(read).collect()
            })
        })
        .await
    }
}

async fn profile(connection: &mut SqliteConnection, job: JobId) -> Work<JobProfile> {
    let record = jobs::read(connection, job).await?;
    let states = states(connection, job).await?;
    let mut times = Vec::new();
    let stride = JobProfile::stride(record.counts.planned).cast_signed();
    for row in sqlx::query(TIMES).bind(job.to_string()).bind(stride).fetch_all(&mut *connection).await? {
        let took = |column| Ok::<_, super::fault::Fault>(Duration::from_micros(rows::number(&row, column)?));
        let (median, p95, longest) = (took(2)?, took(3)?, took(4)?);
        times.push(StageTimes { stage: rows::stage(&row, 0)?, count: rows::number(&row, 1)?, median, p95, longest });
    }
    let mut failures = Vec::new();
    for row in sqlx::query(FAILURES).bind(job.to_string()).fetch_all(&mut *connection).await? {
        failures.push(StageFailures {
            stage: rows::stage(&row, 0)?,
            code: rows::json(&row, 1)?,
            count: rows::number(&row, 2)?,
            example: rows::word(&row, 3)?,
        });
    }
    let rows = sqlx::query(RERUNS).bind(job.to_string()).fetch_all(connection).await?;
    let reruns = rows.iter().map(|row| rows::word(row, 0)).collect::<Work<Vec<JobId>>>()?;
    Ok(JobProfile { states, times, failures, reruns })
}

/// Counts leaves by stage and what it is for them. Of each item all its stages are taken at once, as one text, and each text
/// is read once: items whose stages stand alike are many, and their texts few.
async fn states(connection: &mut SqliteConnection, job: JobId) -> Work<BTreeMap<(StageIndex, StageWord), u64>> {
    let mut states = BTreeMap::new();
    // Every item has all the stages of the plan.
    let stages = "SELECT json_array_length(machine, '$.stages') FROM items WHERE job = ? LIMIT 1";
    let stages: Option<i64> = sqlx::query_scalar(stages).bind(job.to_string()).fetch_optional(&mut *connection).await?;
    let Some(stages) = stages.filter(|stages| *stages > 0) else { return Ok(states) };
    let paths: Vec<String> =
        (0..stages).map(|place| format!("'$.stages[{place}].is', '$.stages[{place}].stop.stop'")).collect();
    let counted = format!(
        "SELECT json_extract(machine, {}) AS words, sum(leaves) FROM items WHERE job = ? AND replaced = 0 GROUP BY words",
        paths.join(", ")
    );
    for row in sqlx::query(AssertSqlSafe(counted)).bind(job.to_string()).fetch_all(connection).await? {
        let words: Vec<Option<StageWord>> = rows::json(&row, 0)?;
        let leaves: u64 = rows::number(&row, 1)?;
        for (place, word) in words.chunks(2).enumerate() {
            if let [Some(is), stop] = word {
                *states.entry((place, stop.as_ref().unwrap_or(is).clone())).or_default() += leaves;
            }
        }
    }
    Ok(states)
}

async fn retries(connection: &mut SqliteConnection, query: RetryQuery) -> Work<Retries> {
    let job = query.job.map(|job| job.to_string());
    let rows = sqlx::query(RETRIES)
        .bind(&job)
        .bind(rows::list(query.statuses)?)
        .bind(query.before.map(|before| i64::try_from(before).unwrap_or(i64::MAX)))
        .bind(if query.limit == 0 { 100 } else { query.limit })
        .fetch_all(&mut *connection)
        .await?;
    let read = |row: &SqliteRow| {
        let review = ReviewRecord {
            job: rows::word(row, 1)?,
            item: rows::word(row, 2)?,
            round: rows::number(row, 3)?,
            decision: rows::json(row, 4)?,
            by: Reviewer { actor: row.try_get(5)?, reason: row.try_get(6)? },
            at: rows::time(row, 7)?,
        };
        Ok(RetryRecord { number: rows::number(row, 0)?, review, name: row.try_get(8)?, status: rows::word(row, 9)? })
    };
    let records = rows.iter().map(read).collect::<Work<Vec<RetryRecord>>>()?;
    let mut counts: BTreeMap<ItemStatus, u64> = BTreeMap::new();
    for row in sqlx::query(STANDING).bind(&job).fetch_all(connection).await? {
        counts.insert(rows::word(&row, 0)?, rows::number(&row, 1)?);
    }
    Ok(Retries { records, counts })
}
