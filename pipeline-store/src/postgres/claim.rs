//! Handing out work: jobs first, then their items, each by an index in claim order.
//!
//! Limits hold over all processes: of the jobs with one key, in a job with a limit of its own, and at a gate with limits,
//! one claim at a time hands out. Another one that comes meanwhile passes by, and looks again soon.

use std::collections::{BTreeMap, HashMap};

use pipeline_core::error::Error;
use pipeline_core::id::{JobId, SessionId};
use pipeline_core::storage::{AGEING, ClaimRequest, Claimed, Claims, GateLoad, LOOK_AGAIN};
use pipeline_core::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::store::{Inner, clock};
use super::{budgets, gates, locks, rows};

/// So many jobs are looked at in one go.
const JOBS: i64 = 16;

/// How many open jobs with the key of `turns` have been started.
macro_rules! started {
    () => {
        "(SELECT count(*) FROM turns AS other WHERE other.key = turns.key AND other.open \
         AND other.started_at IS NOT NULL)"
    };
}

/// Holds for a job of `turns` of which something is due at a gate of `room`, or at none. Each gate is looked up on its own:
/// what is due at a closed one costs nothing, however much it is. Of a job whose budget is closed only what comes to no gate
/// counts.
macro_rules! due {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM room WHERE (room.gate = '' OR NOT ",
            budgets::unpaid!("turns"),
            ") AND EXISTS (SELECT 1 FROM items WHERE items.job = turns.job \
             AND items.gate = room.gate AND session IS NULL AND items.open AND claimable_at = 0 OFFSET 0) OFFSET 0)"
        )
    };
}

/// How many items of a job, or units of them, are held. Whoever holds one has a row in `sessions`.
macro_rules! held {
    ($job:literal) => {
        concat!(
            "(SELECT count(DISTINCT coalesce(unit, id)) FROM items WHERE session IN (SELECT id FROM sessions) \
             AND items.job = ",
            $job,
            ")"
        )
    };
}

/// The time, whether a session is dead, the asking session (locked, so that nobody buries it meanwhile), whether
/// everything is paused, whether there are gates where something must be counted, those that have room, and jobs with something due that may be
/// handed out, in the order they are served, with whether something of them has to be woken first.
///
/// `$5` holds the gates with room among those that were counted. The turns are sorted before anything else of them is
/// looked at, and `OFFSET 0` has each job looked up on its own, until there are enough.
pub(super) const LOOK: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$2"),
    " AS now, ",
    gates::paused!(),
    " AS paused), me AS MATERIALIZED (SELECT id, focus FROM sessions WHERE id = $1 FOR KEY SHARE), \
     room AS MATERIALIZED (SELECT '' AS gate UNION ALL SELECT gates.key FROM gates CROSS JOIN clock WHERE ",
    gates::free!(),
    " UNION ALL SELECT unnest($5::text[])), ",
    budgets::shut!(),
    " SELECT clock.now, EXISTS (SELECT 1 FROM sessions WHERE lease_until <= clock.now), me.id, me.focus, clock.paused, \
     EXISTS (SELECT 1 FROM gates WHERE NOT ",
    gates::free!(),
    "), ARRAY (SELECT gate FROM room), turn.job, turn.waking, turn.concurrency, turn.key, turn.unpaid \
     FROM clock LEFT JOIN me ON true LEFT JOIN LATERAL (SELECT turns.*, EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at > 0 AND claimable_at <= clock.now OFFSET 0) \
     AS waking, ",
    budgets::unpaid!("turns"),
    " AS unpaid FROM (SELECT job, concurrency, key, key_limit, started_at, served_at, \
     priority + (clock.now - served_at) / $6 AS rank FROM turns WHERE eligible AND NOT clock.paused \
     AND ($3::uuid IS NULL OR job = $3) AND (me.focus IS NULL OR job = me.focus) \
     AND (start_at IS NULL OR start_at <= clock.now) ORDER BY rank DESC, served_at, job OFFSET 0) AS turns \
     WHERE (turns.key IS NULL OR turns.started_at IS NOT NULL OR turns.key_limit > ",
    started!(),
    ") AND (turns.concurrency IS NULL OR turns.concurrency > ",
    held!("turns.job"),
    ") AND (",
    due!(),
    " OR EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at > 0 AND claimable_at <= clock.now OFFSET 0)) \
     ORDER BY turns.rank DESC, turns.served_at, turns.job LIMIT $4) AS turn ON true"
);

