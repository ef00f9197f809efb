//! The one write path of items: fenced updates first, then what hangs on those that were accepted.

use std::collections::{BTreeMap, HashSet};

use pipeline_core::id::{JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus, Money};
use pipeline_core::storage::{Commit, CommitReply, EventBody, NewItem};
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::bulk::{Bound, Bulk};
use super::fault::Work;
use super::store::Inner;
use super::{admit, append, events, finish, gates, rows, submit};

/// The fenced update. `+` and `ifnull` keep the other indexes out: each item is found by its id.
pub(super) static UPDATE: Bulk = Bulk::new(
    "UPDATE items SET status = c.column4, leaves = c.column5, steps = c.column6, replaced = c.column7, \
     claimable_at = c.column8, unit = c.column9, session = iif(c.column10, NULL, session), cost = cost + c.column11, \
     machine = c.column12, updated_at = c.column13, gate = c.column14, stage = c.column15, code = c.column16, \
     round = c.column17 FROM (",
    17,
    ") AS c WHERE items.id = c.column1 AND +items.job = c.column2 AND +items.token = c.column3 \
     AND ifnull(items.session, '') = ?",
);

/// Writes transitions, one reply each, in order.
///
/// Nearly always every commit of a batch is accepted, and their number tells so. When it does not, `None` asks for the
/// transaction to be rolled back and made again with `each`, which looks at every commit on its own.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    inner: &Inner,
    session: SessionId,
    commits: &[Commit],
    each: bool,
) -> Work<Option<Vec<CommitReply>>> {
    let now = inner.now();
    let controls = controls(connection, commits).await?;
    // Where no call is to be made, the fenced update alone decides.
    let mut replies = admit::admit(connection, session, commits, &controls, now).await?;
    gates::know(connection, commits.iter().filter_map(|commit| commit.gate.as_ref())).await?;
    let admitted = commits.iter().enumerate().filter(|(index, _)| matches!(replies.get(*index), Some(None)));
    for wave in waves(admitted.collect()) {
        let parts = if each { wave.chunks(1) } else { wave.chunks(wave.len().max(1)) };
        let mut accepted = Vec::with_capacity(wave.len());
        for part in parts {
            let applied = update(connection, session, part, &controls, now).await?;
            if applied == part.len() as u64 {
                accepted.extend_from_slice(part);
            } else if !each {
                return Ok(None);
            }
        }
        for (index, _) in &accepted {
            if let Some(reply) = replies.get_mut(*index) {
                *reply = Some(CommitReply::Applied);
            }
        }
        let accepted: Vec<&Commit> = accepted.into_iter().map(|(_, commit)| commit).collect();
        follow(connection, &accepted, &controls, now).await?;
    }
    Ok(Some(replies.into_iter().map(|reply| reply.unwrap_or(CommitReply::Superseded)).collect()))
}

async fn update(
    connection: &mut SqliteConnection,
    session: SessionId,
    commits: &[(usize, &Commit)],
    controls: &BTreeMap<JobId, Control>,
    now: Timestamp,
) -> Work<u64> {
    let session = session.to_string();
    let row = |query: Bound, (_, commit): &(usize, &Commit)| {
        let change = change(commit, controls, now);
        Ok(query
            .bind(commit.item.to_string())
            .bind(commit.job.to_string())
            .bind(commit.token.0)
            .bind(change.status.as_str())
            .bind(commit.machine.leaves)
            .bind(commit.machine.steps())
            .bind(commit.machine.expanded.is_some())
            .bind(change.due)
            .bind(commit.unit.map(|unit| unit.to_string()))
            .bind(change.release)
            .bind(cost(commit).as_micros())
            .bind(serde_json::to_string(&commit.machine)?)
            .bind(now.as_micros())
            .bind(commit.gate.as_ref().map(|gate| gate.as_str().to_owned()))
            .bind(commit.machine.stop().map(|(stage, _)| stage as i64))
            .bind(commit.machine.failure().map(|failure| failure.code.as_str()))
            .bind(commit.machine.round))
    };
    UPDATE.run(connection, commits, row, |query| query.bind(session.clone())).await
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

async fn controls(connection: &mut SqliteConnection, commits: &[Commit]) -> Work<BTreeMap<JobId, Control>> {
    let jobs: HashSet<JobId> = commits.iter().map(|commit| commit.job).collect();
    let rows = sqlx::query("SELECT id, control FROM jobs WHERE id IN (SELECT value FROM json_each(?))")
        .bind(rows::list(jobs)?)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((rows::word(row, 0)?, rows::word(row, 1)?))).collect()
}

