//! Counting, proving and reading what the store keeps.

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use pipeline_core::error::Result;
use pipeline_core::id::{CallId, JobId, ResultId};
use pipeline_core::model::Money;
use pipeline_core::storage::{
    Audit, AuditedCall, AuditedEvents, AuditedItem, AuditedResult, Breach, Census, Holder, JobAuditor, JobRecord,
    Mention, Steward,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::store::{Begin, PostgresStore};
use super::{items, jobs, removal, rows};

/// What looks at everything takes as long as it takes, and reads tables from one end to the other.
const PATIENT: &str = "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on";

const CENSUS: &str = "SELECT (SELECT count(*) FROM jobs WHERE deleted IS NULL), (SELECT count(*) FROM items), (SELECT count(*) FROM results), \
     (SELECT count(*) FROM calls), (SELECT count(*) FROM events), (SELECT count(*) FROM names), \
     (SELECT count(*) FROM fingerprints), \
     (SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c \
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r')";

/// The records of a kind beyond an id, with what they say as one JSON text.
const fn mentions(holder: Holder) -> &'static str {
    match holder {
        Holder::Jobs => "SELECT job, body FROM plans WHERE job > $1 ORDER BY job LIMIT $2",
        Holder::Items => {
            "SELECT items.id, '[' || input || ',' || machine || ']' FROM items \
             JOIN item_inputs ON item_inputs.item = items.id WHERE items.id > $1 ORDER BY items.id LIMIT $2"
        }
        Holder::Results => {
            "SELECT id, '[' || files || ',' || fields || ',' || coalesce(verdict, 'null') || ']' FROM results \
             WHERE id > $1 ORDER BY id LIMIT $2"
        }
        Holder::Calls => {
            "SELECT id, '[' || coalesce(response, 'null') || ',' || coalesce(failure, 'null') || ']' FROM calls \
             WHERE id > $1 ORDER BY id LIMIT $2"
        }
    }
}

/// The items of a job, each with its results and the ids of those of its parent. By `item_inputs`, which has an index of
/// all items of a job.
const ITEMS: &str = "SELECT items.id, items.status, \
     items.session IS NOT NULL AND items.session IN (SELECT id FROM sessions), items.leaves, items.steps, items.replaced, \
     items.cost, items.machine, own.ids, own.stages, own.costs, own.micros, \
     ARRAY(SELECT theirs.id FROM results AS theirs WHERE theirs.item = item_inputs.parent) \
     FROM item_inputs JOIN items ON items.id = item_inputs.item CROSS JOIN LATERAL (\
     SELECT coalesce(array_agg(id), '{}') AS ids, coalesce(array_agg(stage), '{}') AS stages, \
     coalesce(array_agg(cost), '{}') AS costs, coalesce(array_agg(greatest(ended_at - started_at, 0)), '{}') AS micros \
     FROM results WHERE results.item = items.id) AS own WHERE item_inputs.job = $1";

const CALLS: &str = "SELECT id, state, settled_at IS NOT NULL, cost IS NOT NULL, cardinality(items)::bigint, \
     (SELECT count(*) FROM unnest(calls.items) AS named (item) JOIN items ON items.id = named.item \
     WHERE items.job = calls.job), \
     (SELECT count(*) FROM unnest(calls.items) AS named (item) JOIN call_items ON call_items.item = named.item \
     AND call_items.call = calls.id) FROM calls WHERE job = $1";

const EVENTS: &str = "SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq), 0) FROM events WHERE job = $1";

/// What should belong to something: the table, what to name in it, and to what it should belong.
const STRAYS: [(&str, &str, &str); 9] = [
    (
        "items",
        "SELECT id::text FROM items WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = items.job) LIMIT 100",
        "a job",
    ),
    (
        "items",
        "SELECT id::text FROM items WHERE NOT EXISTS (SELECT 1 FROM item_inputs WHERE item = items.id) LIMIT 100",
        "an input",
    ),
    (
        "item_inputs",
        "SELECT item::text FROM item_inputs WHERE NOT EXISTS (SELECT 1 FROM items WHERE id = item_inputs.item) LIMIT 100",
        "an item",
    ),
    (
        "results",
        "SELECT id::text FROM results WHERE NOT EXISTS (SELECT 1 FROM items WHERE id = results.item) LIMIT 100",
        "an item",
    ),
    (
        "tallies",
        "SELECT job::text FROM tallies WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = tallies.job) LIMIT 100",
        "a job",
    ),
    (
        "calls",
        "SELECT id::text FROM calls WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = calls.job) LIMIT 100",
        "a job",
    ),
    (
        "call_items",
        "SELECT call::text FROM call_items WHERE NOT EXISTS (SELECT 1 FROM calls WHERE id = call_items.call) LIMIT 100",
        "a call",
    ),
    (
        "events",
        "SELECT job::text FROM (SELECT DISTINCT job FROM events) AS told \
         WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = told.job) LIMIT 100",
        "a job",
    ),
    (
        "jobs",
        "SELECT id::text FROM jobs WHERE NOT EXISTS (SELECT 1 FROM turns WHERE job = jobs.id) LIMIT 100",
        "a turn",
    ),
];