/// What is known of the gates where something must be counted, and how many items, or units of them, are held there.
pub(super) const GATES: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT $1::bigint AS now) SELECT ",
    gates::load_columns!(),
    ", (SELECT count(DISTINCT coalesce(unit, id)) FROM items WHERE session IN (SELECT id FROM sessions) \
     AND items.gate = gates.key) FROM clock CROSS JOIN gates WHERE NOT ",
    gates::free!()
);

/// The keys of those.
const STRICT: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT $1::bigint AS now) SELECT gates.key FROM clock CROSS JOIN gates WHERE NOT ",
    gates::free!()
);

/// Whether a job with a key may be worked on, when `$2` others with the key are about to be started here.
const MAY_START: &str = concat!(
    "SELECT started_at IS NOT NULL OR key_limit > $2 + ",
    started!(),
    ", started_at IS NOT NULL FROM turns WHERE job = $1 AND eligible"
);

/// Brings what has waited long enough into the range of what is due; each wait is moved once.
pub(super) const WAKE: &str = "WITH over AS MATERIALIZED (SELECT id FROM items WHERE job = $1 AND session IS NULL AND open \
     AND claimable_at > 0 AND claimable_at <= $2 ORDER BY claimable_at FOR UPDATE SKIP LOCKED) \
     UPDATE items SET claimable_at = 0 FROM over WHERE items.id = over.id";

/// Hands over the first `$5` units that are due of a job at some gates, whole; `$3` of them at each at most, and looking at
/// `$4` items of each.
///
/// Whoever looks at an item of a unit first takes the advisory lock of that unit, and passes it by when another claim has
/// it; so the mates of a unit are never locked by two claims.
///
/// The token follows the clock: this commit does not wait for the disk, and a server that crashes and forgets it must not
/// give the same token to the next claim.
pub(super) const TAKE: &str = concat!(
    "WITH room AS MATERIALIZED (SELECT * FROM unnest($2::text[], $3::bigint[]) AS room (gate, most)), \
     found AS MATERIALIZED (SELECT due.*, room.gate, room.most FROM room CROSS JOIN LATERAL (\
     SELECT id, unit, ordinal, slot, token FROM items WHERE job = $1 AND items.gate = room.gate AND claimable_at = 0 \
     AND session IS NULL AND open AND (unit IS NULL OR pg_try_advisory_xact_lock(uuid_hash_extended(unit, 7305))) \
     ORDER BY ordinal, slot LIMIT $4 FOR UPDATE SKIP LOCKED) AS due), \
     units AS MATERIALIZED (SELECT unit, array_agg(id) AS ids, bool_and(token = 0) AS first, min(ARRAY[ordinal, slot]) AS place, \
     (array_agg(gate ORDER BY ordinal, slot))[1] AS gate, (array_agg(most ORDER BY ordinal, slot))[1] AS most \
     FROM found GROUP BY coalesce(unit, id), unit), \
     ranked AS MATERIALIZED (SELECT units.*, row_number() OVER (PARTITION BY gate ORDER BY place) AS nth FROM units), \
     picked AS MATERIALIZED (SELECT unit, ids, first, gate FROM ranked WHERE most IS NULL OR nth <= most \
     ORDER BY place LIMIT $5), \
     wanted AS MATERIALIZED (SELECT unnest(ids) AS id, first, gate FROM picked WHERE unit IS NULL UNION ALL \
     SELECT mate.id, mate.token = 0, picked.gate FROM picked CROSS JOIN LATERAL (SELECT items.id, items.token FROM items \
     WHERE items.unit = picked.unit AND items.job = $1 AND claimable_at <= $6 AND session IS NULL AND open \
     FOR UPDATE) AS mate WHERE picked.unit IS NOT NULL) \
     UPDATE items SET session = $7, updated_at = $6, \
     token = greatest(token + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
     FROM wanted JOIN item_inputs ON item_inputs.item = wanted.id WHERE items.id = wanted.id RETURNING ",
    rows::item_columns!(),
    ", wanted.first, wanted.gate"
);

