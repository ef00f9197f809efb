//! The one write path of items: fenced updates first, then what hangs on those that were accepted.

use std::collections::{BTreeMap, HashMap, HashSet};

use pipeline_core::id::{ItemId, SessionId};
use pipeline_core::model::Money;
use pipeline_core::storage::{Commit, CommitReply, EventBody};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::fault::Work;
use super::finish::Changes;
use super::store::{Inner, clock};
use super::{admit, append, finish, gates, rows, submit};

/// The fenced update. It locks in the order of ids, and tells what each row was. `IS NOT DISTINCT FROM` keeps the
/// session's index out: each item is found by its id.
pub(super) const UPDATE: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$14"),
    " AS now), \
     held AS MATERIALIZED (SELECT given.*, items.status AS old_status, items.leaves AS old_leaves, \
     items.steps AS old_steps FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], \
     $6::bigint[], $7::boolean[], $8::bigint[], $9::uuid[], $10::boolean[], $11::bigint[], $12::text[], $15::text[], \
     $16::bigint[], $17::text[], $18::bigint[]) AS given (id, job, token, status, leaves, steps, replaced, claimable_at, \
     unit, release, cost, machine, gate, stage, code, round) \
     JOIN items ON items.id = given.id \
     WHERE items.job = given.job AND items.token = given.token AND items.session IS NOT DISTINCT FROM $13 \
     ORDER BY items.id FOR NO KEY UPDATE OF items) \
     UPDATE items SET status = held.status, leaves = held.leaves, steps = held.steps, replaced = held.replaced, \
     open = NOT held.replaced AND held.status IN ('pending', 'running', 'waiting'), \
     claimable_at = CASE WHEN held.replaced OR held.status NOT IN ('pending', 'running', 'waiting') THEN NULL \
     WHEN NOT held.release OR held.claimable_at <= clock.now THEN 0 ELSE held.claimable_at END, \
     session = CASE WHEN held.release OR held.replaced OR held.status NOT IN ('pending', 'running', 'waiting') \
     THEN NULL ELSE items.session END, \
     unit = held.unit, gate = held.gate, cost = items.cost + held.cost, machine = held.machine, updated_at = clock.now, \
     stage = held.stage, code = held.code, round = held.round \
     FROM held CROSS JOIN clock WHERE items.id = held.id \
     RETURNING items.id, held.old_status, held.old_leaves, held.old_steps, clock.now"
);

/// Writes transitions, one reply each, in order.
pub(super) async fn commit(
    connection: &mut PgConnection,
    inner: &Inner,
    (session, commits): &(SessionId, Vec<Commit>),
) -> Work<Vec<CommitReply>> {
    let mut changes = Changes::new();
    // First: who waits here for another that makes the same gate known has nothing yet that the other may want.
    gates::know(connection, gates::named(commits)).await?;
    // Where no call is to be made, the fenced update alone decides.
    let (mut replies, mut now) = if is_calling(commits) {
        let (replies, now) = admit::admit(connection, inner, *session, commits).await?;
        (replies, Some(now))
    } else {
        (vec![None; commits.len()], None)
    };
    let admitted = commits.iter().enumerate().filter(|(index, _)| matches!(replies.get(*index), Some(None)));
    for wave in waves(admitted.collect()) {
        let accepted = update(connection, inner, *session, &wave, &mut changes, &mut now).await?;
        for (index, commit) in &wave {
            if let (true, Some(reply)) = (accepted.contains(&commit.item), replies.get_mut(*index)) {
                *reply = Some(CommitReply::Applied);
            }
        }
        // In the order they came in: so are their events.
        let accepted: Vec<&Commit> =
            wave.iter().filter(|(_, commit)| accepted.contains(&commit.item)).map(|(_, commit)| *commit).collect();
        if let Some(now) = now {
            follow(connection, &accepted, &mut changes, now).await?;
        }
    }
    if let Some(now) = now {
        finish::finish(connection, &changes, now).await?;
    }
    Ok(replies.into_iter().map(|reply| reply.unwrap_or(CommitReply::Superseded)).collect())
}

/// Tells whether commits hold intents of calls.
pub(super) fn is_calling(commits: &[Commit]) -> bool {
    commits.iter().any(|commit| !commit.calls.is_empty())
}

/// Splits a batch so that no part has an item twice: the second commit on an item sees the first.
fn waves(commits: Vec<(usize, &Commit)>) -> Vec<Vec<(usize, &Commit)>> {
    let mut waves: Vec<Vec<(usize, &Commit)>> = Vec::new();
    let mut seen = BTreeMap::new();
    for (index, commit) in commits {
        let depth = seen.entry(commit.item).and_modify(|depth| *depth += 1).or_insert(0_usize);
        match waves.get_mut(*depth) {
            Some(wave) => wave.push((index, commit)),
            None => waves.push(vec![(index, commit)]),
        }
    }
    waves
}