/// What the store makes of a commit's wishes.
struct Change {
    status: ItemStatus,
    due: Option<i64>,
    release: bool,
}

fn change(commit: &Commit, controls: &BTreeMap<JobId, Control>, now: Timestamp) -> Change {
    let replaced = commit.machine.expanded.is_some();
    let mut status = commit.status;
    // What is given back unended to a cancelled job ends with it.
    if commit.release && !replaced && !status.is_terminal() && controls.get(&commit.job) == Some(&Control::Cancel) {
        status = ItemStatus::Cancelled;
    }
    let over = replaced || status.is_terminal();
    // 0 is now: see the index `items_due`. While held it has no meaning.
    let due = match commit.claimable_at {
        _ if over => None,
        Some(at) if at > now && commit.release => Some(at.as_micros()),
        None if commit.release => None,
        Some(_) | None => Some(0),
    };
    Change { status, due, release: commit.release || over }
}

fn cost(commit: &Commit) -> Money {
    commit.results.iter().fold(Money::ZERO, |sum, result| sum + result.cost)
}

/// Writes what hangs on accepted commits: results, calls, children, the job's cost, events, and the job's end.
async fn follow(
    connection: &mut SqliteConnection,
    accepted: &[&Commit],
    controls: &BTreeMap<JobId, Control>,
    now: Timestamp,
) -> Work<()> {
    append::results(connection, accepted).await?;
    append::calls(connection, accepted, now).await?;
    append::used(connection, accepted).await?;
    submit::insert(connection, &children(accepted, controls), now).await?;
    let mut jobs: BTreeMap<JobId, (Money, Vec<EventBody>)> = BTreeMap::new();
    for commit in accepted {
        let (sum, told) = jobs.entry(commit.job).or_default();
        *sum += cost(commit);
        told.extend(commit.events.iter().map(|what| EventBody::Item { item: commit.item, what: what.clone() }));
    }
    for (job, (sum, told)) in &jobs {
        if *sum != Money::ZERO {
            sqlx::query("UPDATE jobs SET cost = cost + ? WHERE id = ?")
                .bind(sum.as_micros())
                .bind(job.to_string())
                .execute(&mut *connection)
                .await?;
        }
        events::append(connection, *job, told, now).await?;
    }
    // Only a leaf that ends can be the last one, and a leaf whose status is not the machine's has been cancelled.
    let ends = |commit: &&&Commit| {
        let cancelled = controls.get(&commit.job) == Some(&Control::Cancel);
        commit.status.is_terminal() || commit.machine.expanded.is_some() || (commit.release && cancelled)
    };
    finish::finish(connection, accepted.iter().filter(ends).map(|commit| commit.job), now).await
}

/// Returns the children of commits; those of a cancelled job are cancelled from the start.
fn children<'a>(accepted: &[&'a Commit], controls: &BTreeMap<JobId, Control>) -> Vec<(JobId, ItemStatus, &'a NewItem)> {
    let mut children = Vec::new();
    for commit in accepted {
        let cancelled = controls.get(&commit.job) == Some(&Control::Cancel);
        for child in &commit.children {
            let ends = cancelled && !child.status.is_terminal();
            children.push((commit.job, if ends { ItemStatus::Cancelled } else { child.status }, child));
        }
    }
    children
}
