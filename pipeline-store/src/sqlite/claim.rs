//! Handing out work: jobs first, then their items, each by an index in claim order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::model::Limits;
use pipeline_core::storage::{AGEING, ClaimRequest, Claimed, Claims, GateKey, LOOK_AGAIN};
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::store::Inner;
use super::{budgets, gates, rows, sessions};

/// So many jobs are looked at in one go.
const JOBS: u32 = 16;

/// Jobs with something due that may be handed out, in the order they are served. `?4` holds the gates with room. `+ 0`
/// hides the limit's value from the planner, which would make a new plan for each. Of a job whose budget is closed only
/// what comes to no gate counts.
pub(super) const DUE_JOBS: &str = concat!(
    "SELECT id, concurrency, ",
    budgets::closed!("jobs"),
    " FROM jobs \
     WHERE ended_at IS NULL AND control = 'run' AND (?1 IS NULL OR id = ?1) \
     AND (start_at IS NULL OR start_at <= ?2) \
     AND (key IS NULL OR started_at IS NOT NULL OR key_limit > (SELECT count(*) FROM jobs AS other \
     WHERE other.key = jobs.key AND other.ended_at IS NULL AND other.started_at IS NOT NULL)) \
     AND (concurrency IS NULL OR concurrency > (SELECT count(DISTINCT coalesce(unit, id)) FROM items \
     WHERE session IN (SELECT id FROM sessions) AND job = jobs.id)) \
     AND (EXISTS (SELECT 1 FROM items \
     WHERE items.job = jobs.id AND session IS NULL AND gate IS NULL AND claimable_at = 0) \
     OR EXISTS (SELECT 1 FROM items \
     WHERE items.job = jobs.id AND session IS NULL AND claimable_at > 0 AND claimable_at <= ?2) \
     OR EXISTS (SELECT 1 FROM json_each(?4) AS open CROSS JOIN items \
     WHERE items.job = jobs.id AND session IS NULL AND items.gate = open.value AND claimable_at = 0 \
     AND NOT ",
    budgets::closed!("jobs"),
    ")) ORDER BY priority + (?2 - served_at) / ?5 DESC, served_at, id LIMIT ?3 + 0"
);

/// The first due items of a job that come to no gate next, or to one gate.
pub(super) const PICK: &str = "SELECT id, unit, ordinal, slot FROM items \
     WHERE job = ?1 AND session IS NULL AND gate IS ?3 AND claimable_at = 0 ORDER BY ordinal, slot LIMIT ?2 + 0";

/// The due items of some units.
pub(super) const MATES: &str = "SELECT id FROM items \
     WHERE unit IN (SELECT value FROM json_each(?1)) AND session IS NULL AND claimable_at = 0 AND +job = ?2";

/// Hands items over.
pub(super) const TAKE: &str = concat!(
    "UPDATE items SET session = ?1, token = token + 1, updated_at = ?2 \
     WHERE id IN (SELECT value FROM json_each(?3)) RETURNING ",
    rows::item_columns!()
);

/// When time alone lets something more of the open jobs be handed out, when nothing could be: starts, waits, and what
/// is due but for its job's limits, where it is worth to look again (`?3`). A job that waits for its turn counts only while
/// one that has it can go on by itself. What waits for a budget does not count.
pub(super) const NEXT: &str = concat!(
    "SELECT min(at) FROM (\
     SELECT CASE WHEN start_at > ?2 THEN start_at \
     WHEN EXISTS (SELECT 1 FROM items WHERE items.job = jobs.id AND session IS NULL AND gate IS NULL \
     AND claimable_at = 0) THEN ?3 \
     ELSE (SELECT claimable_at FROM items WHERE items.job = jobs.id AND session IS NULL AND claimable_at > 0 \
     AND (gate IS NULL OR NOT ",
    budgets::closed!("jobs"),
    ") ORDER BY claimable_at LIMIT 1) END AS at \
     FROM jobs WHERE ended_at IS NULL AND control = 'run' AND (?1 IS NULL OR id = ?1) \
     AND (key IS NULL OR started_at IS NOT NULL OR start_at > ?2 OR key_limit > (SELECT count(*) FROM jobs AS other \
     WHERE other.key = jobs.key AND other.ended_at IS NULL AND other.started_at IS NOT NULL) \
     OR EXISTS (SELECT 1 FROM jobs AS other CROSS JOIN items WHERE other.key = jobs.key AND other.ended_at IS NULL \
     AND other.started_at IS NOT NULL AND items.job = other.id AND items.status IN ('pending', 'running', 'waiting') \
     AND (items.session IS NOT NULL OR (other.control = 'run' AND items.claimable_at IS NOT NULL \
     AND (items.gate IS NULL OR NOT ",
    budgets::closed!("other"),
    "))))))"
);

