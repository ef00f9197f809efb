//! How jobs and items came to be what they are: added up in the database, so that no million rows are read into memory.
//!
//! PostgreSQL reads no JSON with a NUL in it, which a message may hold: it is replaced before.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::storage::{
    EventRecord, Historian, JobProfile, Retries, RetryQuery, RetryRecord, ReviewRecord, Reviewer, StageFailures,
    StageTimes,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::fault::Work;
use super::store::PostgresStore;
use super::{jobs, rows};

const STATES: &str = "SELECT stage.place - 1, \
     trim(both '\"' from coalesce(stage.state #> '{stop,stop}', stage.state #> '{is}')::text) AS word, \
     sum(leaves)::bigint FROM items, \
     json_array_elements(replace(machine, '\\u0000', '\\ufffd')::json #> '{stages}') WITH ORDINALITY AS stage (state, place) \
     WHERE items.job = $1 AND NOT replaced GROUP BY 1, 2";

/// The times of every `$2`nth item.
const TIMES: &str = "WITH took AS (SELECT results.stage AS stage, greatest(ended_at - started_at, 0) AS micros \
     FROM item_inputs JOIN results ON results.item = item_inputs.item WHERE item_inputs.job = $1 \
     AND item_inputs.ordinal % $2 = 0), ranked AS (SELECT stage, micros, row_number() OVER (PARTITION BY stage ORDER BY micros) AS place, \
     count(*) OVER (PARTITION BY stage) AS count FROM took) \
     SELECT stage, count, min(micros) FILTER (WHERE place * 2 >= count), \
     min(micros) FILTER (WHERE place * 100 >= count * 95), max(micros) FROM ranked GROUP BY stage, count \
     ORDER BY stage COLLATE \"C\"";

/// Only events with a failure are parsed.
const FAILURES: &str = "WITH told AS (SELECT seq, (replace(body, '\\u0000', '\\ufffd')::json #> '{what,stage}')::text AS stage, \
     coalesce(replace(body, '\\u0000', '\\ufffd')::json #> '{what,failure,code}', replace(body, '\\u0000', '\\ufffd')::json #> '{what,stop,failure,code}')::text AS code \
     FROM events WHERE job = $1 AND strpos(body, '\"failure\":{') > 0), \
     sums AS (SELECT stage, code, count(*) AS count, min(seq) AS first FROM told WHERE code IS NOT NULL \
     GROUP BY stage, code) \
     SELECT trim(both '\"' from stage), code, count, \
     (SELECT (replace(body, '\\u0000', '\\ufffd')::json #> '{item}')::text FROM events WHERE job = $1 AND seq = first) FROM sums \
     ORDER BY count DESC, stage COLLATE \"C\", code COLLATE \"C\"";

const RERUNS: &str = "SELECT id FROM jobs WHERE parent = $1 AND deleted IS NULL ORDER BY id";

/// What an item is, when its round began by a decision.
macro_rules! begun {
    () => {
        "FROM reviews JOIN items ON items.id = reviews.item JOIN item_inputs ON item_inputs.item = items.id \
         JOIN jobs ON jobs.id = items.job AND jobs.deleted IS NULL \
         WHERE reviews.round = items.round \
         AND (reviews.decision::json #> '{decision}')::text <> '\"discard\"' AND ($1::uuid IS NULL OR reviews.job = $1)"
    };
}

const RETRIES: &str = concat!(
    "SELECT reviews.no, reviews.job, reviews.item, reviews.round, reviews.decision, reviews.actor, reviews.reason, \
     reviews.at, item_inputs.name, CASE WHEN items.session IS NULL THEN items.status ELSE 'running' END ",
    begun!(),
    " AND (cardinality($2::text[]) = 0 OR CASE WHEN items.session IS NULL THEN items.status ELSE 'running' END = ANY ($2)) \
     AND ($3::bigint IS NULL OR reviews.no < $3) ORDER BY reviews.no DESC LIMIT $4"
);

const STANDING: &str = concat!(
    "SELECT CASE WHEN items.session IS NULL THEN items.status ELSE 'running' END AS now, count(*) ",
    begun!(),
    " GROUP BY now"
);

const EVENTS: &str = "SELECT events.job, seq, at, body FROM items JOIN events ON events.job = items.job \
     WHERE items.id = $1 AND strpos(body, $2) > 0 AND (replace(body, '\\u0000', '\\ufffd')::json #> '{item}')::text = '\"' || $2 || '\"' ORDER BY seq";