/// Notes that jobs were served, and tells the earliest time something of an open job is due, and which gates are in the
/// way of what is due: now, and none, when the claim is full. Where others are in the way it is worth to look again (`$6`).
pub(super) const SERVED: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT $2::bigint AS now), mine AS MATERIALIZED (SELECT job FROM turns \
     WHERE job = ANY ($1) ORDER BY job FOR NO KEY UPDATE), \
     served AS (UPDATE turns SET served_at = greatest($2, served_at + 1), \
     started_at = coalesce(started_at, $2) FROM mine WHERE turns.job = mine.job), \
     room AS MATERIALIZED (SELECT '' AS gate UNION ALL SELECT gates.key FROM gates CROSS JOIN clock WHERE ",
    gates::free!(),
    "), ",
    budgets::shut!(),
    " SELECT CASE WHEN $5 THEN $2 ELSE (SELECT min(CASE WHEN start_at > $2 THEN start_at ELSE least(\
     (SELECT claimable_at FROM items WHERE items.job = turns.job AND session IS NULL AND open AND claimable_at > 0 \
     AND (items.gate = '' OR NOT ",
    budgets::unpaid!("turns"),
    ") ORDER BY claimable_at LIMIT 1), CASE WHEN ",
    due!(),
    " THEN CASE WHEN concurrency IS NULL AND (key IS NULL OR started_at IS NOT NULL) THEN $2 ELSE $6 END END) END) \
     FROM turns WHERE eligible AND ($3::uuid IS NULL OR job = $3) AND ($4::uuid IS NULL OR job = $4) \
     AND (key IS NULL OR started_at IS NOT NULL OR start_at > $2 OR key_limit > ",
    started!(),
    " OR EXISTS (SELECT 1 FROM turns AS other CROSS JOIN items WHERE other.key = turns.key AND other.open \
     AND other.started_at IS NOT NULL AND items.job = other.job AND items.open \
     AND (items.session IS NOT NULL OR (other.eligible AND items.claimable_at IS NOT NULL \
     AND (items.gate = '' OR NOT ",
    budgets::unpaid!("other"),
    ")))))) END, \
     CASE WHEN $5 THEN '{}'::text[] ELSE ARRAY (SELECT gates.key FROM clock CROSS JOIN gates WHERE NOT ",
    gates::free!(),
    " AND EXISTS (SELECT 1 FROM turns WHERE eligible AND (start_at IS NULL OR start_at <= $2) \
     AND ($3::uuid IS NULL OR turns.job = $3) AND ($4::uuid IS NULL OR turns.job = $4) AND NOT ",
    budgets::unpaid!("turns"),
    " AND EXISTS (SELECT 1 FROM items \
     WHERE items.job = turns.job AND items.gate = gates.key AND session IS NULL AND items.open AND claimable_at = 0 \
     OFFSET 0) OFFSET 0)) END"
);

/// What a try to claim comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// Work, or none.
    Claims(Claims),
    /// Nothing was done: there are dead sessions to bury first.
    Dead,
}

/// What a claim sees when it looks around.
struct View {
    now: Timestamp,
    focus: Option<Uuid>,
    paused: bool,
    /// There are gates where something must be counted.
    strict: bool,
    /// The gates of which something may be handed out.
    room: Vec<String>,
    jobs: Vec<Due>,
}

/// A job with something due.
struct Due {
    id: JobId,
    waking: bool,
    concurrency: Option<i64>,
    key: Option<String>,
    /// Paid work of it waits for a budget.
    unpaid: bool,
}

/// The gates that let something pass, with how many units; `None` is without limit. One without a name is for what comes
/// to no gate.
type Rooms = BTreeMap<String, Option<i64>>;

/// One claim.
struct Claim<'c> {
    session: SessionId,
    limit: usize,
    now: Timestamp,
    rooms: Rooms,
    /// How many jobs of a key this claim has started.
    started: HashMap<String, i64>,
    connection: &'c mut PgConnection,
    units: Vec<Vec<Claimed>>,
    served: Vec<Uuid>,
}

