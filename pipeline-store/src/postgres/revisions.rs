//! Settings of a job for later rounds.

use pipeline_core::error::Error;
use pipeline_core::id::JobId;
use pipeline_core::storage::JobPlan;
use sqlx::PgConnection;

use super::fault::Work;
use super::rows;

/// Stores a revision and returns its number; one that is there already gives its own.
pub(super) async fn revise(connection: &mut PgConnection, job: JobId, plan: &JobPlan) -> Work<u32> {
    if read(connection, job, 0).await?.plan.hash == plan.plan.hash {
        return Ok(0);
    }
    // One at a time: two at once would take the same number.
    sqlx::query("SELECT 1 FROM plans WHERE job = $1 FOR UPDATE").bind(job.as_uuid()).execute(&mut *connection).await?;
    sqlx::query(
        "INSERT INTO revisions (job, number, hash, body) \
         SELECT $1, 1 + (SELECT count(*) FROM revisions WHERE job = $1), $2, $3 ON CONFLICT (job, hash) DO NOTHING",
    )
    .bind(job.as_uuid())
    .bind(plan.plan.hash.to_hex())
    .bind(serde_json::to_string(plan)?)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT number FROM revisions WHERE job = $1 AND hash = $2")
        .bind(job.as_uuid())
        .bind(plan.plan.hash.to_hex())
        .fetch_one(connection)
        .await?;
    rows::number(&row, 0)
}

/// Returns a revision; 0 is the plan of the submit.
pub(super) async fn read(connection: &mut PgConnection, job: JobId, number: u32) -> Work<JobPlan> {
    let row = sqlx::query(
        "SELECT body FROM (SELECT body FROM plans WHERE job = $1 AND $2 = 0 UNION ALL \
         SELECT body FROM revisions WHERE job = $1 AND number = $2) AS revision \
         WHERE EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND deleted IS NULL)",
    )
    .bind(job.as_uuid())
    .bind(i64::from(number))
    .fetch_optional(connection)
    .await?;
    let missing = || match number {
        0 => Error::not_found("there is no such job").with("job", job),
        _ => Error::not_found("the job has no such revision of its settings").with("job", job).with("revision", number),
    };
    rows::json(&row.ok_or_else(missing)?, 0)
}
