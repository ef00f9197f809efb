//! Whether the calls that commits are about to open may be made now: the last word before money is spent.
//!
//! Everything that could say no is kept as it is until the intents are written: the pause of everything by the beginning
//! of the transaction, what was asked of the jobs, the items, the calls, the gates, and the budgets by locks taken here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pipeline_core::error::Error;
use pipeline_core::id::{CallId, ItemId, JobId, SessionId};
use pipeline_core::model::{Control, Limits};
use pipeline_core::storage::{
    BREAKER_TRIPS_AT, Budget, CallState, Commit, CommitReply, GateKey, GateLoad, NewCall, Refusal,
};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::store::{Inner, clock};
use super::{budgets, gates, locks, rows};
use crate::purse::Purse;

/// Locks the items of a batch that the session still holds, in the order of their ids, and tells which commits these are
/// and what was asked of their jobs.
pub(super) const HELD: &str = "SELECT given.place, jobs.control \
     FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS given (id, job, token, place) \
     JOIN items ON items.id = given.id JOIN jobs ON jobs.id = given.job \
     WHERE items.job = given.job AND items.token = given.token AND items.session IS NOT DISTINCT FROM $4 \
     ORDER BY items.id FOR NO KEY UPDATE OF items";

/// Locks the calls that are there already.
const KNOWN: &str = "SELECT id, state FROM calls WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

const STANDING: &str = "SELECT key, outages, concurrency, per_minute FROM gates WHERE key = ANY ($1)";

const DECLARE: &str = "UPDATE gates SET concurrency = given.concurrency, per_minute = given.per_minute \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS given (key, concurrency, per_minute) \
     WHERE gates.key = given.key";

/// The time, whether everything is paused, and what is known of gates.
pub(super) const VIEW: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$2"),
    " AS now) SELECT clock.now, ",
    gates::paused!(),
    ", ",
    gates::load_columns!(),
    " FROM clock LEFT JOIN gates ON gates.key = ANY ($1)"
);

/// Returns a reply for each commit whose calls may not be made, or that is superseded and has calls; `None` for those
/// that are to be written, where the fenced update has the last word. And the time.
pub(super) async fn admit(
    connection: &mut PgConnection,
    inner: &Inner,
    session: SessionId,
    commits: &[Commit],
) -> Work<(Vec<Option<CommitReply>>, Timestamp)> {
    let calling = || commits.iter().filter(|commit| !commit.calls.is_empty());
    locks::steady(connection, &calling().map(|commit| commit.job.as_uuid()).collect::<Vec<_>>()).await?;
    let held = held(connection, session, commits).await?;
    let known = known(connection, calling().flat_map(|commit| &commit.calls)).await?;
    // Written once, whichever of its items brought it; only an unknown one is opened again.
    let asks = |call: &NewCall| known.get(&call.id).is_none_or(|known| *known == CallState::Unknown);
    let settled = |call: &NewCall| {
        known.get(&call.id).is_some_and(|known| matches!(known, CallState::Succeeded | CallState::Failed))
    };
    let mut passes: BTreeMap<&GateKey, Vec<Limits>> = BTreeMap::new();
    for (_, commit) in commits.iter().enumerate().filter(|(place, _)| held.contains_key(place)) {
        for pass in commit.calls.iter().filter(|call| asks(call)).filter_map(|call| call.gate.as_ref()) {
            passes.entry(&pass.key).or_default().push(pass.limits);
        }
    }
    let View { now, paused, mut loads } = view(connection, inner, &passes).await?;
    let buying: BTreeSet<Uuid> = commits
        .iter()
        .enumerate()
        .filter(|(place, _)| held.contains_key(place))
        .filter(|(_, commit)| commit.calls.iter().any(|call| !known.contains_key(&call.id)))
        .map(|(_, commit)| commit.job.as_uuid())
        .collect();
    let mut purse = purse(connection, buying.into_iter().collect()).await?;
    let mut replies = vec![None; commits.len()];
    let mut admitted: HashSet<CallId> = HashSet::new();
    let mut given_back: HashSet<ItemId> = HashSet::new();
    for (place, (commit, reply)) in commits.iter().zip(&mut replies).enumerate() {
        let control = held.get(&place).filter(|_| !given_back.contains(&commit.item));
        if let (false, Some(control)) = (commit.calls.is_empty(), control) {
            if commit.calls.iter().any(settled) {
                *reply = Some(CommitReply::Refused(Refusal::Settled));
                continue;
            }
            purse.begin();
            for call in commit.calls.iter().filter(|call| asks(call)) {
                if admitted.contains(&call.id) {
                    continue;
                }
                let mut refusal = refusal(*control, paused, call, &mut loads, now);
                // An unknown one has its reservation.
                if refusal.is_none() && !known.contains_key(&call.id) {
                    refusal = purse.admit(commit.job, call.reserved).err();
                }
                if let Some(refusal) = refusal {
                    purse.undo();
                    *reply = Some(CommitReply::Refused(refusal));
                    break;
                }
                admitted.insert(call.id);
            }
        } else if !commit.calls.is_empty() {
            *reply = Some(CommitReply::Superseded);
        }
        if reply.is_none() && (commit.release || commit.status.is_terminal() || commit.machine.expanded.is_some()) {
            given_back.insert(commit.item);
        }
    }
    for budget in purse.changed() {
        budgets::write(connection, &budget).await?;
    }
    Ok((replies, now))
}

