//! Removing jobs: first they are hidden, then their rows go in steps.

use pipeline_core::error::Error;
use pipeline_core::id::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault::Work;
use super::jobs;

/// What goes of a job, a step each, with what hangs on it.
const STEPS: [&str; 10] = [
    "WITH gone AS MATERIALIZED (SELECT item FROM item_inputs WHERE job = $1 LIMIT $2), \
     results_gone AS (DELETE FROM results WHERE item IN (SELECT item FROM gone)), \
     items_gone AS (DELETE FROM items WHERE id IN (SELECT item FROM gone)) \
     DELETE FROM item_inputs WHERE item IN (SELECT item FROM gone)",
    "DELETE FROM events WHERE job = $1 AND seq IN (SELECT seq FROM events WHERE job = $1 LIMIT $2)",
    "WITH gone AS MATERIALIZED (SELECT id, items FROM calls WHERE job = $1 AND state IN ('succeeded', 'failed') \
     AND cost = 0 LIMIT $2), \
     places_gone AS (DELETE FROM call_items USING (SELECT id, unnest(items) AS item FROM gone) AS served \
     WHERE call_items.item = served.item AND call_items.call = served.id) \
     DELETE FROM calls WHERE id IN (SELECT id FROM gone)",
    "DELETE FROM names WHERE (scope, key) IN (SELECT scope, key FROM names WHERE job = $1 LIMIT $2)",
    "DELETE FROM fingerprints WHERE job = $1 AND (scope, item) IN \
     (SELECT scope, item FROM fingerprints WHERE job = $1 LIMIT $2)",
    "DELETE FROM deliveries WHERE no IN (SELECT no FROM deliveries WHERE job = $1 LIMIT $2)",
    "DELETE FROM hook_lanes WHERE job = $1 AND $2::bigint > 0",
    "DELETE FROM tallies WHERE job = $1 AND $2::bigint > 0",
    "DELETE FROM revisions WHERE job = $1 AND $2::bigint > 0",
    "DELETE FROM plans WHERE job = $1 AND $2::bigint > 0",
];

/// Takes out of the calls that stay which items they served, and with what they were answered.
const SILENCE: &str = "WITH talkative AS MATERIALIZED (SELECT id, items FROM calls \
     WHERE job = $1 AND (cardinality(items) > 0 OR response IS NOT NULL OR prompt IS NOT NULL) LIMIT $2), \
     places_gone AS (DELETE FROM call_items USING (SELECT id, unnest(items) AS item FROM talkative) AS served \
     WHERE call_items.item = served.item AND call_items.call = served.id) \
     UPDATE calls SET items = '{}', response = NULL, prompt = NULL WHERE id IN (SELECT id FROM talkative)";

/// Hides a job that has ended.
pub(super) async fn delete(connection: &mut PgConnection, job: JobId) -> Work<()> {
    if let (_, None) = jobs::standing(connection, job).await? {
        return Err(Error::conflict("the job has not ended").with("job", job).into());
    }
    sqlx::query("UPDATE jobs SET deleted = 1, idempotency = NULL, body = NULL WHERE id = $1")
        .bind(job.as_uuid())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes some of what deleted jobs have left.
pub(super) async fn sweep(connection: &mut PgConnection, limit: u32) -> Work<u64> {
    let deleted = "SELECT id FROM jobs WHERE deleted = 1 ORDER BY id LIMIT 1 FOR NO KEY UPDATE";
    let job: Option<Uuid> = sqlx::query_scalar(deleted).fetch_optional(&mut *connection).await?;
    let Some(job) = job else { return Ok(0) };
    for step in STEPS.into_iter().chain([SILENCE]) {
        let done = sqlx::query(step).bind(job).bind(i64::from(limit.max(1))).execute(&mut *connection).await?;
        if done.rows_affected() > 0 {
            return Ok(done.rows_affected());
        }
    }
    sqlx::query("UPDATE jobs SET deleted = 2 WHERE id = $1").bind(job).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM jobs WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM calls WHERE job = $1)")
        .bind(job)
        .execute(connection)
        .await?;
    Ok(1)
}