#[async_trait]
impl Historian for PostgresStore {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        self.read(job, |connection, job| Box::pin(profile(connection, *job))).await
    }

    async fn retries(&self, query: RetryQuery) -> Result<Retries> {
        self.read(query, |connection, query| Box::pin(retries(connection, query))).await
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        self.read(item, |connection, item| {
            Box::pin(async move {
                let there = "SELECT EXISTS (SELECT 1 FROM items JOIN jobs ON jobs.id = items.job \
                             WHERE items.id = $1 AND jobs.deleted IS NULL)";
                let there: bool = sqlx::query_scalar(there).bind(item.as_uuid()).fetch_one(&mut *connection).await?;
                if !there {
                    return Err(Error::not_found("there is no such item").with("item", item).into());
                }
                let rows = sqlx::query(EVENTS).bind(item.as_uuid()).bind(item.to_string());
                let read = |row: &PgRow| {
                    Ok(EventRecord {
                        job: rows::job_id(row, 0)?,
                        seq: EventSeq(row.try_get(1)?),
                        at: rows::time(row, 2)?,
                        body: rows::json(row, 3)?,
                    })
                };
                rows.fetch_all(connection).await?.iter().map(read).collect()
            })
        })
        .await
    }
}

async fn profile(connection: &mut PgConnection, job: JobId) -> Work<JobProfile> {
    let record = jobs::read(connection, job).await?;
    let mut states = BTreeMap::new();
    for row in sqlx::query(STATES).bind(job.as_uuid()).fetch_all(&mut *connection).await? {
        states.insert((rows::number(&row, 0)?, row.try_get(1)?), rows::number(&row, 2)?);
    }
    let mut times = Vec::new();
    let stride = JobProfile::stride(record.counts.planned).cast_signed();
    for row in sqlx::query(TIMES).bind(job.as_uuid()).bind(stride).fetch_all(&mut *connection).await? {
        let took = |column| Ok::<_, super::fault::Fault>(Duration::from_micros(rows::number(&row, column)?));
        let (median, p95, longest) = (took(2)?, took(3)?, took(4)?);
        times.push(StageTimes { stage: rows::stage(&row, 0)?, count: rows::number(&row, 1)?, median, p95, longest });
    }
    let mut failures = Vec::new();
    for row in sqlx::query(FAILURES).bind(job.as_uuid()).fetch_all(&mut *connection).await? {
        failures.push(StageFailures {
            stage: rows::stage(&row, 0)?,
            code: rows::json(&row, 1)?,
            count: rows::number(&row, 2)?,
            example: rows::json(&row, 3)?,
        });
    }
    let rows = sqlx::query(RERUNS).bind(job.as_uuid()).fetch_all(connection).await?;
    let reruns = rows.iter().map(|row| rows::job_id(row, 0)).collect::<Work<Vec<JobId>>>()?;
    Ok(JobProfile { states, times, failures, reruns })
}

async fn retries(connection: &mut PgConnection, query: &RetryQuery) -> Work<Retries> {
    let job = query.job.map(|job| job.as_uuid());
    let rows = sqlx::query(RETRIES)
        .bind(job)
        .bind(query.statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>())
        .bind(query.before.map(|before| i64::try_from(before).unwrap_or(i64::MAX)))
        .bind(if query.limit == 0 { 100 } else { i64::from(query.limit) })
        .fetch_all(&mut *connection)
        .await?;
    let read = |row: &PgRow| {
        let review = ReviewRecord {
            job: rows::job_id(row, 1)?,
            item: rows::item_id(row, 2)?,
            round: rows::number(row, 3)?,
            decision: rows::json(row, 4)?,
            by: Reviewer { actor: row.try_get(5)?, reason: row.try_get(6)? },
            at: rows::time(row, 7)?,
        };
        Ok(RetryRecord { number: rows::number(row, 0)?, review, name: row.try_get(8)?, status: rows::word(row, 9)? })
    };
    let records = rows.iter().map(read).collect::<Work<Vec<RetryRecord>>>()?;
    let mut counts: BTreeMap<ItemStatus, u64> = BTreeMap::new();
    for row in sqlx::query(STANDING).bind(job).fetch_all(connection).await? {
        counts.insert(rows::word(&row, 0)?, rows::number(&row, 1)?);
    }
    Ok(Retries { records, counts })
}
