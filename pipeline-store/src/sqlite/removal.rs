//! Removing jobs: first they are hidden, then their rows go in steps.

use pipeline_core::error::Error;
use pipeline_core::id::JobId;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::jobs;

/// What goes of a job, a step each; results and the places of calls go with what they hang on.
const STEPS: [&str; 11] = [
    "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE job = ?1 LIMIT ?2)",
    "DELETE FROM events WHERE job = ?1 AND seq IN (SELECT seq FROM events WHERE job = ?1 LIMIT ?2)",
    "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE job = ?1 AND state IN ('succeeded', 'failed') \
     AND cost = 0 LIMIT ?2)",
    "DELETE FROM names WHERE (scope, key) IN (SELECT scope, key FROM names WHERE job = ?1 LIMIT ?2)",
    "DELETE FROM fingerprints WHERE no IN (SELECT no FROM fingerprints WHERE job = ?1 LIMIT ?2)",
    "DELETE FROM deliveries WHERE no IN (SELECT no FROM deliveries WHERE job = ?1 LIMIT ?2)",
    "DELETE FROM hook_lanes WHERE job = ?1 AND ?2",
    "DELETE FROM counts WHERE job = ?1 AND ?2",
    "DELETE FROM tallies WHERE job = ?1 AND ?2",
    "DELETE FROM revisions WHERE job = ?1 AND ?2",
    "DELETE FROM plans WHERE job = ?1 AND ?2",
];

/// The calls that stay and still say which items they served, and with what they were answered.
const TALKATIVE: &str =
    "SELECT id FROM calls WHERE job = ?1 AND (items <> '[]' OR response IS NOT NULL OR prompt IS NOT NULL) LIMIT ?2";

/// Hides a job that has ended.
pub(super) async fn delete(connection: &mut SqliteConnection, job: JobId) -> Work<()> {
    if let (_, None) = jobs::standing(connection, job).await? {
        return Err(Error::conflict("the job has not ended").with("job", job).into());
    }
    sqlx::query("UPDATE jobs SET deleted = 1, idempotency = NULL, body = NULL WHERE id = ?")
        .bind(job.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes some of what deleted jobs have left.
pub(super) async fn sweep(connection: &mut SqliteConnection, limit: u32) -> Work<u64> {
    let job: Option<String> =
        sqlx::query_scalar("SELECT id FROM jobs WHERE deleted = 1 LIMIT 1").fetch_optional(&mut *connection).await?;
    let Some(job) = job else { return Ok(0) };
    let limit = limit.max(1);
    for step in STEPS {
        let done = sqlx::query(step).bind(&job).bind(limit).execute(&mut *connection).await?;
        if done.rows_affected() > 0 {
            return Ok(done.rows_affected());
        }
    }
    let talkative: Vec<String> =
        sqlx::query_scalar(TALKATIVE).bind(&job).bind(limit).fetch_all(&mut *connection).await?;
    if !talkative.is_empty() {
        let ids = serde_json::to_string(&talkative)?;
        for step in [
            "DELETE FROM call_items WHERE call IN (SELECT value FROM json_each(?))",
            "UPDATE calls SET items = '[]', response = NULL, prompt = NULL WHERE id IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(step).bind(&ids).execute(&mut *connection).await?;
        }
        return Ok(talkative.len() as u64);
    }
    sqlx::query("UPDATE jobs SET deleted = 2 WHERE id = ?").bind(&job).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM jobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM calls WHERE job = ?1)")
        .bind(&job)
        .execute(connection)
        .await?;
    Ok(1)
}