#[async_trait]
impl Steward for PostgresStore {
    async fn census(&self) -> Result<Census> {
        self.write(Begin::View, (), |connection, _, ()| {
            Box::pin(async move {
                sqlx::raw_sql(PATIENT).execute(&mut *connection).await?;
                let row = sqlx::query(CENSUS).fetch_one(connection).await?;
                Ok(Census {
                    jobs: rows::number(&row, 0)?,
                    items: rows::number(&row, 1)?,
                    results: rows::number(&row, 2)?,
                    calls: rows::number(&row, 3)?,
                    events: rows::number(&row, 4)?,
                    names: rows::number(&row, 5)?,
                    fingerprints: rows::number(&row, 6)?,
                    bytes: Some(rows::number(&row, 7)?),
                })
            })
        })
        .await
    }

    async fn mentions(&self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>> {
        self.read((holder, after, limit), |connection, (holder, after, limit)| {
            Box::pin(async move {
                let rows = sqlx::query(mentions(*holder))
                    .bind(after.unwrap_or_default())
                    .bind(i64::from(*limit))
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(|row| Ok(Mention { id: rows::uuid(row, 0)?, text: row.try_get(1)? })).collect()
            })
        })
        .await
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        self.write(Begin::View, job, |connection, _, job| Box::pin(audit(connection, *job))).await
    }

    async fn strays(&self) -> Result<Vec<Breach>> {
        self.write(Begin::View, (), |connection, _, ()| {
            Box::pin(async move {
                sqlx::raw_sql(PATIENT).execute(&mut *connection).await?;
                let mut breaches = Vec::new();
                for (table, sql, owner) in STRAYS {
                    let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
                    let lost = format!("{owner} that it belongs to is not there");
                    breaches.extend(found.iter().map(|id| Breach::new(format!("{table} {id}"), lost.clone())));
                }
                Ok(breaches)
            })
        })
        .await
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        self.write(Begin::Durable, (job, label.to_owned()), |connection, _, (job, label)| {
            Box::pin(async move {
                sqlx::query("UPDATE jobs SET label = $2 WHERE id = $1")
                    .bind(job.as_uuid())
                    .bind(label)
                    .execute(&mut *connection)
                    .await?;
                jobs::read(connection, *job).await
            })
        })
        .await
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        self.bury().await?;
        self.write(Begin::Durable, job, |connection, _, job| Box::pin(removal::delete(connection, *job))).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64> {
        self.write(Begin::Durable, limit, |connection, _, limit| Box::pin(removal::sweep(connection, *limit))).await
    }
}

async fn audit(connection: &mut PgConnection, job: JobId) -> Work<Audit> {
    // Joins stay as they are set: each goes by its index.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
    let record = jobs::read(connection, job).await?;
    let mut auditor = JobAuditor::new(job);
    let mut stream = sqlx::query(ITEMS).bind(job.as_uuid()).fetch(&mut *connection);
    while let Some(row) = stream.try_next().await? {
        item(&mut auditor, &row)?;
    }
    drop(stream);
    let mut stream = sqlx::query(CALLS).bind(job.as_uuid()).fetch(&mut *connection);
    while let Some(row) = stream.try_next().await? {
        auditor.call(&AuditedCall {
            id: CallId::from_uuid(rows::uuid(&row, 0)?),
            state: rows::named(&row, 1)?,
            settled: row.try_get(2)?,
            priced: row.try_get(3)?,
            named: rows::number(&row, 4)?,
            found: rows::number(&row, 5)?,
            indexed: rows::number(&row, 6)?,
        });
    }
    drop(stream);
    for ids in auditor.unresolved().chunks(1_000) {
        let found: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM results WHERE id = ANY ($1)")
            .bind(ids.iter().map(ResultId::as_uuid).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        auditor.resolved(found.into_iter().map(ResultId::from_uuid));
    }
    let row = sqlx::query(EVENTS).bind(job.as_uuid()).fetch_one(&mut *connection).await?;
    let events = AuditedEvents { count: rows::number(&row, 0)?, first: row.try_get(1)?, last: row.try_get(2)? };
    let tallies = items::tallies(connection, job).await?;
    Ok(auditor.end(&record, &tallies, events))
}

fn item(auditor: &mut JobAuditor, row: &PgRow) -> Work<()> {
    let item = AuditedItem {
        id: rows::item_id(row, 0)?,
        status: rows::word(row, 1)?,
        held: row.try_get(2)?,
        leaves: rows::number(row, 3)?,
        steps: rows::number(row, 4)?,
        replaced: row.try_get(5)?,
        cost: rows::money(row, 6)?,
        machine: rows::json(row, 7)?,
        inherited: row.try_get::<Vec<Uuid>, _>(12)?.into_iter().map(ResultId::from_uuid).collect(),
    };
    let (ids, stages): (Vec<Uuid>, Vec<String>) = (row.try_get(8)?, row.try_get(9)?);
    let (costs, micros): (Vec<i64>, Vec<i64>) = (row.try_get(10)?, row.try_get(11)?);
    let results: Vec<AuditedResult<'_>> = ids
        .into_iter()
        .zip(&stages)
        .zip(costs.into_iter().zip(micros))
        .map(|((id, stage), (cost, micros))| AuditedResult {
            id: ResultId::from_uuid(id),
            stage,
            took: Duration::from_micros(u64::try_from(micros).unwrap_or_default()),
            cost: Money::from_micros(cost),
        })
        .collect();
    auditor.item(&item, &results);
    Ok(())
}
