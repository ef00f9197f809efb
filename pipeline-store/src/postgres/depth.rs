//! How much stands in the queue, and how fast it moves.

use pipeline_core::storage::QueueStatus;
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::fault::Work;
use super::store::Inner;
use super::{gates, rates, rows};

const JOBS: &str = concat!(rows::jobs!(), " WHERE turns.open");

/// Items of open jobs that nobody holds, by gate and by whether they are due; and how many are held.
pub(super) const ITEMS: &str = "SELECT items.gate, items.claimable_at IS NOT NULL AND items.claimable_at <= $1 AS due, \
     false AS held, count(*) FROM turns JOIN items ON items.job = turns.job \
     WHERE turns.open AND items.session IS NULL AND items.open GROUP BY 1, 2 \
     UNION ALL SELECT '', false, true, count(*) FROM items WHERE session IN (SELECT id FROM sessions)";

/// Since when the longest-waiting job with something due has not been served.
const OLDEST: &str = "SELECT min(served_at) FROM turns WHERE eligible AND EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at <= $1 OFFSET 0)";

/// Says how much stands in the queue, and how fast it moves.
pub(super) async fn status(connection: &mut PgConnection, inner: &Inner) -> Work<QueueStatus> {
    let time = inner.now(connection).await?;
    let now = time.as_micros();
    let paused = sqlx::query_scalar(concat!("SELECT ", gates::paused!())).fetch_one(&mut *connection).await?;
    let mut status = QueueStatus { paused, ..QueueStatus::default() };
    for row in &sqlx::query(JOBS).fetch_all(&mut *connection).await? {
        *status.jobs.entry(rows::job(row)?.status).or_default() += 1;
    }
    for row in &sqlx::query(ITEMS).bind(now).fetch_all(&mut *connection).await? {
        let (gate, due, held, count): (String, bool, bool, u64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, rows::number(row, 3)?);
        match (held, due) {
            (true, _) => status.depth.held += count,
            (false, true) => status.depth.due += count,
            (false, false) => status.depth.waiting += count,
        }
        if !gate.is_empty() {
            *status.by_gate.entry(gate).or_default() += count;
        }
    }
    let oldest: Option<i64> = sqlx::query_scalar(OLDEST).bind(now).fetch_one(&mut *connection).await?;
    status.oldest = oldest.map(Timestamp::from_micros);
    status.rates = rates::rates(connection, time).await?;
    Ok(status)
}
