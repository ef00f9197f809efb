//! The gates: what the calls say about them, closing and opening, and the switch that pauses everything.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::model::Limits;
use pipeline_core::storage::{GateKeeper, GateKey, GateLoad, GatePass, GateRecord, RATE_WINDOW, breaker_pause};
use pipeline_core::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;
use super::store::SqliteStore;

/// The calls that have passed a gate, are not settled, and are not beyond their deadline.
pub(super) const OPEN: &str = "SELECT count(*) FROM calls WHERE gate = ? AND state = 'open' AND deadline > ?";

/// When the intents of the last minute were written.
pub(super) const RECENT: &str = "SELECT opened_at FROM calls WHERE gate = ? AND opened_at > ? ORDER BY opened_at";

/// The items, or units of them, that sessions hold at a gate. Whoever holds one has a row in `sessions`.
pub(super) const HELD: &str = "SELECT count(DISTINCT coalesce(unit, id)) FROM items \
     WHERE session IN (SELECT id FROM sessions) AND gate = ?";

const COLUMNS: &str = "SELECT key, closed_until, outages, concurrency, per_minute, reason FROM gates ORDER BY key";

/// Whether all work of the store is paused.
macro_rules! paused {
    () => {
        "EXISTS (SELECT 1 FROM switches WHERE name = 'paused' AND on_ = 1)"
    };
}
pub(super) use paused;

