//! Whether the calls that commits are about to open may be made now: the last word before money is spent.

use std::collections::{BTreeMap, HashSet};

use pipeline_core::id::{CallId, ItemId, JobId, SessionId, Token};
use pipeline_core::model::Control;
use pipeline_core::storage::{CallState, Commit, CommitReply, GateKey, GateLoad, GatePass, Refusal};
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::{budgets, gates, rows};
use crate::purse::Purse;

/// Returns a reply for each commit whose calls may not be made, or that is superseded and has calls; `None` for those
/// that are to be written.
pub(super) async fn admit(
    connection: &mut SqliteConnection,
    session: SessionId,
    commits: &[Commit],
    controls: &BTreeMap<JobId, Control>,
    now: Timestamp,
) -> Work<Vec<Option<CommitReply>>> {
    let mut replies = vec![None; commits.len()];
    if commits.iter().all(|commit| commit.calls.is_empty()) {
        return Ok(replies);
    }
    let paused = gates::is_paused(connection).await?;
    let mut loads: BTreeMap<GateKey, GateLoad> = BTreeMap::new();
    let mut purse = Purse::default();
    let mut admitted: HashSet<CallId> = HashSet::new();
    let mut given_back: HashSet<(ItemId, Token)> = HashSet::new();
    for (commit, reply) in commits.iter().zip(&mut replies) {
        let held = (commit.item, commit.token);
        if !commit.calls.is_empty() {
            if given_back.contains(&held) || !is_held(connection, session, commit).await? {
                *reply = Some(CommitReply::Superseded);
                continue;
            }
            purse.begin();
        }
        for call in &commit.calls {
            // Written once, whichever of its items brought it; only an unknown one is opened again.
            let known = state(connection, call.id).await?;
            if admitted.contains(&call.id) || known == Some(CallState::Open) {
                continue;
            }
            let mut refusal = match controls.get(&commit.job) {
                _ if known.is_some_and(|known| known != CallState::Unknown) => Some(Refusal::Settled),
                Some(Control::Cancel) => Some(Refusal::Cancelled),
                Some(Control::Pause) => Some(Refusal::Paused),
                Some(Control::Run) | None if paused => Some(Refusal::Paused),
                Some(Control::Run) | None => match &call.gate {
                    Some(pass) => passes(connection, pass, &mut loads, now).await?,
                    None => None,
                },
            };
            // An unknown one has its reservation.
            if refusal.is_none() && known.is_none() {
                if !purse.knows(commit.job) {
                    purse.add(commit.job, budgets::of(connection, commit.job).await?);
                }
                refusal = purse.admit(commit.job, call.reserved).err();
            }
            match refusal {
                Some(refusal) => {
                    purse.undo();
                    *reply = Some(CommitReply::Refused(refusal));
                    break;
                }
                None => admitted.insert(call.id),
            };
        }
        if reply.is_none() && (commit.release || commit.status.is_terminal() || commit.machine.expanded.is_some()) {
            given_back.insert(held);
        }
    }
    for budget in purse.changed() {
        budgets::write(connection, &budget).await?;
    }
    Ok(replies)
}

async fn passes(
    connection: &mut SqliteConnection,
    pass: &GatePass,
    loads: &mut BTreeMap<GateKey, GateLoad>,
    now: Timestamp,
) -> Work<Option<Refusal>> {
    if !loads.contains_key(&pass.key) {
        gates::declare(connection, pass).await?;
        loads.insert(pass.key.clone(), gates::load(connection, &pass.key, now).await?);
    }
    let Some(load) = loads.get_mut(&pass.key) else { return Ok(None) };
    load.limits = pass.limits;
    Ok(load.admit(now).err().map(Refusal::Gate))
}

async fn is_held(connection: &mut SqliteConnection, session: SessionId, commit: &Commit) -> Work<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM items WHERE id = ? AND job = ? AND token = ? AND session = ?)";
    Ok(sqlx::query_scalar(sql)
        .bind(commit.item.to_string())
        .bind(commit.job.to_string())
        .bind(commit.token.0)
        .bind(session.to_string())
        .fetch_one(connection)
        .await?)
}

async fn state(connection: &mut SqliteConnection, call: CallId) -> Work<Option<CallState>> {
    let row =
        sqlx::query("SELECT state FROM calls WHERE id = ?").bind(call.to_string()).fetch_optional(connection).await?;
    row.map(|row| rows::named(&row, 0)).transpose()
}
