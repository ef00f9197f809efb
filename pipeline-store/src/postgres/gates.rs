//! The gates: what the calls say about them, closing and opening, and the switch that pauses everything.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::model::Limits;
use pipeline_core::storage::{Commit, GateKeeper, GateKey, GateLoad, GateRecord, NewItem, breaker_pause};
use pipeline_core::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::bell::Bell;
use super::fault::Work;
use super::store::{Begin, PostgresStore, clock};
use super::{locks, rows};

/// The columns [`read`] reads, in order, of `gates` at `clock.now`. Limits are counted over `RATE_WINDOW`, a minute.
macro_rules! load_columns {
    () => {
        "gates.key, gates.closed_until, gates.outages, gates.concurrency, gates.per_minute, \
         (SELECT count(*) FROM calls WHERE calls.gate = gates.key AND calls.state = 'open' \
         AND calls.deadline > clock.now), \
         CASE WHEN gates.per_minute IS NULL THEN '{}'::bigint[] ELSE ARRAY (SELECT opened_at FROM calls \
         WHERE calls.gate = gates.key AND opened_at > clock.now - 60000000 ORDER BY opened_at) END"
    };
}
pub(super) use load_columns;

/// Holds for a gate at `clock.now` that lets everything pass, without counting.
macro_rules! free {
    () => {
        "(gates.concurrency IS NULL AND gates.per_minute IS NULL AND gates.outages = 0 \
         AND (gates.closed_until IS NULL OR gates.closed_until <= clock.now))"
    };
}
pub(super) use free;

/// Tells whether all work of the store is paused.
macro_rules! paused {
    () => {
        "EXISTS (SELECT 1 FROM switches WHERE switches.name = 'paused' AND switches.on_)"
    };
}
pub(super) use paused;

pub(super) const LIST: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$1"),
    " AS now) SELECT ",
    load_columns!(),
    ", reason, (SELECT count(*) FROM turns JOIN items ON items.job = turns.job WHERE turns.open \
     AND items.gate = gates.key AND items.session IS NULL AND items.open AND items.claimable_at IS NOT NULL), clock.now \
     FROM clock CROSS JOIN gates ORDER BY gates.key"
);

const CLOSE: &str = "INSERT INTO gates (key, closed_until, reason) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE \
     SET closed_until = excluded.closed_until, reason = excluded.reason \
     WHERE gates.closed_until IS NULL OR gates.closed_until < excluded.closed_until";

/// Returns the gates that commits and their children come to, and those that their calls pass.
pub(super) fn named(commits: &[Commit]) -> impl Iterator<Item = &GateKey> {
    commits.iter().flat_map(|commit| {
        let passed = commit.calls.iter().filter_map(|call| call.gate.as_ref()).map(|pass| &pass.key);
        commit.gate.iter().chain(commit.children.iter().filter_map(|child| child.gate.as_ref())).chain(passed)
    })
}

/// Returns a gate as stored with an item.
pub(super) fn stored(gate: Option<&GateKey>) -> &str {
    gate.map_or("", GateKey::as_str)
}

/// Makes gates known, so that claims ask for them and calls find them.
pub(super) async fn know<'a>(connection: &mut PgConnection, keys: impl Iterator<Item = &'a GateKey>) -> Work<()> {
    let keys: BTreeSet<&str> = keys.map(GateKey::as_str).collect();
    if keys.is_empty() {
        return Ok(());
    }
    // In order, and none that is there already: that would take a number of a transaction for nothing.
    let sql = "INSERT INTO gates (key) SELECT given.key FROM unnest($1::text[]) WITH ORDINALITY AS given (key, place) \
               WHERE NOT EXISTS (SELECT 1 FROM gates WHERE gates.key = given.key) ORDER BY given.place \
               ON CONFLICT (key) DO NOTHING";
    sqlx::query(sql).bind(keys.into_iter().collect::<Vec<_>>()).execute(connection).await?;
    Ok(())
}

/// Makes the gates of new items known.
pub(super) async fn know_of(connection: &mut PgConnection, items: &[NewItem]) -> Work<()> {
    know(connection, items.iter().filter_map(|item| item.gate.as_ref())).await
}

