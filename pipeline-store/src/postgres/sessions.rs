//! Sessions: open, beat, close, and the burial of dead ones.

use std::time::Duration;

use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{Heartbeat, NewSession, SessionRecord};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::finish::{self, Changes};
use super::store::{Inner, clock};
use super::{gates, rows};

/// Nobody means a longer lease than a century.
const LONGEST_LEASE: i64 = 100 * 365 * 86_400 * 1_000_000;

const OPEN: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$6"),
    " AS now) INSERT INTO sessions (id, host, pid, focus, started_at, lease_until) \
     SELECT $1, $2, $3, $4, clock.now, clock.now + $5 FROM clock"
);

/// Extends a lease that has not run out, and tells what was asked of the jobs the session holds items of: a row for each,
/// or one without a job; no row when the lease has run out. A pause of everything is one of every job.
pub(super) const BEAT: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$3"),
    " AS now), beat AS (UPDATE sessions SET lease_until = clock.now + $2 FROM clock \
     WHERE id = $1 AND lease_until > clock.now RETURNING id) \
     SELECT steered.id, steered.control FROM beat LEFT JOIN LATERAL (SELECT jobs.id, jobs.control FROM jobs \
     WHERE control <> 'run' AND status IS NULL AND EXISTS (SELECT 1 FROM items WHERE session = $1 \
     AND items.job = jobs.id) UNION ALL SELECT jobs.id, 'pause' FROM \
     (SELECT DISTINCT job FROM items WHERE session = $1) AS held JOIN jobs ON jobs.id = held.job \
     WHERE control = 'run' AND status IS NULL AND ",
    gates::paused!(),
    ") AS steered ON true ORDER BY steered.id"
);

const DEAD: &str = "SELECT id FROM sessions WHERE lease_until <= $1 ORDER BY id FOR UPDATE";

/// Frees what sessions hold. What is held is always open: a commit that ends an item also gives it back. What has a
/// call without a known outcome goes on with that, and comes to no gate.
pub(super) const FREE: &str = "WITH held AS MATERIALIZED (SELECT id, status FROM items WHERE session = ANY ($1) \
     AND id <> ALL ($3) ORDER BY id FOR UPDATE), freed AS (UPDATE items SET session = NULL, claimable_at = 0, updated_at = $2, \
     gate = CASE WHEN EXISTS (SELECT 1 FROM call_items JOIN calls ON calls.id = call_items.call \
     WHERE call_items.item = items.id AND calls.state IN ('open', 'unknown')) THEN '' ELSE items.gate END, \
     status = CASE held.status WHEN 'running' THEN 'pending' ELSE held.status END FROM held WHERE items.id = held.id \
     RETURNING items.job, held.status, items.leaves) \
     SELECT job, status, sum(leaves)::bigint FROM freed GROUP BY job, status";

/// Takes what anybody holds of a job, and ends it. Whoever held it knows the old token.
pub(super) const TAKE: &str = "WITH held AS MATERIALIZED (SELECT id, status FROM items \
     WHERE session IN (SELECT id FROM sessions) AND job = $1 ORDER BY id FOR UPDATE), \
     taken AS (UPDATE items SET session = NULL, claimable_at = NULL, updated_at = $2, status = 'cancelled', open = false, \
     token = greatest(token + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
     FROM held WHERE items.id = held.id RETURNING held.status, items.leaves) \
     SELECT status, sum(leaves)::bigint FROM taken GROUP BY status";

const LIST: &str = "SELECT id, host, pid, focus, started_at, lease_until, \
     (SELECT count(*) FROM items WHERE items.session = sessions.id) FROM sessions \
     WHERE $1::uuid IS NULL OR focus = $1 \
     OR EXISTS (SELECT 1 FROM items WHERE items.session = sessions.id AND items.job = $1) ORDER BY started_at, id";

/// Registers a session.
pub(super) async fn open(connection: &mut PgConnection, inner: &Inner, session: &NewSession) -> Work<()> {
    sqlx::query(OPEN)
        .bind(session.id.as_uuid())
        .bind(&session.host)
        .bind(i64::from(session.pid))
        .bind(session.focus.map(|job| job.as_uuid()))
        .bind(micros(session.lease))
        .bind(inner.told())
        .execute(connection)
        .await?;
    Ok(())
}

/// Extends a session's lease; `None` when it has run out.
pub(super) async fn beat(
    connection: &mut PgConnection,
    inner: &Inner,
    session: SessionId,
    lease: Duration,
) -> Work<Option<Heartbeat>> {
    let rows =
        sqlx::query(BEAT).bind(session.as_uuid()).bind(micros(lease)).bind(inner.told()).fetch_all(connection).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut controls: Vec<(JobId, Control)> = Vec::new();
    for row in &rows {
        if let Some(job) = rows::maybe_uuid(row, 0)? {
            controls.push((JobId::from_uuid(job), rows::word(row, 1)?));
        }
    }
    Ok(Some(Heartbeat { alive: true, controls }))
}

fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(LONGEST_LEASE).min(LONGEST_LEASE)
}

/// Tells whether the lease of any session has run out.
pub(super) async fn any_dead(connection: &mut PgConnection, told: Option<i64>) -> Work<bool> {
    let sql = concat!("SELECT EXISTS (SELECT 1 FROM sessions WHERE lease_until <= ", clock!("$1"), ")");
    Ok(sqlx::query_scalar(sql).bind(told).fetch_one(connection).await?)
}

/// Takes the claims of all sessions whose lease has run out.
pub(super) async fn bury(connection: &mut PgConnection, inner: &Inner) -> Work<()> {
    let now = inner.now(connection).await?;
    let dead: Vec<Uuid> = sqlx::query_scalar(DEAD).bind(now.as_micros()).fetch_all(&mut *connection).await?;
    for session in &dead {
        tracing::info!(%session, "a session has died; its items are free again");
    }
    if dead.is_empty() { Ok(()) } else { end(connection, &dead, now).await }
}

/// Ends a session: its items are free, or cancelled with their job.
pub(super) async fn release(connection: &mut PgConnection, inner: &Inner, session: SessionId) -> Work<()> {
    let now = inner.now(connection).await?;
    sqlx::query("SELECT id FROM sessions WHERE id = $1 FOR UPDATE")
        .bind(session.as_uuid())
        .execute(&mut *connection)
        .await?;
    end(connection, &[session.as_uuid()], now).await
}

/// Frees what a session holds beside some items.
pub(super) async fn keep_only(
    connection: &mut PgConnection,
    inner: &Inner,
    session: SessionId,
    items: &[ItemId],
) -> Work<()> {
    let now = inner.now(connection).await?;
    let kept: Vec<Uuid> = items.iter().map(ItemId::as_uuid).collect();
    free(connection, &[session.as_uuid()], &kept, now).await
}

/// Ends sessions whose rows are locked.
async fn end(connection: &mut PgConnection, sessions: &[Uuid], now: Timestamp) -> Work<()> {
    free(connection, sessions, &[], now).await?;
    sqlx::query("DELETE FROM sessions WHERE id = ANY ($1)").bind(sessions).execute(connection).await?;
    Ok(())
}

async fn free(connection: &mut PgConnection, sessions: &[Uuid], kept: &[Uuid], now: Timestamp) -> Work<()> {
    let freed = sqlx::query(FREE).bind(sessions).bind(now.as_micros()).bind(kept).fetch_all(&mut *connection).await?;
    let mut changes = Changes::new();
    for row in &freed {
        let change = changes.entry(rows::job_id(row, 0)?).or_default();
        let leaves: i64 = row.try_get(2)?;
        let status: ItemStatus = rows::word(row, 1)?;
        if status == ItemStatus::Running {
            change.add(ItemStatus::Running, -leaves, 0);
            change.add(ItemStatus::Pending, leaves, 0);
        }
        change.free();
    }
    finish::finish(connection, &changes, now).await
}

/// Ends what sessions hold of a job that is cancelled.
pub(super) async fn take(connection: &mut PgConnection, job: JobId, now: Timestamp) -> Work<()> {
    let taken = sqlx::query(TAKE).bind(job.as_uuid()).bind(now.as_micros()).fetch_all(&mut *connection).await?;
    let mut changes = Changes::new();
    let change = changes.entry(job).or_default();
    for row in &taken {
        let leaves: i64 = row.try_get(1)?;
        // Their settled stages stay settled.
        change.add(rows::word(row, 0)?, -leaves, 0);
        change.add(ItemStatus::Cancelled, leaves, 0);
    }
    change.free();
    finish::finish(connection, &changes, now).await
}

/// Lists sessions; with a job, those that hold items of it or were started for it.
pub(super) async fn list(connection: &mut PgConnection, job: Option<JobId>) -> Work<Vec<SessionRecord>> {
    let rows = sqlx::query(LIST).bind(job.map(|job| job.as_uuid())).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(SessionRecord {
                id: SessionId::from_uuid(rows::uuid(row, 0)?),
                host: row.try_get(1)?,
                pid: rows::number(row, 2)?,
                focus: rows::maybe_uuid(row, 3)?.map(JobId::from_uuid),
                started_at: rows::time(row, 4)?,
                lease_until: rows::time(row, 5)?,
                claims: rows::number(row, 6)?,
            })
        })
        .collect()
}
