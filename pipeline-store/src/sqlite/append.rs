//! Appending results and intents of calls, within a commit.

use std::collections::BTreeMap;

use pipeline_core::id::{CallId, Digest, ItemId, JobId, SendingId, StageName};
use pipeline_core::model::Capability;
use pipeline_core::storage::{Commit, GateKey, ResultRecord};
use pipeline_core::time::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::bulk::{Bound, Bulk};
use super::fault::Work;

static INSERT: Bulk = Bulk::insert(
    "INSERT INTO results (id, item, stage, round, attempt, provider, cost, started_at, ended_at, verdict, files, fields, \
     reused) SELECT * FROM (",
    13,
);

pub(super) const USED: &str = "UPDATE call_items SET used = 1 FROM json_each(?1) AS given \
     WHERE call_items.item = given.value ->> 0 AND call_items.call = given.value ->> 1";

#[derive(Serialize)]
struct CallRow<'a>(
    CallId,
    JobId,
    &'a StageName,
    u32,
    &'a str,
    Capability,
    Digest,
    i64,
    &'a [ItemId],
    u32,
    Option<&'a GateKey>,
    i64,
    SendingId,
    Option<&'a str>,
    Option<&'a str>,
);

#[derive(Default)]
struct Tally {
    count: u64,
    micros: u64,
    sum_squares: f64,
    cost: i64,
}

/// Appends the results of commits, and adds them to the sums by stage.
pub(super) async fn results(connection: &mut SqliteConnection, commits: &[&Commit]) -> Work<()> {
    let mut rows: Vec<&ResultRecord> = Vec::new();
    let mut tallies: BTreeMap<(JobId, &str), Tally> = BTreeMap::new();
    for commit in commits {
        for result in &commit.results {
            rows.push(result);
            let took = result.ended_at.since(result.started_at);
            let tally = tallies.entry((commit.job, result.stage.as_str())).or_default();
            tally.count += 1;
            tally.micros += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tally.sum_squares += took.as_secs_f64() * took.as_secs_f64();
            tally.cost += result.cost.as_micros();
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let row = |query: Bound, result: &&ResultRecord| {
        Ok(query
            .bind(result.id.to_string())
            .bind(result.item.to_string())
            .bind(result.stage.to_string())
            .bind(result.round)
            .bind(result.attempt)
            .bind(result.provider.clone())
            .bind(result.cost.as_micros())
            .bind(result.started_at.as_micros())
            .bind(result.ended_at.as_micros())
            .bind(result.verdict.as_ref().map(serde_json::to_string).transpose()?)
            .bind(serde_json::to_string(&result.files)?)
            .bind(serde_json::to_string(&result.fields)?)
            .bind(result.reused.map(|call| call.to_string())))
    };
    INSERT.run(connection, &rows, row, |query| query).await?;
    let sums: Vec<_> = tallies
        .iter()
        .map(|((job, stage), tally)| (job, stage, tally.count, tally.micros, tally.sum_squares, tally.cost))
        .collect();
    // `WHERE true` tells the parser that ON CONFLICT is not a join.
    sqlx::query(
        "INSERT INTO tallies (job, stage, count, micros, sum_squares, cost) SELECT value ->> 0, value ->> 1, \
         value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?) WHERE true \
         ON CONFLICT (job, stage) DO UPDATE SET count = count + excluded.count, micros = micros + excluded.micros, \
         sum_squares = sum_squares + excluded.sum_squares, cost = cost + excluded.cost",
    )
    .bind(serde_json::to_string(&sums)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the answers that the items of commits have used up.
pub(super) async fn used(connection: &mut SqliteConnection, commits: &[&Commit]) -> Work<()> {
    let rows: Vec<(ItemId, CallId)> =
        commits.iter().flat_map(|commit| commit.used.iter().map(|call| (commit.item, *call))).collect();
    if !rows.is_empty() {
        sqlx::query(USED).bind(serde_json::to_string(&rows)?).execute(connection).await?;
    }
    Ok(())
}

/// Writes the intents of commits. A call that serves several items may come with each of them; it is written once.
pub(super) async fn calls(connection: &mut SqliteConnection, commits: &[&Commit], now: Timestamp) -> Work<()> {
    let rows: Vec<CallRow<'_>> = commits
        .iter()
        .flat_map(|commit| &commit.calls)
        .map(|call| {
            CallRow(
                call.id,
                call.job,
                &call.stage,
                call.round,
                &call.provider,
                call.capability,
                call.request,
                call.reserved.unwrap_or_default().as_micros(),
                &call.items,
                call.attempt,
                call.gate.as_ref().map(|pass| &pass.key),
                now.after(call.patience).as_micros(),
                call.sending,
                call.model.as_deref(),
                call.prompt.as_deref(),
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let body = serde_json::to_string(&rows)?;
    sqlx::query(
        "INSERT INTO calls (id, job, stage, round, provider, capability, request, state, reserved, opened_at, items, attempt, \
         gate, deadline, sending, model, prompt) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, 'open', \
         value ->> 7, ?2, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, \
         value ->> 14 FROM json_each(?1) WHERE true \
         ON CONFLICT (id) DO UPDATE SET state = 'open', opened_at = excluded.opened_at, deadline = excluded.deadline, \
         sending = excluded.sending, attempt = excluded.attempt, settled_at = NULL WHERE state = 'unknown'",
    )
    .bind(&body)
    .bind(now.as_micros())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO call_items (item, call) SELECT item.value, call.value ->> 0 \
         FROM json_each(?) AS call, json_each(call.value ->> 8) AS item WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(&body)
    .execute(connection)
    .await?;
    Ok(())
}
