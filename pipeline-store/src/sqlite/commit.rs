//! The one write path of items: fenced updates first, then what hangs on those that were accepted.

use std::collections::{BTreeMap, HashSet};

use pipeline_core::executor::ItemMachine;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus, Money};
use pipeline_core::storage::{Commit, CommitReply, EventBody, NewItem};
use pipeline_core::time::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::store::Inner;
use super::{append, events, finish, rows, submit};

/// The fenced update. `+` keeps the session's index out: each item is found by its id.
pub(super) const UPDATE: &str = "UPDATE items SET status = c.value ->> 3, leaves = c.value ->> 4, \
     steps = c.value ->> 5, replaced = c.value ->> 6, claimable_at = c.value ->> 7, unit = c.value ->> 8, \
     session = iif(c.value ->> 9, NULL, session), cost = cost + (c.value ->> 10), machine = c.value ->> 11, \
     updated_at = ?3 FROM json_each(?1) AS c \
     WHERE items.id = c.value ->> 0 AND +items.job = c.value ->> 1 AND +items.token = c.value ->> 2 \
     AND +items.session = ?2 RETURNING id";

/// A commit as the fenced update takes it: an array, by place.
#[derive(Serialize)]
struct Change<'a>(
    ItemId,
    JobId,
    i64,
    ItemStatus,
    u32,
    u32,
    bool,
    Option<i64>,
    Option<ItemId>,
    bool,
    i64,
    &'a ItemMachine,
);

/// Writes transitions, one reply each, in order.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    inner: &Inner,
    session: SessionId,
    commits: Vec<Commit>,
) -> Work<Vec<CommitReply>> {
    let now = inner.now();
    let controls = controls(connection, &commits).await?;
    let mut replies = vec![CommitReply::Superseded; commits.len()];
    for wave in waves(&commits) {
        let changes = wave.iter().map(|(_, commit)| change(commit, &controls, now)).collect::<Vec<_>>();
        let rows = sqlx::query(UPDATE)
            .bind(serde_json::to_string(&changes)?)
            .bind(session.to_string())
            .bind(now.as_micros())
            .fetch_all(&mut *connection)
            .await?;
        let applied = rows.iter().map(|row| rows::word(row, 0)).collect::<Work<HashSet<ItemId>>>()?;
        let accepted: Vec<&Commit> =
            wave.iter().filter(|(_, commit)| applied.contains(&commit.item)).map(|(_, commit)| *commit).collect();
        for (index, commit) in &wave {
            if let (true, Some(reply)) = (applied.contains(&commit.item), replies.get_mut(*index)) {
                *reply = CommitReply::Applied;
            }
        }
        follow(connection, &accepted, &controls, now).await?;
    }
    Ok(replies)
}

/// Splits a batch so that no part has an item twice: the second commit on an item sees the first.
fn waves(commits: &[Commit]) -> Vec<Vec<(usize, &Commit)>> {
    let mut waves: Vec<Vec<(usize, &Commit)>> = Vec::new();
    let mut seen = BTreeMap::new();
    for (index, commit) in commits.iter().enumerate() {
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

fn change<'a>(commit: &'a Commit, controls: &BTreeMap<JobId, Control>, now: Timestamp) -> Change<'a> {
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
    Change(
        commit.item,
        commit.job,
        commit.token.0,
        status,
        commit.machine.leaves,
        commit.machine.steps(),
        replaced,
        due,
        commit.unit,
        commit.release || over,
        cost(commit).as_micros(),
        &commit.machine,
    )
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
    finish::finish(connection, jobs.into_keys(), now).await
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
