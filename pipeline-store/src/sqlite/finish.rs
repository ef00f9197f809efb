//! Counting leaves, and ending jobs whose last leaf has ended.

use std::collections::BTreeSet;

use pipeline_core::id::JobId;
use pipeline_core::model::{Counts, JobStatus};
use pipeline_core::storage::EventBody;
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::rows;

/// Counts the leaves of a job, and the settled stages of them. A held item is `running` whatever its row says.
pub(super) async fn count(connection: &mut SqliteConnection, job: JobId) -> Work<(Counts, u64)> {
    let rows = sqlx::query(
        "SELECT status, sum(leaves), sum(steps) FROM (\
         SELECT status, sum(leaves) AS leaves, sum(steps * leaves) AS steps FROM items WHERE job = ?1 GROUP BY status \
         UNION ALL \
         SELECT status, -sum(leaves), 0 FROM items WHERE job = ?1 AND session IS NOT NULL GROUP BY status \
         UNION ALL \
         SELECT 'running', coalesce(sum(leaves), 0), 0 FROM items WHERE job = ?1 AND session IS NOT NULL\
         ) GROUP BY status",
    )
    .bind(job.to_string())
    .fetch_all(connection)
    .await?;
    let mut counts = Counts::default();
    let mut steps = 0_u64;
    for row in &rows {
        counts.add(rows::word(row, 0)?, rows::number(row, 1)?);
        steps = steps.saturating_add(rows::number(row, 2)?);
    }
    Ok((counts, steps))
}

/// Ends those of `jobs` that have no open leaf left: status, time, and the event `Finished`.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    jobs: impl IntoIterator<Item = JobId>,
    now: Timestamp,
) -> Work<()> {
    let jobs: BTreeSet<JobId> = jobs.into_iter().collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let ended = sqlx::query(
        "SELECT id, control, started_at FROM jobs \
         WHERE id IN (SELECT value FROM json_each(?)) AND ended_at IS NULL AND NOT EXISTS (\
         SELECT 1 FROM items WHERE items.job = jobs.id AND status IN ('pending', 'running', 'waiting') AND leaves > 0)",
    )
    .bind(rows::list(jobs)?)
    .fetch_all(&mut *connection)
    .await?;
    for row in &ended {
        let job: JobId = rows::word(row, 0)?;
        let (counts, _) = count(connection, job).await?;
        let status = JobStatus::derive(rows::word(row, 1)?, rows::maybe_time(row, 2)?.is_some(), &counts);
        sqlx::query("UPDATE jobs SET status = ?, ended_at = ? WHERE id = ?")
            .bind(status.as_str())
            .bind(now.as_micros())
            .bind(job.to_string())
            .execute(&mut *connection)
            .await?;
        super::events::append(connection, job, &[EventBody::Finished { status, counts }], now).await?;
    }
    Ok(())
}