/// Hands out work.
pub(super) async fn claim(connection: &mut PgConnection, inner: &Inner, request: &ClaimRequest) -> Work<Answer> {
    let Some(mut view) = look(connection, inner.told(), request, &[]).await? else { return Ok(Answer::Dead) };
    if view.paused {
        return Ok(Answer::Claims(Claims { units: Vec::new(), next_at: None }));
    }
    let (now, focus) = (view.now, view.focus);
    let mut loads = HashMap::new();
    let mut rooms: Rooms = view.room.drain(..).map(|key| (key, None)).collect();
    if view.strict {
        let counted;
        (loads, counted) = count(connection, now).await?;
        if !counted.is_empty() {
            let with_room: Vec<&str> = counted.keys().map(String::as_str).collect();
            let again = look(connection, Some(now.as_micros()), request, &with_room).await?;
            view = again.unwrap_or(View { jobs: Vec::new(), ..view });
            rooms.extend(counted);
        }
    }
    let mut claim = Claim {
        session: request.session,
        limit: request.limit as usize,
        now,
        rooms,
        started: HashMap::new(),
        connection,
        units: Vec::new(),
        served: Vec::new(),
    };
    while !claim.is_full() && !view.jobs.is_empty() {
        let before = claim.units.len();
        let mut woken = false;
        for job in &view.jobs {
            if !claim.is_full() {
                claim.serve(job).await?;
                woken |= job.waking;
            }
        }
        // Fewer jobs than fit: there are no more. None served: others are at them right now.
        let idle = claim.units.len() == before && !woken;
        if view.jobs.len() < JOBS as usize || idle || claim.is_full() {
            break;
        }
        let counted: Vec<&str> =
            claim.rooms.keys().map(String::as_str).filter(|key| loads.contains_key(*key)).collect();
        let again = look(claim.connection, Some(now.as_micros()), request, &counted).await?;
        view = again.unwrap_or(View { jobs: Vec::new(), ..view });
    }
    let full = claim.limit > 0 && claim.is_full();
    let again = now.after(LOOK_AGAIN);
    let row = sqlx::query(SERVED)
        .bind(claim.served)
        .bind(now.as_micros())
        .bind(request.job.map(|job| job.as_uuid()))
        .bind(focus)
        .bind(full)
        .bind(again.as_micros())
        .fetch_one(claim.connection)
        .await?;
    let timed = rows::maybe_time(&row, 0)?.map(|at| at.max(now));
    let shut = row.try_get::<Vec<String>, _>(1)?;
    let opens = shut.iter().map(|key| loads.get(key).and_then(|load| load.opens_at(now)).unwrap_or(again));
    Ok(Answer::Claims(Claims { units: claim.units, next_at: opens.chain(timed).min() }))
}

/// Looks around; `None` when there are dead sessions.
async fn look(
    connection: &mut PgConnection,
    now: Option<i64>,
    request: &ClaimRequest,
    with_room: &[&str],
) -> Work<Option<View>> {
    let rows = sqlx::query(LOOK)
        .bind(request.session.as_uuid())
        .bind(now)
        .bind(request.job.map(|job| job.as_uuid()))
        .bind(JOBS)
        .bind(with_room)
        .bind(i64::try_from(AGEING.as_micros()).unwrap_or(i64::MAX))
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
        if let Some(job) = rows::maybe_uuid(row, 7)? {
            let id = JobId::from_uuid(job);
            jobs.push(Due {
                id,
                waking: row.try_get(8)?,
                concurrency: row.try_get(9)?,
                key: row.try_get(10)?,
                unpaid: row.try_get(11)?,
            });
        }
    }
    Ok(Some(View {
        now: rows::time(head, 0)?,
        focus: rows::maybe_uuid(head, 3)?,
        paused: head.try_get(4)?,
        strict: head.try_get(5)?,
        room: head.try_get(6)?,
        jobs,
    }))
}

/// Counts at the gates that do not let everything pass. Returns how each stands, and which have room; those where another
/// claim is counting have none.
async fn count(connection: &mut PgConnection, now: Timestamp) -> Work<(HashMap<String, GateLoad>, Rooms)> {
    let keys: Vec<String> = sqlx::query_scalar(STRICT).bind(now.as_micros()).fetch_all(&mut *connection).await?;
    let mut mine: HashMap<String, bool> = HashMap::new();
    for row in &sqlx::query(locks::TRY_GATES).bind(&keys).fetch_all(&mut *connection).await? {
        mine.insert(row.try_get(1)?, row.try_get(0)?);
    }
    let (mut loads, mut rooms) = (HashMap::new(), Rooms::new());
    for row in &sqlx::query(GATES).bind(now.as_micros()).fetch_all(connection).await? {
        let (key, load) = gates::read(row, 0)?;
        let room = load.room(now, rows::number(row, 7)?).map(|room| i64::try_from(room).unwrap_or(i64::MAX));
        if room != Some(0) && mine.get(key.as_str()) == Some(&true) {
            rooms.insert(key.as_str().to_owned(), room);
        }
        loads.insert(key.as_str().to_owned(), load);
    }
    Ok((loads, rooms))
}

