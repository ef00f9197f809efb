//! Handing out work: jobs first, then their items, each by an index in claim order.

use std::collections::HashMap;

use pipeline_core::error::Error;
use pipeline_core::id::{JobId, SessionId};
use pipeline_core::storage::{ClaimRequest, Claimed, Claims};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::rows;
use super::store::{Inner, clock};

/// So many jobs are looked at in one go.
const JOBS: i64 = 16;

/// The time, whether a session is dead, the asking session (locked, so that nobody buries it meanwhile), and jobs with
/// something due, in the order they are served, with whether something of them has to be woken first. `OFFSET 0` has
/// each job looked up on its own, instead of all that is due first.
pub(super) const LOOK: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$2"),
    " AS now), me AS MATERIALIZED (SELECT id, focus FROM sessions WHERE id = $1 FOR KEY SHARE) \
     SELECT clock.now, EXISTS (SELECT 1 FROM sessions WHERE lease_until <= clock.now), me.id, me.focus, turn.job, \
     turn.waking FROM clock LEFT JOIN me ON true LEFT JOIN LATERAL (SELECT turns.job, EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at > 0 AND claimable_at <= clock.now OFFSET 0) \
     AS waking FROM turns WHERE eligible AND ($3::uuid IS NULL OR turns.job = $3) \
     AND (me.focus IS NULL OR turns.job = me.focus) AND EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at <= clock.now OFFSET 0) \
     ORDER BY priority DESC, served_at, turns.job LIMIT $4) AS turn ON true"
);

/// Brings what has waited long enough into the range of what is due; each wait is moved once.
pub(super) const WAKE: &str = "WITH over AS MATERIALIZED (SELECT id FROM items WHERE job = $1 AND session IS NULL AND open \
     AND claimable_at > 0 AND claimable_at <= $2 ORDER BY claimable_at FOR UPDATE SKIP LOCKED) \
     UPDATE items SET claimable_at = 0 FROM over WHERE items.id = over.id";

/// Hands over the first units that are due of a job, whole.
///
/// Whoever looks at an item of a unit first takes the advisory lock of that unit, and passes it by when another claim has
/// it; so the mates of a unit are never locked by two claims.
///
/// The token follows the clock: this commit does not wait for the disk, and a server that crashes and forgets it must not
/// give the same token to the next claim.
pub(super) const TAKE: &str = concat!(
    "WITH found AS MATERIALIZED (SELECT id, unit, ordinal, slot FROM items WHERE job = $1 AND claimable_at = 0 \
     AND session IS NULL AND open AND (unit IS NULL OR pg_try_advisory_xact_lock(uuid_hash_extended(unit, 7305))) \
     ORDER BY ordinal, slot LIMIT $4 FOR UPDATE SKIP LOCKED), \
     picked AS MATERIALIZED (SELECT unit, array_agg(id) AS ids FROM found GROUP BY coalesce(unit, id), unit \
     ORDER BY min(ARRAY[ordinal, slot]) LIMIT $5), \
     wanted AS MATERIALIZED (SELECT unnest(ids) AS id FROM picked WHERE unit IS NULL UNION ALL \
     SELECT mate.id FROM picked CROSS JOIN LATERAL (SELECT items.id FROM items WHERE items.unit = picked.unit \
     AND items.job = $1 AND claimable_at <= $3 AND session IS NULL AND open FOR UPDATE) AS mate \
     WHERE picked.unit IS NOT NULL) \
     UPDATE items SET session = $2, updated_at = $3, \
     token = greatest(token + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
     FROM wanted JOIN item_inputs ON item_inputs.item = wanted.id WHERE items.id = wanted.id RETURNING ",
    rows::item_columns!()
);

/// Notes that jobs were served, and tells the earliest time something of an open job is due: now, when the claim is full.
pub(super) const SERVED: &str = "WITH mine AS MATERIALIZED (SELECT job FROM turns WHERE job = ANY ($1) ORDER BY job \
     FOR NO KEY UPDATE), served AS (UPDATE turns SET served_at = greatest($2, served_at + 1), \
     started_at = coalesce(started_at, $2) FROM mine WHERE turns.job = mine.job) \
     SELECT CASE WHEN $5 THEN $2 ELSE (SELECT min((SELECT claimable_at FROM items WHERE items.job = turns.job \
     AND session IS NULL AND open AND claimable_at IS NOT NULL ORDER BY claimable_at LIMIT 1)) FROM turns \
     WHERE eligible AND ($3::uuid IS NULL OR job = $3) AND ($4::uuid IS NULL OR job = $4)) END";