/// The gates that something due of an open job comes to next.
pub(super) const GATED: &str = concat!(
    "SELECT key FROM gates WHERE EXISTS (SELECT 1 FROM jobs CROSS JOIN items \
     WHERE ended_at IS NULL AND control = 'run' AND (?1 IS NULL OR jobs.id = ?1) AND (start_at IS NULL OR start_at <= ?2) \
     AND items.job = jobs.id AND session IS NULL AND items.gate = gates.key AND claimable_at = 0 \
     AND NOT ",
    budgets::closed!("jobs"),
    ")"
);

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
    let roll = sessions::roll(connection).await?;
    if !sessions::dead(&roll, inner, look).is_empty() {
        return Ok(Answer::Dead);
    }
    let only = match (request.job, sessions::focus(&roll, request.session)?) {
        (Some(job), Some(focus)) if job != focus => {
            return Ok(Answer::Claims(Claims { units: Vec::new(), next_at: None }));
        }
        (job, focus) => job.or(focus),
    };
    let now = inner.now();
    if roll.paused {
        return Ok(Answer::Claims(Claims { units: Vec::new(), next_at: None }));
    }
    let units = hand_out(connection, request.session, request.limit as usize, only, now).await?;
    if !units.is_empty() {
        return Ok(Answer::Claims(Claims { units, next_at: Some(now) }));
    }
    if !look && !sessions::dead(&roll, inner, true).is_empty() {
        return Ok(Answer::Dead);
    }
    let next_at = next_at(connection, only, now).await?;
    Ok(Answer::Claims(Claims { units, next_at }))
}

/// Returns when to look again, after nothing could be handed out.
async fn next_at(connection: &mut SqliteConnection, only: Option<JobId>, now: Timestamp) -> Work<Option<Timestamp>> {
    let again = now.after(LOOK_AGAIN);
    let timed: Option<i64> = sqlx::query_scalar(NEXT)
        .bind(only.map(|job| job.to_string()))
        .bind(now.as_micros())
        .bind(again.as_micros())
        .fetch_one(&mut *connection)
        .await?;
    let gated: Vec<String> = sqlx::query_scalar(GATED)
        .bind(only.map(|job| job.to_string()))
        .bind(now.as_micros())
        .fetch_all(&mut *connection)
        .await?;
    let mut next = timed.map(|at| Timestamp::from_micros(at).max(now));
    for key in gated {
        let load = gates::load(connection, &GateKey::new(key), now).await?;
        let at = load.opens_at(now).unwrap_or(again);
        next = Some(next.map_or(at, |next| next.min(at)));
    }
    Ok(next)
}

/// The gates that let something pass, with how much; `None` is without limit.
type Rooms = BTreeMap<String, Option<u64>>;

async fn rooms(connection: &mut SqliteConnection, now: Timestamp) -> Work<Rooms> {
    let mut rooms = Rooms::new();
    for (key, load, _) in gates::all(connection, None, now).await? {
        let held = if load.limits == Limits::default() { 0 } else { gates::held(connection, &key).await? };
        let room = load.room(now, held);
        if room != Some(0) {
            rooms.insert(key.as_str().to_owned(), room);
        }
    }
    Ok(rooms)
}

