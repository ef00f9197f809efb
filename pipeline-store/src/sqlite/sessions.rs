//! Sessions: open, beat, close, and the burial of dead ones.

use std::collections::BTreeSet;
use std::time::Duration;

use pipeline_core::error::Error;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{Heartbeat, NewSession, SessionRecord};
use pipeline_core::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::store::Inner;
use super::{finish, gates, rows};

/// Registers a session.
pub(super) async fn open(
    connection: &mut SqliteConnection,
    session: &NewSession,
    locked: bool,
    now: Timestamp,
) -> Work<()> {
    sqlx::query(
        "INSERT INTO sessions (id, host, pid, focus, started_at, lease_until, locked) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(session.id.to_string())
    .bind(&session.host)
    .bind(session.pid)
    .bind(session.focus.map(|job| job.to_string()))
    .bind(now.as_micros())
    .bind(now.after(session.lease).as_micros())
    .bind(locked)
    .execute(connection)
    .await?;
    Ok(())
}

/// Extends a session's lease; `None` when it has run out.
pub(super) async fn beat(
    connection: &mut SqliteConnection,
    session: SessionId,
    lease: Duration,
    now: Timestamp,
) -> Work<Option<Heartbeat>> {
    let beaten = sqlx::query("UPDATE sessions SET lease_until = ? WHERE id = ? AND lease_until > ?")
        .bind(now.after(lease).as_micros())
        .bind(session.to_string())
        .bind(now.as_micros())
        .execute(&mut *connection)
        .await?;
    if beaten.rows_affected() == 0 {
        return Ok(None);
    }
    // A pause of everything is one of every job.
    let rows = sqlx::query(concat!(
        "SELECT id, iif(control = 'run', 'pause', control) FROM jobs WHERE id IN (SELECT job FROM items WHERE session = ?) \
         AND (control <> 'run' OR ",
        gates::paused!(),
        ") ORDER BY id"
    ))
    .bind(session.to_string())
    .fetch_all(connection)
    .await?;
    let controls = rows.iter().map(|row| Ok((rows::word(row, 0)?, rows::word(row, 1)?))).collect::<Work<_>>()?;
    Ok(Some(Heartbeat { alive: true, controls }))
}

/// What a claim asks before anything else.
pub(super) struct Roll {
    /// Whether all work of the store is paused.
    pub(super) paused: bool,
    sessions: Vec<Entry>,
}

/// A session: the only job it works on, if any, and what tells whether it lives.
struct Entry {
    id: SessionId,
    focus: Option<JobId>,
    lease_until: Timestamp,
    locked: bool,
}

/// Reads all sessions, and whether everything is paused.
pub(super) async fn roll(connection: &mut SqliteConnection) -> Work<Roll> {
    let rows = sqlx::query(concat!("SELECT id, focus, lease_until, locked, ", gates::paused!(), " FROM sessions"))
        .fetch_all(connection)
        .await?;
    let read = |row: &SqliteRow| {
        Ok(Entry {
            id: rows::word(row, 0)?,
            focus: rows::maybe_word(row, 1)?,
            lease_until: rows::time(row, 2)?,
            locked: row.try_get(3)?,
        })
    };
    let paused = rows.first().map(|row| row.try_get(4)).transpose()?.unwrap_or(false);
    Ok(Roll { paused, sessions: rows.iter().map(read).collect::<Work<_>>()? })
}

/// Returns the only job a session works on, if any; an error when the session has ended.
pub(super) fn focus(roll: &Roll, session: SessionId) -> Work<Option<JobId>> {
    let entry = roll.sessions.iter().find(|entry| entry.id == session);
    let ended = || Error::conflict("the session has ended").with("session", session);
    Ok(entry.ok_or_else(ended)?.focus)
}

/// Returns the sessions whose lease has run out, and with `look` those whose process has ended.
pub(super) fn dead(roll: &Roll, inner: &Inner, look: bool) -> Vec<SessionId> {
    let now = inner.now();
    let mut dead = Vec::new();
    for entry in &roll.sessions {
        let expired = entry.lease_until <= now;
        if expired || (look && entry.locked && inner.presence.is_gone(entry.id)) {
            tracing::info!(session = %entry.id, expired, "a session has died; its items are free again");
            dead.push(entry.id);
        }
    }
    dead
}

/// Takes the claims of all dead sessions.
pub(super) async fn bury(connection: &mut SqliteConnection, inner: &Inner) -> Work<()> {
    let dead = dead(&roll(connection).await?, inner, true);
    if dead.is_empty() { Ok(()) } else { release(connection, inner, &dead).await }
}

/// Ends sessions: their items are free, or cancelled with their job.
pub(super) async fn release(connection: &mut SqliteConnection, inner: &Inner, dead: &[SessionId]) -> Work<()> {
    free(connection, dead, &[], inner.now()).await?;
    sqlx::query("DELETE FROM sessions WHERE id IN (SELECT value FROM json_each(?))")
        .bind(rows::list(dead)?)
        .execute(connection)
        .await?;
    for session in dead {
        inner.presence.bury(*session);
    }
    Ok(())
}

/// Frees what sessions hold beside some items. What has a call without a known outcome goes on with that, and comes to no
/// gate.
pub(super) async fn free(
    connection: &mut SqliteConnection,
    sessions: &[SessionId],
    kept: &[ItemId],
    now: Timestamp,
) -> Work<()> {
    // What is held is always open: a commit that ends an item also gives it back.
    let freed = sqlx::query(
        "UPDATE items SET session = NULL, updated_at = ?2, \
         status = iif((SELECT control FROM jobs WHERE jobs.id = items.job) = 'cancel', 'cancelled', \
         iif(status = 'running', 'pending', status)), \
         claimable_at = iif((SELECT control FROM jobs WHERE jobs.id = items.job) = 'cancel', NULL, 0), \
         gate = iif(EXISTS (SELECT 1 FROM call_items JOIN calls ON calls.id = call_items.call \
         WHERE call_items.item = items.id AND calls.state IN ('open', 'unknown')), NULL, gate) \
         WHERE session IN (SELECT value FROM json_each(?1)) AND id NOT IN (SELECT value FROM json_each(?3)) RETURNING job",
    )
    .bind(rows::list(sessions)?)
    .bind(now.as_micros())
    .bind(rows::list(kept)?)
    .fetch_all(&mut *connection)
    .await?;
    let jobs = freed.iter().map(|row| rows::word(row, 0)).collect::<Work<BTreeSet<JobId>>>()?;
    finish::finish(connection, jobs, now).await
}

/// Lists sessions; with a job, those that hold items of it or were started for it.
pub(super) async fn list(connection: &mut SqliteConnection, job: Option<JobId>) -> Work<Vec<SessionRecord>> {
    let rows = sqlx::query(
        "SELECT id, host, pid, focus, started_at, lease_until, \
         (SELECT count(*) FROM items WHERE items.session = sessions.id) FROM sessions \
         WHERE ?1 IS NULL OR focus = ?1 \
         OR EXISTS (SELECT 1 FROM items WHERE items.session = sessions.id AND items.job = ?1) ORDER BY started_at, id",
    )
    .bind(job.map(|job| job.to_string()))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SessionRecord {
                id: rows::word(row, 0)?,
                host: row.try_get(1)?,
                pid: rows::number(row, 2)?,
                focus: rows::maybe_word(row, 3)?,
                started_at: rows::time(row, 4)?,
                lease_until: rows::time(row, 5)?,
                claims: rows::number(row, 6)?,
            })
        })
        .collect()
}