/// What a try to claim comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// Work, or none.
    Claims(Claims),
    /// Nothing was done: there are dead sessions to bury first.
    Dead,
}

/// What a claim sees when it begins.
struct View {
    now: Timestamp,
    focus: Option<Uuid>,
    jobs: Vec<(JobId, bool)>,
}

/// Hands out work.
pub(super) async fn claim(connection: &mut PgConnection, inner: &Inner, request: &ClaimRequest) -> Work<Answer> {
    let limit = request.limit as usize;
    let (mut units, mut served) = (Vec::new(), Vec::new());
    let Some(mut view) = look(connection, inner.told(), request).await? else { return Ok(Answer::Dead) };
    while units.len() < limit && !view.jobs.is_empty() {
        let before = units.len();
        for (job, waking) in &view.jobs {
            if units.len() == limit {
                break;
            }
            let first = units.len();
            if *waking {
                sqlx::query(WAKE).bind(job.as_uuid()).bind(view.now.as_micros()).execute(&mut *connection).await?;
            }
            take(connection, request.session, *job, limit, view.now, &mut units).await?;
            if units.len() > first {
                served.push(job.as_uuid());
            }
        }
        // Fewer jobs than fit: there are no more. None served: others are at them right now.
        if view.jobs.len() < JOBS as usize || units.len() == before || units.len() == limit {
            break;
        }
        let now = Some(view.now.as_micros());
        view = look(connection, now, request).await?.unwrap_or(View { jobs: Vec::new(), ..view });
    }
    let full = limit > 0 && units.len() >= limit;
    let next: Option<i64> = sqlx::query_scalar(SERVED)
        .bind(served)
        .bind(view.now.as_micros())
        .bind(request.job.map(|job| job.as_uuid()))
        .bind(view.focus)
        .bind(full)
        .fetch_one(connection)
        .await?;
    let next_at = next.map(|at| Timestamp::from_micros(at).max(view.now));
    Ok(Answer::Claims(Claims { units, next_at }))
}

/// Looks around; `None` when there are dead sessions.
async fn look(connection: &mut PgConnection, now: Option<i64>, request: &ClaimRequest) -> Work<Option<View>> {
    let rows = sqlx::query(LOOK)
        .bind(request.session.as_uuid())
        .bind(now)
        .bind(request.job.map(|job| job.as_uuid()))
        .bind(JOBS)
        .fetch_all(connection)
        .await?;
    let head = rows.first().ok_or_else(|| Error::unexpected("the store told no time"))?;
    if head.try_get(1)? {
        return Ok(None);
    }
    if rows::maybe_uuid(head, 2)?.is_none() {
        return Err(Error::conflict("the session has ended").with("session", request.session).into());
    }
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(job) = rows::maybe_uuid(row, 4)? {
            jobs.push((JobId::from_uuid(job), row.try_get(5)?));
        }
    }
    Ok(Some(View { now: rows::time(head, 0)?, focus: rows::maybe_uuid(head, 3)?, jobs }))
}

/// Hands out what is due of one job, until `units` has `limit`.
async fn take(
    connection: &mut PgConnection,
    session: SessionId,
    job: JobId,
    limit: usize,
    now: Timestamp,
    units: &mut Vec<Vec<Claimed>>,
) -> Work<()> {
    // How many items a unit has, as far as seen: so many more rows are looked at than units are wanted.
    let mut size = 1;
    while units.len() < limit {
        let want = limit - units.len();
        let look = want.saturating_mul(size);
        let rows = sqlx::query(TAKE)
            .bind(job.as_uuid())
            .bind(session.as_uuid())
            .bind(now.as_micros())
            .bind(i64::try_from(look).unwrap_or(i64::MAX))
            .bind(i64::try_from(want).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        if rows.is_empty() {
            break;
        }
        let mut taken = rows.iter().map(rows::claimed).collect::<Work<Vec<_>>>()?;
        taken.sort_by_key(|(claimed, _)| (claimed.item.ordinal, claimed.item.slot, claimed.item.id));
        let first = units.len();
        let mut places = HashMap::new();
        for (claimed, unit) in taken {
            let place = *places.entry(unit.unwrap_or(claimed.item.id)).or_insert(units.len());
            match units.get_mut(place) {
                Some(unit) => unit.push(claimed),
                None => units.push(vec![claimed]),
            }
        }
        // Fewer rows than looked for: there are no more.
        if rows.len() < look {
            break;
        }
        size = rows.len().div_ceil((units.len() - first).max(1));
    }
    Ok(())
}
