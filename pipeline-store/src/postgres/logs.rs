//! The logs of jobs, in the same database as their records.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::StageName;
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogVolume, NewLogEntry, Outdated};
use pipeline_core::time::Timestamp;
use sqlx::{Postgres, QueryBuilder};

use super::store::{Begin, PostgresStore};
use crate::logs::{COLUMNS, Columns, conditions, micros, number, read};

/// One appends after the other, or a reader could see a number before a lesser one; and no commit waits for the disk: a
/// crash of the server may take the last entries.
const ALONE: &str = "SET LOCAL synchronous_commit = off; \
     SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 7305))";

const INSERT: &str = "INSERT INTO logs (at, level, job, item, stage, step, attempt, code, duration, message) \
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], \
     $8::text[], $9::bigint[], $10::text[])";

#[async_trait]
impl LogKeeper for PostgresStore {
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<()> {
        let written = self.write(Begin::Durable, entries, |connection, _, entries| {
            Box::pin(async move {
                sqlx::raw_sql(ALONE).execute(&mut *connection).await?;
                let all = || entries.iter();
                sqlx::query(INSERT)
                    .bind(all().map(|entry| entry.at.as_micros()).collect::<Vec<_>>())
                    .bind(all().map(|entry| number(entry.level)).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.job.as_uuid()).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.item.map(|item| item.as_uuid())).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.stage.as_ref().map(StageName::as_str)).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.step.as_str()).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.attempt.map(i64::from)).collect::<Vec<_>>())
                    .bind(all().map(|entry| entry.code.as_deref()).collect::<Vec<_>>())
                    .bind(all().map(micros).collect::<Vec<_>>())
                    // The database takes no zero characters.
                    .bind(all().map(|entry| entry.message.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        written.await
    }

    async fn entries(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        let rows: Vec<Columns> = self
            .read(query, |connection, query| {
                Box::pin(async move {
                    let mut builder = QueryBuilder::<Postgres>::new(format!("SELECT {COLUMNS} FROM logs WHERE "));
                    conditions!(builder, query);
                    Ok(builder.build_query_as::<Columns>().fetch_all(connection).await?)
                })
            })
            .await?;
        rows.into_iter().map(read).collect()
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64> {
        let removed = self.write(Begin::Durable, (which, limit), |connection, _, (which, limit)| {
            Box::pin(async move {
                let mut builder =
                    QueryBuilder::<Postgres>::new("DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE ");
                match which {
                    Outdated::Job(job) => builder.push("job = ").push_bind(job.as_uuid()),
                    Outdated::Before(time) => builder.push("at < ").push_bind(time.as_micros()),
                };
                builder.push(" ORDER BY seq LIMIT ").push_bind(i64::from(*limit)).push(")");
                Ok(builder.build().execute(connection).await?.rows_affected())
            })
        });
        removed.await
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume> {
        let (entries, bytes): (i64, i64) = self
            .read(before, |connection, before| {
                Box::pin(async move {
                    let count = "SELECT (SELECT count(*) FROM logs WHERE $1::bigint IS NULL OR at < $1), \
                                 pg_total_relation_size('logs')";
                    let before = before.map(Timestamp::as_micros);
                    Ok(sqlx::query_as(count).bind(before).fetch_one(connection).await?)
                })
            })
            .await?;
        Ok(LogVolume {
            location: self.inner.location.clone(),
            entries: u64::try_from(entries).unwrap_or(0),
            bytes: u64::try_from(bytes).ok(),
        })
    }
}