/// Reads a gate from the columns that begin at `column`.
pub(super) fn read(row: &PgRow, column: usize) -> Work<(GateKey, GateLoad)> {
    let load = GateLoad {
        closed_until: rows::maybe_time(row, column + 1)?,
        outages: rows::number(row, column + 2)?,
        limits: limits(row, column + 3)?,
        open: rows::number(row, column + 5)?,
        recent: row.try_get::<Vec<i64>, _>(column + 6)?.into_iter().map(Timestamp::from_micros).collect(),
    };
    Ok((GateKey::new(row.try_get::<String, _>(column)?), load))
}

/// Reads limits from two columns.
pub(super) fn limits(row: &PgRow, column: usize) -> Work<Limits> {
    let limit =
        |column| row.try_get::<Option<i64>, _>(column).map(|most| most.and_then(|most| u32::try_from(most).ok()));
    Ok(Limits { concurrency: limit(column)?, per_minute: limit(column + 1)? })
}

/// Counts an outage of a provider whose gate is open; enough of them close it.
pub(super) async fn fail(connection: &mut PgConnection, key: &str, now: Timestamp) -> Work<()> {
    locks::gates(connection, &[key], &[true]).await?;
    let sql = "UPDATE gates SET outages = outages + 1 \
               WHERE key = $1 AND (closed_until IS NULL OR closed_until <= $2) RETURNING outages";
    let outages: Option<i64> =
        sqlx::query_scalar(sql).bind(key).bind(now.as_micros()).fetch_optional(&mut *connection).await?;
    let outages = outages.and_then(|outages| u32::try_from(outages).ok()).unwrap_or(0);
    match breaker_pause(outages) {
        Some(pause) => close(connection, key, pause, &format!("{outages} outages in a row"), now).await,
        None => Ok(()),
    }
}

/// Closes a gate whose lock is taken.
async fn close(connection: &mut PgConnection, key: &str, pause: Duration, reason: &str, now: Timestamp) -> Work<()> {
    sqlx::query(CLOSE).bind(key).bind(now.after(pause).as_micros()).bind(reason).execute(connection).await?;
    Ok(())
}

/// Stops all work of the store, or lets it go on.
pub(super) async fn pause(connection: &mut PgConnection, paused: bool) -> Work<()> {
    locks::pause(connection).await?;
    let sql =
        "INSERT INTO switches (name, on_) VALUES ('paused', $1) ON CONFLICT (name) DO UPDATE SET on_ = excluded.on_";
    sqlx::query(sql).bind(paused).execute(connection).await?;
    Ok(())
}

#[async_trait]
impl GateKeeper for PostgresStore {
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()> {
        self.write(Begin::Durable, (key, pause, reason.to_owned()), |connection, inner, (key, pause, reason)| {
            Box::pin(async move {
                locks::gates(connection, &[key.as_str()], &[true]).await?;
                let now = inner.now(connection).await?;
                close(connection, key.as_str(), *pause, reason, now).await
            })
        })
        .await
    }

    async fn open_gate(&self, key: GateKey) -> Result<()> {
        self.write(Begin::Durable, key, |connection, _, key| {
            Box::pin(async move {
                locks::gates(connection, &[key.as_str()], &[true]).await?;
                sqlx::query("UPDATE gates SET closed_until = NULL, reason = NULL, outages = 0 WHERE key = $1")
                    .bind(key.as_str())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await?;
        Bell::ring(&self.inner);
        Ok(())
    }

    async fn gates(&self) -> Result<Vec<GateRecord>> {
        self.read(self.inner.told(), |connection, told| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).bind(*told).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }
}

fn record(row: &PgRow) -> Work<GateRecord> {
    let (key, load) = read(row, 0)?;
    let now = rows::time(row, 9)?;
    let closed_until = load.closed_until.filter(|until| *until > now);
    let reason: Option<String> = row.try_get(7)?;
    Ok(GateRecord {
        key,
        closed_until,
        reason: closed_until.and(reason),
        limits: load.limits,
        open_calls: load.open,
        waiting: rows::number(row, 8)?,
        outages: load.outages,
    })
}

#[cfg(test)]
mod tests {
    use pipeline_core::storage::RATE_WINDOW;

    #[test]
    fn the_rate_is_counted_over_the_window_that_the_statement_says() {
        assert!(load_columns!().contains(&format!("clock.now - {} ", RATE_WINDOW.as_micros())));
    }
}
