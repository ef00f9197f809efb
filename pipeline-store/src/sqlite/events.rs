//! The event log.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::storage::{EventBody, EventLog, EventRecord};
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::bulk::{Bound, Bulk};
use super::fault::Work;
use super::rows;
use super::store::SqliteStore;

/// Appends events to a job's sequence, within the transaction of the state they tell of.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    job: JobId,
    events: &[EventBody],
    now: Timestamp,
) -> Work<()> {
    if events.is_empty() {
        return Ok(());
    }
    let last: i64 = sqlx::query_scalar("UPDATE jobs SET last_event = last_event + ? WHERE id = ? RETURNING last_event")
        .bind(events.len() as i64)
        .bind(job.to_string())
        .fetch_one(&mut *connection)
        .await?;
    let (job, first) = (job.to_string(), last - events.len() as i64 + 1);
    let rows: Vec<(i64, &EventBody)> = (first..).zip(events).collect();
    let row = |query: Bound, (seq, body): &(i64, &EventBody)| {
        Ok(query.bind(job.clone()).bind(*seq).bind(now.as_micros()).bind(serde_json::to_string(body)?))
    };
    INSERT.run(connection, &rows, row, |query| query).await?;
    Ok(())
}

static INSERT: Bulk = Bulk::insert("INSERT INTO events (job, seq, at, body) SELECT * FROM (", 4);

#[async_trait]
impl EventLog for SqliteStore {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows =
                    sqlx::query("SELECT seq, at, body FROM events WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?")
                        .bind(job.to_string())
                        .bind(after.0)
                        .bind(limit)
                        .fetch_all(connection)
                        .await?;
                let read = |row: &sqlx::sqlite::SqliteRow| {
                    Ok(EventRecord {
                        job,
                        seq: EventSeq(row.try_get(0)?),
                        at: rows::time(row, 1)?,
                        body: rows::json(row, 2)?,
                    })
                };
                rows.iter().map(read).collect()
            })
        })
        .await
    }
}
