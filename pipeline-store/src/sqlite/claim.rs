//! Handing out work: jobs first, then their items, each by an index in claim order.

use std::collections::{BTreeSet, HashMap};

use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{ClaimRequest, Claimed, Claims};
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::store::Inner;
use super::{rows, sessions};

/// So many jobs are looked at in one go.
const JOBS: u32 = 16;

/// Jobs with something due, in the order they are served.
pub(super) const DUE_JOBS: &str = "SELECT id FROM jobs \
     WHERE ended_at IS NULL AND control = 'run' AND (?1 IS NULL OR id = ?1) AND EXISTS (\
     SELECT 1 FROM items WHERE items.job = jobs.id AND session IS NULL AND claimable_at <= ?2) \
     ORDER BY priority DESC, served_at, id LIMIT ?3";

/// Brings what has waited long enough into the range of what is due; each wait is moved once.
pub(super) const WAKE: &str = "UPDATE items SET claimable_at = 0 \
     WHERE job = ?1 AND session IS NULL AND claimable_at > 0 AND claimable_at <= ?2";

/// The first due items of a job.
pub(super) const PICK: &str = "SELECT id, unit FROM items \
     WHERE job = ?1 AND session IS NULL AND claimable_at = 0 ORDER BY ordinal, slot LIMIT ?2";

/// The due items of some units.
pub(super) const MATES: &str = "SELECT id FROM items \
     WHERE unit IN (SELECT value FROM json_each(?1)) AND session IS NULL AND claimable_at = 0 AND +job = ?2";

/// Hands items over.
pub(super) const TAKE: &str = concat!(
    "UPDATE items SET session = ?1, token = token + 1, updated_at = ?2 \
     WHERE id IN (SELECT value FROM json_each(?3)) RETURNING ",
    rows::item_columns!()
);

/// The earliest time something of an open job is due.
pub(super) const NEXT: &str = "SELECT min((SELECT claimable_at FROM items \
     WHERE items.job = jobs.id AND session IS NULL AND claimable_at IS NOT NULL ORDER BY claimable_at LIMIT 1)) \
     FROM jobs WHERE ended_at IS NULL AND control = 'run' AND (?1 IS NULL OR id = ?1)";

/// What a try to claim comes to.
pub(super) enum Answer {
    /// Work, or none.
    Claims(Claims),
    /// Nothing was done: there are dead sessions to bury first.
    Dead,
}

/// Hands out work.
pub(super) async fn claim(connection: &mut SqliteConnection, inner: &Inner, request: ClaimRequest) -> Work<Answer> {
    let look = inner.presence.is_due();
    if !sessions::dead(connection, inner, look).await?.is_empty() {
        return Ok(Answer::Dead);
    }
    let focus = sessions::focus(connection, request.session).await?;
    let only = match (request.job, focus) {
        (Some(job), Some(focus)) if job != focus => {
            return Ok(Answer::Claims(Claims { units: Vec::new(), next_at: None }));
        }
        (job, focus) => job.or(focus),
    };
    let now = inner.now();
    let units = hand_out(connection, request.session, request.limit as usize, only, now).await?;
    if units.is_empty() && !look && !sessions::dead(connection, inner, true).await?.is_empty() {
        return Ok(Answer::Dead);
    }
    let next: Option<i64> =
        sqlx::query_scalar(NEXT).bind(only.map(|job| job.to_string())).fetch_one(connection).await?;
    let next_at = next.map(|at| Timestamp::from_micros(at).max(now));
    Ok(Answer::Claims(Claims { units, next_at }))
}

async fn hand_out(
    connection: &mut SqliteConnection,
    session: SessionId,
    limit: usize,
    only: Option<JobId>,
    now: Timestamp,
) -> Work<Vec<Vec<Claimed>>> {
    let mut units = Vec::new();
    while units.len() < limit {
        let jobs = sqlx::query(DUE_JOBS)
            .bind(only.map(|job| job.to_string()))
            .bind(now.as_micros())
            .bind(JOBS)
            .fetch_all(&mut *connection)
            .await?;
        if jobs.is_empty() {
            break;
        }
        for row in &jobs {
            if units.len() < limit {
                serve(connection, session, rows::word(row, 0)?, limit, now, &mut units).await?;
            }
        }
    }
    Ok(units)
}

/// Hands out what is due of one job, until `units` has `limit`.
async fn serve(
    connection: &mut SqliteConnection,
    session: SessionId,
    job: JobId,
    limit: usize,
    now: Timestamp,
    units: &mut Vec<Vec<Claimed>>,
) -> Work<()> {
    sqlx::query(WAKE).bind(job.to_string()).bind(now.as_micros()).execute(&mut *connection).await?;
    let mut more = true;
    while more && units.len() < limit {
        let picked = pick(connection, job, limit - units.len()).await?;
        more = picked.more;
        units.extend(take(connection, session, &picked.items, now).await?);
    }
    sqlx::query(
        "UPDATE jobs SET started_at = coalesce(started_at, ?1), served_at = max(?1, served_at + 1) WHERE id = ?2",
    )
    .bind(now.as_micros())
    .bind(job.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

struct Picked {
    items: BTreeSet<ItemId>,
    more: bool,
}

/// Picks the first `want` units of a job, whole.
async fn pick(connection: &mut SqliteConnection, job: JobId, want: usize) -> Work<Picked> {
    // Some more rows than units, because the items of a unit stand side by side.
    let rows_wanted = want.saturating_add(16);
    let rows = sqlx::query(PICK)
        .bind(job.to_string())
        .bind(i64::try_from(rows_wanted).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
    let mut items = BTreeSet::new();
    let mut shared = BTreeSet::new();
    let mut count = 0;
    for row in &rows {
        let unit: Option<ItemId> = rows::maybe_word(row, 1)?;
        if unit.is_some_and(|unit| shared.contains(&unit)) {
            continue;
        }
        if count == want {
            break;
        }
        count += 1;
        match unit {
            Some(unit) => shared.insert(unit),
            None => items.insert(rows::word(row, 0)?),
        };
    }
    if !shared.is_empty() {
        let mates = sqlx::query(MATES).bind(rows::list(&shared)?).bind(job.to_string()).fetch_all(connection).await?;
        for row in &mates {
            items.insert(rows::word(row, 0)?);
        }
    }
    Ok(Picked { items, more: count < want && rows.len() == rows_wanted })
}

async fn take(
    connection: &mut SqliteConnection,
    session: SessionId,
    items: &BTreeSet<ItemId>,
    now: Timestamp,
) -> Work<Vec<Vec<Claimed>>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(TAKE)
        .bind(session.to_string())
        .bind(now.as_micros())
        .bind(rows::list(items)?)
        .fetch_all(connection)
        .await?;
    let mut taken = rows.iter().map(rows::claimed).collect::<Work<Vec<_>>>()?;
    taken.sort_by_key(|(claimed, _)| (claimed.item.ordinal, claimed.item.slot, claimed.item.id));
    let mut units: Vec<Vec<Claimed>> = Vec::new();
    let mut places = HashMap::new();
    for (claimed, unit) in taken {
        let place = *places.entry(unit.unwrap_or(claimed.item.id)).or_insert(units.len());
        match units.get_mut(place) {
            Some(unit) => unit.push(claimed),
            None => units.push(vec![claimed]),
        }
    }
    Ok(units)
}