/// Makes gates known, so that claims ask for them.
pub(super) async fn know<'a>(connection: &mut SqliteConnection, keys: impl Iterator<Item = &'a GateKey>) -> Work<()> {
    let keys: BTreeSet<&str> = keys.map(GateKey::as_str).collect();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query("INSERT INTO gates (key) SELECT value FROM json_each(?) WHERE true ON CONFLICT (key) DO NOTHING")
        .bind(serde_json::to_string(&keys)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers the limits a call declares.
pub(super) async fn declare(connection: &mut SqliteConnection, pass: &GatePass) -> Work<()> {
    sqlx::query(
        "INSERT INTO gates (key, concurrency, per_minute) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE \
         SET concurrency = ?2, per_minute = ?3 WHERE concurrency IS NOT ?2 OR per_minute IS NOT ?3",
    )
    .bind(pass.key.as_str())
    .bind(pass.limits.concurrency)
    .bind(pass.limits.per_minute)
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns what is known of a gate.
pub(super) async fn load(connection: &mut SqliteConnection, key: &GateKey, now: Timestamp) -> Work<GateLoad> {
    let all = all(connection, Some(key), now).await?;
    Ok(all.into_iter().next().map(|(_, load, _)| load).unwrap_or_default())
}

/// Returns what is known of every gate, or of one.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    only: Option<&GateKey>,
    now: Timestamp,
) -> Work<Vec<(GateKey, GateLoad, Option<String>)>> {
    let rows = sqlx::query(COLUMNS).fetch_all(&mut *connection).await?;
    let mut gates = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = GateKey::new(row.try_get::<String, _>(0)?);
        if only.is_none_or(|only| *only == key) {
            let mut load = read(row)?;
            load.open = sqlx::query_scalar::<_, i64>(OPEN)
                .bind(key.as_str().to_owned())
                .bind(now.as_micros())
                .fetch_one(&mut *connection)
                .await?
                .unsigned_abs();
            if load.limits.per_minute.is_some() {
                let since = now.as_micros() - i64::try_from(RATE_WINDOW.as_micros()).unwrap_or(0);
                let times: Vec<i64> = sqlx::query_scalar(RECENT)
                    .bind(key.as_str().to_owned())
                    .bind(since)
                    .fetch_all(&mut *connection)
                    .await?;
                load.recent = times.into_iter().map(Timestamp::from_micros).collect();
            }
            gates.push((key, load, row.try_get(5)?));
        }
    }
    Ok(gates)
}

fn read(row: &SqliteRow) -> Work<GateLoad> {
    let limit =
        |column| row.try_get::<Option<i64>, _>(column).map(|most| most.and_then(|most| u32::try_from(most).ok()));
    Ok(GateLoad {
        closed_until: rows::maybe_time(row, 1)?,
        outages: rows::number(row, 2)?,
        limits: Limits { concurrency: limit(3)?, per_minute: limit(4)? },
        open: 0,
        recent: Vec::new(),
    })
}

/// Returns how many items, or units of them, sessions hold at a gate.
pub(super) async fn held(connection: &mut SqliteConnection, key: &GateKey) -> Work<u64> {
    let held: i64 = sqlx::query_scalar(HELD).bind(key.as_str().to_owned()).fetch_one(connection).await?;
    Ok(held.unsigned_abs())
}

/// Counts an answer of a provider, or that there was none.
pub(super) async fn heard(connection: &mut SqliteConnection, key: &GateKey, outage: bool, now: Timestamp) -> Work<()> {
    if !outage {
        sqlx::query("UPDATE gates SET outages = 0 WHERE key = ? AND outages > 0")
            .bind(key.as_str())
            .execute(connection)
            .await?;
        return Ok(());
    }
    let sql = "UPDATE gates SET outages = outages + 1 \
               WHERE key = ? AND (closed_until IS NULL OR closed_until <= ?) RETURNING outages";
    let outages: u32 = sqlx::query_scalar(sql)
        .bind(key.as_str())
        .bind(now.as_micros())
        .fetch_optional(&mut *connection)
        .await?
        .unwrap_or(0);
    match breaker_pause(outages) {
        Some(pause) => close(connection, key, pause, &format!("{outages} outages in a row"), now).await,
        None => Ok(()),
    }
}

async fn close(
    connection: &mut SqliteConnection,
    key: &GateKey,
    pause: Duration,
    reason: &str,
    now: Timestamp,
) -> Work<()> {
    sqlx::query(
        "INSERT INTO gates (key, closed_until, reason) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE \
         SET closed_until = ?2, reason = ?3 WHERE closed_until IS NULL OR closed_until < ?2",
    )
    .bind(key.as_str())
    .bind(now.after(pause).as_micros())
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// Tells whether all work of the store is paused.
pub(super) async fn is_paused(connection: &mut SqliteConnection) -> Work<bool> {
    Ok(sqlx::query_scalar(concat!("SELECT ", paused!())).fetch_one(connection).await?)
}

/// Stops all work of the store, or lets it go on.
pub(super) async fn pause(connection: &mut SqliteConnection, paused: bool) -> Work<()> {
    sqlx::query("INSERT INTO switches (name, on_) VALUES ('paused', ?1) ON CONFLICT (name) DO UPDATE SET on_ = ?1")
        .bind(paused)
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl GateKeeper for SqliteStore {
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()> {
        let reason = reason.to_owned();
        self.write(move |connection, inner| {
            Box::pin(async move { close(connection, &key, pause, &reason, inner.now()).await })
        })
        .await
    }

    async fn open_gate(&self, key: GateKey) -> Result<()> {
        self.write(move |connection, _| {
            Box::pin(async move {
                sqlx::query("UPDATE gates SET closed_until = NULL, reason = NULL, outages = 0 WHERE key = ?")
                    .bind(key.as_str())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    async fn gates(&self) -> Result<Vec<GateRecord>> {
        let now = self.inner.now();
        self.read(move |connection| {
            Box::pin(async move {
                let mut records = Vec::new();
                for (key, load, reason) in all(connection, None, now).await? {
                    let waiting: i64 = sqlx::query_scalar(
                        "SELECT count(*) FROM jobs JOIN items ON items.job = jobs.id WHERE jobs.ended_at IS NULL \
                         AND items.gate = ? AND items.session IS NULL AND items.claimable_at IS NOT NULL",
                    )
                    .bind(key.as_str().to_owned())
                    .fetch_one(&mut *connection)
                    .await?;
                    let closed_until = load.closed_until.filter(|until| *until > now);
                    records.push(GateRecord {
                        key,
                        closed_until,
                        reason: closed_until.and(reason),
                        limits: load.limits,
                        open_calls: load.open,
                        waiting: waiting.unsigned_abs(),
                        outages: load.outages,
                    });
                }
                Ok(records)
            })
        })
        .await
    }
}
