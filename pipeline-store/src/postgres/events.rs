//! The event log, for reading. Events are written with the changes of their jobs.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::storage::{EventLog, EventRecord};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::rows;
use super::store::PostgresStore;

#[async_trait]
impl EventLog for PostgresStore {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        self.read((job, after, limit), |connection, (job, after, limit)| {
            Box::pin(async move {
                let rows =
                    sqlx::query("SELECT seq, at, body FROM events WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3")
                        .bind(job.as_uuid())
                        .bind(after.0)
                        .bind(i64::from(*limit))
                        .fetch_all(connection)
                        .await?;
                let read = |row: &PgRow| {
                    Ok(EventRecord {
                        job: *job,
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