async fn hand_out(
    connection: &mut SqliteConnection,
    session: SessionId,
    limit: usize,
    only: Option<JobId>,
    now: Timestamp,
) -> Work<Vec<Vec<Claimed>>> {
    let mut units = Vec::new();
    let mut rooms = rooms(connection, now).await?;
    while units.len() < limit {
        let jobs = sqlx::query(DUE_JOBS)
            .bind(only.map(|job| job.to_string()))
            .bind(now.as_micros())
            .bind(JOBS)
            .bind(rows::list(rooms.keys())?)
            .bind(i64::try_from(AGEING.as_micros()).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        let before = units.len();
        for row in &jobs {
            if units.len() < limit {
                let job = Due { id: rows::word(row, 0)?, concurrency: row.try_get(1)?, unpaid: row.try_get(2)? };
                serve(connection, session, &job, limit, now, &mut rooms, &mut units).await?;
            }
        }
        if units.len() == before {
            break;
        }
    }
    Ok(units)
}

/// A job with something due.
struct Due {
    id: JobId,
    concurrency: Option<u32>,
    /// Paid work of it waits for a budget.
    unpaid: bool,
}

/// Marks a job as started and served, unless another one with its key has taken its turn since the jobs were listed, and
/// says whether it has started. What of it has waited long enough is due from here on.
pub(super) const SERVE: &str = "UPDATE jobs SET started_at = ?2 WHERE id = ?1 AND started_at IS NULL \
     AND (key IS NULL OR key_limit > (SELECT count(*) FROM jobs AS other WHERE other.key = jobs.key \
     AND other.ended_at IS NULL AND other.started_at IS NOT NULL)); \
     UPDATE jobs SET served_at = max(?2, served_at + 1) WHERE id = ?1 AND started_at IS NOT NULL; \
     UPDATE items SET claimable_at = 0 \
     WHERE job = ?1 AND session IS NULL AND claimable_at > 0 AND claimable_at <= ?2; \
     SELECT started_at IS NOT NULL FROM jobs WHERE id = ?1";

/// Hands out what is due of one job, until `units` has `limit`.
async fn serve(
    connection: &mut SqliteConnection,
    session: SessionId,
    job: &Due,
    limit: usize,
    now: Timestamp,
    rooms: &mut Rooms,
    units: &mut Vec<Vec<Claimed>>,
) -> Work<()> {
    let started: bool =
        sqlx::query_scalar(SERVE).bind(job.id.to_string()).bind(now.as_micros()).fetch_one(&mut *connection).await?;
    if !started {
        return Ok(());
    }
    let mut more = true;
    while more && units.len() < limit {
        let mut want = limit - units.len();
        if let Some(most) = job.concurrency {
            want = want.min(left(connection, job, most).await?);
        }
        let picked = pick(connection, job, want, rooms).await?;
        more = picked.more && !picked.items.is_empty();
        units.extend(take(connection, session, &picked.items, now).await?);
    }
    Ok(())
}

struct Picked {
    items: BTreeSet<ItemId>,
    more: bool,
}

/// One row of [`PICK`]: what stands first in claim order.
struct First {
    place: (u32, u32),
    unit: Result<ItemId, ItemId>,
    gate: Option<String>,
}

/// Picks the first `want` units of a job, whole, as far as its gates let them.
async fn pick(connection: &mut SqliteConnection, job: &Due, want: usize, rooms: &mut Rooms) -> Work<Picked> {
    // Some more rows than units, because the items of a unit stand side by side.
    let wanted = want.saturating_add(16);
    let mut firsts = Vec::new();
    let mut more = false;
    let open = rooms.keys().filter(|_| !job.unpaid).cloned().map(Some);
    let gates: Vec<Option<String>> = std::iter::once(None).chain(open).collect();
    for gate in gates {
        let rows = sqlx::query(PICK)
            .bind(job.id.to_string())
            .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
            .bind(gate.clone())
            .fetch_all(&mut *connection)
            .await?;
        more |= rows.len() == wanted;
        for row in &rows {
            let unit: Option<ItemId> = rows::maybe_word(row, 1)?;
            let unit = match unit {
                Some(unit) => Ok(unit),
                None => Err(rows::word(row, 0)?),
            };
            firsts.push(First { place: (rows::number(row, 2)?, rows::number(row, 3)?), unit, gate: gate.clone() });
        }
    }
    firsts.sort_by_key(|first| first.place);
    let mut chosen: Vec<Result<ItemId, ItemId>> = Vec::new();
    let mut seen = BTreeSet::new();
    for First { unit, gate, .. } in firsts {
        if chosen.len() == want {
            break;
        }
        if !seen.insert(unit) {
            continue;
        }
        match gate.map(|gate| rooms.get_mut(&gate)) {
            Some(None | Some(Some(0))) => continue,
            Some(Some(Some(left))) => *left -= 1,
            Some(Some(None)) | None => {}
        }
        chosen.push(unit);
    }
    rooms.retain(|_, room| *room != Some(0));
    let full = chosen.len() == want;
    let items = whole(connection, job, chosen).await?;
    Ok(Picked { items, more: more && !full })
}

/// Returns every due item of some units; `Err` is an item on its own.
async fn whole(
    connection: &mut SqliteConnection,
    job: &Due,
    chosen: Vec<Result<ItemId, ItemId>>,
) -> Work<BTreeSet<ItemId>> {
    let shared: Vec<ItemId> = chosen.iter().filter_map(|unit| unit.ok()).collect();
    let mut items: BTreeSet<ItemId> = chosen.into_iter().filter_map(Result::err).collect();
    if !shared.is_empty() {
        let rows = sqlx::query(MATES).bind(rows::list(&shared)?).bind(job.id.to_string()).fetch_all(connection).await?;
        for row in &rows {
            items.insert(rows::word(row, 0)?);
        }
    }
    Ok(items)
}

/// Returns how many more units of a job may be held.
async fn left(connection: &mut SqliteConnection, job: &Due, most: u32) -> Work<usize> {
    let held: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT coalesce(unit, id)) FROM items WHERE session IN (SELECT id FROM sessions) AND job = ?",
    )
    .bind(job.id.to_string())
    .fetch_one(connection)
    .await?;
    Ok((most as usize).saturating_sub(usize::try_from(held).unwrap_or(usize::MAX)))
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
