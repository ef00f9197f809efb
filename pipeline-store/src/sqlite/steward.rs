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
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

use super::fault::Work;
use super::store::SqliteStore;
use super::{items, jobs, removal, rows, sessions};

const CENSUS: &str = "SELECT (SELECT count(*) FROM jobs WHERE deleted IS NULL), (SELECT count(*) FROM items), (SELECT count(*) FROM results), \
     (SELECT count(*) FROM calls), (SELECT count(*) FROM events), (SELECT count(*) FROM names), \
     (SELECT count(*) FROM fingerprints), \
     (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size())";

/// The records of a kind beyond an id, with what they say as one JSON text.
const fn mentions(holder: Holder) -> &'static str {
    match holder {
        Holder::Jobs => "SELECT job, body FROM plans WHERE job > ? ORDER BY job LIMIT ?",
        Holder::Items => "SELECT id, '[' || input || ',' || machine || ']' FROM items WHERE id > ? ORDER BY id LIMIT ?",
        Holder::Results => {
            "SELECT id, '[' || files || ',' || fields || ',' || ifnull(verdict, 'null') || ']' FROM results \
             WHERE id > ? ORDER BY id LIMIT ?"
        }
        Holder::Calls => {
            "SELECT id, '[' || ifnull(response, 'null') || ',' || ifnull(failure, 'null') || ']' FROM calls \
             WHERE id > ? ORDER BY id LIMIT ?"
        }
    }
}

/// The items of a job, each with its results and the ids of those of its parent.
const ITEMS: &str = "SELECT id, status, session IS NOT NULL AND session IN (SELECT id FROM sessions), leaves, steps, \
     replaced, cost, machine, \
     (SELECT json_group_array(json_array(own.id, own.stage, own.cost, max(own.ended_at - own.started_at, 0))) \
     FROM results AS own WHERE own.item = items.id), \
     (SELECT json_group_array(theirs.id) FROM results AS theirs WHERE theirs.item = items.parent) \
     FROM items WHERE job = ?";

const CALLS: &str = "SELECT id, state, settled_at IS NOT NULL, cost IS NOT NULL, json_array_length(items), \
     (SELECT count(*) FROM json_each(calls.items) AS named CROSS JOIN items ON items.id = named.value \
     WHERE items.job = calls.job), (SELECT count(*) FROM call_items WHERE call = calls.id) FROM calls WHERE job = ?";

const EVENTS: &str = "SELECT count(*), ifnull(min(seq), 0), ifnull(max(seq), 0) FROM events WHERE job = ?";

#[async_trait]
impl Steward for SqliteStore {
    async fn census(&self) -> Result<Census> {
        self.read(|connection| {
            Box::pin(async move {
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
        self.read(move |connection| Box::pin(page(connection, holder, after, limit))).await
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        self.read(move |connection| Box::pin(audit(connection, job))).await
    }

    async fn strays(&self) -> Result<Vec<Breach>> {
        self.read(|connection| {
            Box::pin(async move {
                let mut breaches = Vec::new();
                let found = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await?;
                for row in found.iter().take(Audit::TOLD) {
                    let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
                    // Tables without row ids do not tell which.
                    let place = match row.try_get::<Option<i64>, _>(1)? {
                        Some(row) => format!("{table}, row {row}"),
                        None => table,
                    };
                    breaches.push(Breach::new(place, format!("it belongs to a row of {parent} that is not there")));
                }
                let checked = sqlx::query("PRAGMA quick_check(100)").fetch_all(connection).await?;
                for row in &checked {
                    let said: String = row.try_get(0)?;
                    if said != "ok" {
                        breaches.push(Breach::new("database file", said));
                    }
                }
                Ok(breaches)
            })
        })
        .await
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        let label = label.to_owned();
        self.write(move |connection, _| {
            Box::pin(async move {
                sqlx::query("UPDATE jobs SET label = ? WHERE id = ?")
                    .bind(label)
                    .bind(job.to_string())
                    .execute(&mut *connection)
                    .await?;
                jobs::read(connection, job).await
            })
        })
        .await
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
        self.write(move |connection, _| Box::pin(removal::delete(connection, job))).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64> {
        self.write(move |connection, _| Box::pin(removal::sweep(connection, limit))).await
    }
}

/// Returns what records of a kind say that may name artifacts.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    holder: Holder,
    after: Option<Uuid>,
    limit: u32,
) -> Work<Vec<Mention>> {
    let rows = sqlx::query(mentions(holder))
        .bind(after.map(|after| after.to_string()).unwrap_or_default())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(Mention { id: rows::word(row, 0)?, text: row.try_get(1)? })).collect()
}

async fn audit(connection: &mut SqliteConnection, job: JobId) -> Work<Audit> {
    let record = jobs::read(connection, job).await?;
    let mut auditor = JobAuditor::new(job);
    let mut stream = sqlx::query(ITEMS).bind(job.to_string()).fetch(&mut *connection);
    while let Some(row) = stream.try_next().await? {
        item(&mut auditor, &row)?;
    }
    drop(stream);
    let mut stream = sqlx::query(CALLS).bind(job.to_string()).fetch(&mut *connection);
    while let Some(row) = stream.try_next().await? {
        auditor.call(&AuditedCall {
            id: rows::word::<CallId>(&row, 0)?,
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
        let found = sqlx::query("SELECT id FROM results WHERE id IN (SELECT value FROM json_each(?))")
            .bind(rows::list(ids)?)
            .fetch_all(&mut *connection)
            .await?;
        let found: Vec<ResultId> = found.iter().map(|row| rows::word(row, 0)).collect::<Work<_>>()?;
        auditor.resolved(found);
    }
    let row = sqlx::query(EVENTS).bind(job.to_string()).fetch_one(&mut *connection).await?;
    let events = AuditedEvents { count: rows::number(&row, 0)?, first: row.try_get(1)?, last: row.try_get(2)? };
    let tallies = items::tallies(connection, job).await?;
    Ok(auditor.end(&record, &tallies, events))
}

fn item(auditor: &mut JobAuditor, row: &SqliteRow) -> Work<()> {
    let item = AuditedItem {
        id: rows::word(row, 0)?,
        status: rows::word(row, 1)?,
        held: row.try_get(2)?,
        leaves: rows::number(row, 3)?,
        steps: rows::number(row, 4)?,
        replaced: row.try_get(5)?,
        cost: rows::money(row, 6)?,
        machine: rows::json(row, 7)?,
        inherited: rows::json(row, 9)?,
    };
    let results: Vec<(ResultId, &str, i64, u64)> = rows::borrowed(row, 8)?;
    let results: Vec<AuditedResult<'_>> = results
        .iter()
        .map(|(id, stage, cost, micros)| AuditedResult {
            id: *id,
            stage,
            took: Duration::from_micros(*micros),
            cost: Money::from_micros(*cost),
        })
        .collect();
    auditor.item(&item, &results);
    Ok(())
}