/// Updates the items that the session still holds, and returns which those are.
async fn update(
    connection: &mut PgConnection,
    inner: &Inner,
    session: SessionId,
    wave: &[(usize, &Commit)],
    changes: &mut Changes,
    now: &mut Option<Timestamp>,
) -> Work<HashSet<ItemId>> {
    let numbers = |of: fn(&Commit) -> i64| wave.iter().map(|(_, commit)| of(commit)).collect::<Vec<_>>();
    let flags = |of: fn(&Commit) -> bool| wave.iter().map(|(_, commit)| of(commit)).collect::<Vec<_>>();
    let machines = wave.iter().map(|(_, commit)| serde_json::to_string(&commit.machine));
    let due = wave.iter().map(|(_, commit)| commit.claimable_at.map(Timestamp::as_micros));
    let rows = sqlx::query(UPDATE)
        .bind(wave.iter().map(|(_, commit)| commit.item.as_uuid()).collect::<Vec<_>>())
        .bind(wave.iter().map(|(_, commit)| commit.job.as_uuid()).collect::<Vec<_>>())
        .bind(numbers(|commit| commit.token.0))
        .bind(wave.iter().map(|(_, commit)| commit.status.as_str()).collect::<Vec<_>>())
        .bind(numbers(|commit| i64::from(commit.machine.leaves)))
        .bind(numbers(|commit| i64::from(commit.machine.steps())))
        .bind(flags(replaces))
        .bind(due.collect::<Vec<_>>())
        .bind(wave.iter().map(|(_, commit)| commit.unit.map(|unit| unit.as_uuid())).collect::<Vec<_>>())
        .bind(flags(|commit| commit.release))
        .bind(numbers(|commit| cost(commit).as_micros()))
        .bind(machines.collect::<Result<Vec<_>, _>>()?)
        .bind(session.as_uuid())
        .bind(now.map_or_else(|| inner.told(), |now| Some(now.as_micros())))
        .bind(wave.iter().map(|(_, commit)| gates::stored(commit.gate.as_ref())).collect::<Vec<_>>())
        .bind(wave.iter().map(|(_, commit)| commit.machine.stop().map(|(stage, _)| stage as i64)).collect::<Vec<_>>())
        .bind(wave.iter().map(|(_, commit)| submit::code(&commit.machine)).collect::<Vec<_>>())
        .bind(numbers(|commit| i64::from(commit.machine.round)))
        .fetch_all(connection)
        .await?;
    let by_item: HashMap<ItemId, &Commit> = wave.iter().map(|(_, commit)| (commit.item, *commit)).collect();
    let mut accepted = HashSet::with_capacity(rows.len());
    for row in &rows {
        let item = rows::item_id(row, 0)?;
        accepted.insert(item);
        *now = Some(rows::time(row, 4)?);
        let Some(commit) = by_item.get(&item) else { continue };
        let change = changes.entry(commit.job).or_default();
        let (leaves, steps): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        change.add(rows::word(row, 1)?, -leaves, steps);
        change.add(commit.status, i64::from(commit.machine.leaves), i64::from(commit.machine.steps()));
        if commit.release && !replaces(commit) && !commit.status.is_terminal() {
            change.free();
        }
    }
    Ok(accepted)
}

fn replaces(commit: &Commit) -> bool {
    commit.machine.expanded.is_some()
}

fn cost(commit: &Commit) -> Money {
    commit.results.iter().fold(Money::ZERO, |sum, result| sum + result.cost)
}

/// Writes what hangs on accepted commits: results, calls, children; and collects what changes in their jobs.
async fn follow(
    connection: &mut PgConnection,
    accepted: &[&Commit],
    changes: &mut Changes,
    now: Timestamp,
) -> Work<()> {
    append::results(connection, accepted).await?;
    append::calls(connection, accepted, now).await?;
    append::used(connection, accepted).await?;
    let mut children = Vec::new();
    for commit in accepted {
        let change = changes.entry(commit.job).or_default();
        change.tell(commit.events.iter().map(|what| EventBody::Item { item: commit.item, what: what.clone() }));
        for result in &commit.results {
            change.tally(result);
        }
        for child in &commit.children {
            change.add(child.status, i64::from(child.machine.leaves), i64::from(child.machine.steps()));
            change.free();
            children.push((commit.job, child));
        }
    }
    submit::insert(connection, &children, now).await
}
