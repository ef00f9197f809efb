//! Counts of leaves, and the end of jobs whose last leaf has ended.

use std::collections::BTreeSet;

use pipeline_core::id::JobId;
use pipeline_core::model::{Counts, JobStatus};
use pipeline_core::storage::EventBody;
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::rows;

/// The leaves of a job by status; what a session holds is moved from its own status to `running`. Whoever holds an item
/// has a row in `sessions`, and by that few rows are read instead of all the job's.
pub(super) const COUNT: &str = "SELECT status, sum(leaves), sum(steps) FROM (\
     SELECT status, leaves, steps FROM counts WHERE job = ?1 \
     UNION ALL \
     SELECT status, -leaves, 0 FROM items WHERE session IN (SELECT id FROM sessions) AND job = ?1 \
     UNION ALL \
     SELECT 'running', leaves, 0 FROM items WHERE session IN (SELECT id FROM sessions) AND job = ?1\
     ) GROUP BY status";

/// Those of some jobs that have not ended although no leaf is open.
pub(super) const ENDED: &str = "SELECT id, control, started_at FROM jobs \
     WHERE id IN (SELECT value FROM json_each(?)) AND ended_at IS NULL AND NOT EXISTS (\
     SELECT 1 FROM counts WHERE counts.job = jobs.id AND counts.status IN ('pending', 'running', 'waiting') AND leaves > 0)";

/// Returns the leaves of a job, and the settled stages of them.
pub(super) async fn count(connection: &mut SqliteConnection, job: JobId) -> Work<(Counts, u64)> {
    let rows = sqlx::query(COUNT).bind(job.to_string()).fetch_all(connection).await?;
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
    let ended = sqlx::query(ENDED).bind(rows::list(jobs)?).fetch_all(&mut *connection).await?;
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