impl Claim<'_> {
    fn is_full(&self) -> bool {
        self.units.len() >= self.limit
    }

    /// Hands out what is due of one job, until the claim is full.
    async fn serve(&mut self, job: &Due) -> Work<()> {
        let starts = match &job.key {
            Some(key) => match self.may_start(job.id, key).await? {
                Some(starts) => starts,
                None => return Ok(()),
            },
            None => false,
        };
        if job.waking {
            sqlx::query(WAKE).bind(job.id.as_uuid()).bind(self.now.as_micros()).execute(&mut *self.connection).await?;
        }
        let before = self.units.len();
        match job.concurrency {
            None => self.take(job, usize::MAX).await?,
            Some(most) if locks::try_job(self.connection, job.id).await? => {
                let left = self.left(job.id, most).await?;
                self.take(job, left).await?;
            }
            Some(_) => {}
        }
        if self.units.len() > before {
            self.served.push(job.id.as_uuid());
            if let (true, Some(key)) = (starts, &job.key) {
                *self.started.entry(key.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Tells whether a job with a key would be started by this claim; `None` when it may not be worked on.
    async fn may_start(&mut self, job: JobId, key: &str) -> Work<Option<bool>> {
        let ours = self.started.get(key).copied().unwrap_or(0);
        // The first look is without the lock: most jobs have been started long ago.
        for locked in [false, true] {
            if locked && !locks::try_key(self.connection, key).await? {
                return Ok(None);
            }
            let row =
                sqlx::query(MAY_START).bind(job.as_uuid()).bind(ours).fetch_optional(&mut *self.connection).await?;
            match row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()? {
                // Started by this claim, or by one before.
                Some((_, true)) => return Ok(Some(false)),
                _ if self.served.contains(&job.as_uuid()) => return Ok(Some(false)),
                Some((true, false)) if locked => return Ok(Some(true)),
                Some((true, false)) => {}
                Some((false, false)) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Hands out what is due of a job, at most `most` units.
    async fn take(&mut self, job: &Due, most: usize) -> Work<()> {
        let end = self.limit.min(self.units.len().saturating_add(most));
        // How many items a unit has, as far as seen: so many more rows are looked at than units are wanted.
        let mut size = 1;
        while self.units.len() < end {
            let want = end - self.units.len();
            let look = want.saturating_mul(size);
            let rooms = || self.rooms.iter().filter(|(gate, _)| gate.is_empty() || !job.unpaid);
            let rows = sqlx::query(TAKE)
                .bind(job.id.as_uuid())
                .bind(rooms().map(|(gate, _)| gate.as_str()).collect::<Vec<_>>())
                .bind(rooms().map(|(_, room)| *room).collect::<Vec<_>>())
                .bind(i64::try_from(look).unwrap_or(i64::MAX))
                .bind(i64::try_from(want).unwrap_or(i64::MAX))
                .bind(self.now.as_micros())
                .bind(self.session.as_uuid())
                .fetch_all(&mut *self.connection)
                .await?;
            if rows.is_empty() {
                break;
            }
            let first = self.units.len();
            self.add(&rows)?;
            // Fewer rows than looked for: there are no more.
            if rows.len() < look {
                break;
            }
            size = rows.len().div_ceil((self.units.len() - first).max(1));
        }
        Ok(())
    }

    /// Returns how many more units of a job may be held, when the turn of claiming there is taken.
    async fn left(&mut self, job: JobId, most: i64) -> Work<usize> {
        let sql = concat!("SELECT ", held!("$1"));
        let held: i64 = sqlx::query_scalar(sql).bind(job.as_uuid()).fetch_one(&mut *self.connection).await?;
        Ok(usize::try_from(most.saturating_sub(held)).unwrap_or(0))
    }

    /// Adds items that were handed over, unit by unit, and counts them at their gates.
    fn add(&mut self, rows: &[PgRow]) -> Work<()> {
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let (claimed, unit) = rows::claimed(row)?;
            taken.push((claimed, unit, row.try_get::<String, _>(14)?));
        }
        taken.sort_by_key(|(claimed, _, _)| (claimed.item.ordinal, claimed.item.slot, claimed.item.id));
        let mut places = HashMap::new();
        for (claimed, unit, gate) in taken {
            let place = *places.entry(unit.unwrap_or(claimed.item.id)).or_insert(self.units.len());
            if let Some(unit) = self.units.get_mut(place) {
                unit.push(claimed);
                continue;
            }
            self.units.push(vec![claimed]);
            if let Some(Some(left)) = self.rooms.get_mut(&gate) {
                *left -= 1;
            }
        }
        self.rooms.retain(|_, room| *room != Some(0));
        Ok(())
    }
}
