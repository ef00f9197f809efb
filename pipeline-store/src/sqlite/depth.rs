//! How much stands in the queue, and how fast it moves.

use pipeline_core::model::JobStatus;
use pipeline_core::storage::QueueStatus;
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::{finish, gates, rates, rows};

/// Items of open jobs by what they wait for.
const ITEMS: &str = "SELECT items.gate, \
     CASE WHEN items.session IS NOT NULL THEN 'held' \
     WHEN items.claimable_at <= ?1 THEN 'due' ELSE 'waiting' END AS place, count(*) \
     FROM jobs CROSS JOIN items ON items.job = jobs.id WHERE jobs.ended_at IS NULL AND items.replaced = 0 \
     AND items.status IN ('pending', 'running', 'waiting') GROUP BY 1, 2";

/// Since when the longest-waiting job with something due has not been served.
const OLDEST: &str = "SELECT min(served_at) FROM jobs WHERE ended_at IS NULL AND control = 'run' AND EXISTS (\
     SELECT 1 FROM items WHERE items.job = jobs.id AND session IS NULL AND claimable_at <= ?1)";

/// Says how much stands in the queue, and how fast it moves.
pub(super) async fn status(connection: &mut SqliteConnection, now: Timestamp) -> Work<QueueStatus> {
    let mut status = QueueStatus { paused: gates::is_paused(connection).await?, ..QueueStatus::default() };
    let jobs = sqlx::query("SELECT id, control, started_at IS NOT NULL FROM jobs WHERE ended_at IS NULL")
        .fetch_all(&mut *connection)
        .await?;
    for row in &jobs {
        let (counts, _) = finish::count(connection, rows::word(row, 0)?).await?;
        *status.jobs.entry(JobStatus::derive(rows::word(row, 1)?, row.try_get(2)?, &counts)).or_default() += 1;
    }
    for row in &sqlx::query(ITEMS).bind(now.as_micros()).fetch_all(&mut *connection).await? {
        let (gate, place, count): (Option<String>, String, u64) =
            (row.try_get(0)?, row.try_get(1)?, rows::number(row, 2)?);
        match place.as_str() {
            "held" => status.depth.held += count,
            "due" => status.depth.due += count,
            _ => status.depth.waiting += count,
        }
        if let Some(gate) = gate.filter(|_| place != "held") {
            *status.by_gate.entry(gate).or_default() += count;
        }
    }
    let oldest: Option<i64> = sqlx::query_scalar(OLDEST).bind(now.as_micros()).fetch_one(&mut *connection).await?;
    status.oldest = oldest.map(Timestamp::from_micros);
    let open = jobs.iter().map(|row| Ok(row.try_get(0)?)).collect::<Work<_>>()?;
    status.rates = rates::rates(connection, open, now).await?;
    Ok(status)
}