/// Locks the budgets of jobs that are about to make calls.
async fn purse(connection: &mut PgConnection, jobs: Vec<Uuid>) -> Work<Purse> {
    let mut purse = Purse::default();
    if jobs.is_empty() {
        return Ok(purse);
    }
    let mut of: BTreeMap<JobId, Vec<Budget>> = BTreeMap::new();
    for (job, budget) in budgets::of(connection, &jobs).await? {
        of.entry(job).or_default().push(budget);
    }
    for (job, budgets) in of {
        purse.add(job, budgets);
    }
    Ok(purse)
}

fn refusal(
    control: Control,
    paused: bool,
    call: &NewCall,
    loads: &mut BTreeMap<GateKey, GateLoad>,
    now: Timestamp,
) -> Option<Refusal> {
    match control {
        Control::Cancel => return Some(Refusal::Cancelled),
        Control::Pause => return Some(Refusal::Paused),
        Control::Run if paused => return Some(Refusal::Paused),
        Control::Run => {}
    }
    let pass = call.gate.as_ref()?;
    let load = loads.entry(pass.key.clone()).or_default();
    load.limits = pass.limits;
    load.admit(now).err().map(Refusal::Gate)
}

async fn held(connection: &mut PgConnection, session: SessionId, commits: &[Commit]) -> Work<HashMap<usize, Control>> {
    let rows = sqlx::query(HELD)
        .bind(commits.iter().map(|commit| commit.item.as_uuid()).collect::<Vec<_>>())
        .bind(commits.iter().map(|commit| commit.job.as_uuid()).collect::<Vec<_>>())
        .bind(commits.iter().map(|commit| commit.token.0).collect::<Vec<_>>())
        .bind(session.as_uuid())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((rows::number::<usize>(row, 0)?.saturating_sub(1), rows::word(row, 1)?))).collect()
}

async fn known<'a>(
    connection: &mut PgConnection,
    calls: impl Iterator<Item = &'a NewCall>,
) -> Work<HashMap<CallId, CallState>> {
    let rows =
        sqlx::query(KNOWN).bind(calls.map(|call| call.id.as_uuid()).collect::<Vec<_>>()).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((CallId::from_uuid(rows::uuid(row, 0)?), rows::named(row, 1)?))).collect()
}

/// What decides, apart from the jobs.
struct View {
    now: Timestamp,
    paused: bool,
    loads: BTreeMap<GateKey, GateLoad>,
}

/// Takes the locks of gates, has them know the limits that the last of the calls declares, and returns how they stand.
async fn view(connection: &mut PgConnection, inner: &Inner, passes: &BTreeMap<&GateKey, Vec<Limits>>) -> Work<View> {
    let keys: Vec<&str> = passes.keys().map(|key| key.as_str()).collect();
    let mut alone: BTreeMap<&str, bool> = BTreeMap::new();
    if !keys.is_empty() {
        let mut standing: HashMap<String, (i64, Limits)> = HashMap::new();
        for row in &sqlx::query(STANDING).bind(&keys).fetch_all(&mut *connection).await? {
            standing.insert(row.try_get(0)?, (row.try_get(1)?, gates::limits(row, 2)?));
        }
        let mut changed: Vec<(&str, Limits)> = Vec::new();
        for (key, limits) in passes {
            let unlimited = limits.iter().all(|limits| *limits == Limits::default());
            let last = limits.last().copied().unwrap_or_default();
            let known = standing.get(key.as_str());
            let same = known.is_some_and(|(_, known)| *known == last);
            // Where nothing is counted, calls need not wait for each other.
            alone.insert(key.as_str(), !(unlimited && same && known.is_some_and(|(outages, _)| *outages == 0)));
            if !same {
                changed.push((key.as_str(), last));
            }
        }
        locks::gates(connection, &keys, &keys.iter().map(|key| alone.get(key) != Some(&false)).collect::<Vec<_>>())
            .await?;
        if !changed.is_empty() {
            sqlx::query(DECLARE)
                .bind(changed.iter().map(|(key, _)| *key).collect::<Vec<_>>())
                .bind(changed.iter().map(|(_, limits)| limits.concurrency.map(i64::from)).collect::<Vec<_>>())
                .bind(changed.iter().map(|(_, limits)| limits.per_minute.map(i64::from)).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
    }
    let rows = sqlx::query(VIEW).bind(&keys).bind(inner.told()).fetch_all(connection).await?;
    let head = rows.first().ok_or_else(|| Error::unexpected("the store told no time"))?;
    let (now, paused) = (rows::time(head, 0)?, head.try_get(1)?);
    let mut loads = BTreeMap::new();
    for row in rows.iter().filter(|_| !keys.is_empty()) {
        let (key, mut load) = gates::read(row, 2)?;
        // Outages that came between the first look and the lock: who is not alone cannot count the one that may try.
        if load.outages >= BREAKER_TRIPS_AT && alone.get(key.as_str()) == Some(&false) {
            load.closed_until = load.closed_until.max(Some(now.after(pipeline_core::storage::LOOK_AGAIN)));
        }
        loads.insert(key, load);
    }
    Ok(View { now, paused, loads })
}
