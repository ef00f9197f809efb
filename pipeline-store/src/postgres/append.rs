//! Appending results and intents of calls, within a commit.

use std::collections::HashSet;

use pipeline_core::storage::{Commit, NewCall, ResultRecord};
use pipeline_core::time::Timestamp;
use sqlx::PgConnection;

use super::fault::Work;

const RESULTS: &str = "INSERT INTO results (id, item, stage, round, attempt, provider, cost, started_at, ended_at, \
     verdict, files, fields, reused) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], \
     $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::uuid[])";

/// A call that serves several items may come with each of them; it is written once. An unknown one is opened again.
const CALLS: &str = "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], \
     $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[], $12::text[], $13::bigint[], $14::uuid[], $15::text[], $16::text[]) \
     AS given (id, job, stage, round, attempt, provider, capability, request, reserved, items, gate, deadline, sending, model, prompt)), \
     opened AS (INSERT INTO calls (id, job, stage, round, attempt, provider, capability, request, reserved, items, \
     state, opened_at, gate, deadline, sending, model, prompt) SELECT id, job, stage, round, attempt, provider, capability, request, reserved, \
     items::uuid[], 'open', $11, gate, deadline, sending, model, prompt FROM given ON CONFLICT (id) DO UPDATE SET state = 'open', \
     opened_at = excluded.opened_at, deadline = excluded.deadline, sending = excluded.sending, \
     attempt = excluded.attempt, settled_at = NULL WHERE calls.state = 'unknown') \
     INSERT INTO call_items (item, call) SELECT served.item, given.id \
     FROM given CROSS JOIN LATERAL unnest(given.items::uuid[]) AS served (item) ON CONFLICT DO NOTHING";

pub(super) const USED: &str = "UPDATE call_items SET used = true FROM unnest($1::uuid[], $2::uuid[]) \
     AS given (item, call) WHERE call_items.item = given.item AND call_items.call = given.call";

/// Appends the results of commits.
pub(super) async fn results(connection: &mut PgConnection, commits: &[&Commit]) -> Work<()> {
    let results: Vec<&ResultRecord> = commits.iter().flat_map(|commit| &commit.results).collect();
    if results.is_empty() {
        return Ok(());
    }
    let numbers = |of: fn(&ResultRecord) -> i64| results.iter().map(|result| of(result)).collect::<Vec<_>>();
    let verdicts = results.iter().map(|result| result.verdict.as_ref().map(serde_json::to_string).transpose());
    let files = results.iter().map(|result| serde_json::to_string(&result.files));
    let fields = results.iter().map(|result| serde_json::to_string(&result.fields));
    sqlx::query(RESULTS)
        .bind(results.iter().map(|result| result.id.as_uuid()).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.item.as_uuid()).collect::<Vec<_>>())
        .bind(results.iter().map(|result| result.stage.as_str()).collect::<Vec<_>>())
        .bind(numbers(|result| i64::from(result.round)))
        .bind(numbers(|result| i64::from(result.attempt)))
        .bind(results.iter().map(|result| result.provider.as_deref()).collect::<Vec<_>>())
        .bind(numbers(|result| result.cost.as_micros()))
        .bind(numbers(|result| result.started_at.as_micros()))
        .bind(numbers(|result| result.ended_at.as_micros()))
        .bind(verdicts.collect::<Result<Vec<_>, _>>()?)
        .bind(files.collect::<Result<Vec<_>, _>>()?)
        .bind(fields.collect::<Result<Vec<_>, _>>()?)
        .bind(results.iter().map(|result| result.reused.map(|call| call.as_uuid())).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks the answers that the items of commits have used up.
pub(super) async fn used(connection: &mut PgConnection, commits: &[&Commit]) -> Work<()> {
    let rows = || commits.iter().flat_map(|commit| commit.used.iter().map(|call| (commit.item, *call)));
    if rows().next().is_some() {
        sqlx::query(USED)
            .bind(rows().map(|(item, _)| item.as_uuid()).collect::<Vec<_>>())
            .bind(rows().map(|(_, call)| call.as_uuid()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Writes the intents of commits.
pub(super) async fn calls(connection: &mut PgConnection, commits: &[&Commit], now: Timestamp) -> Work<()> {
    let mut seen = HashSet::new();
    let calls = commits.iter().flat_map(|commit| &commit.calls).filter(|call| seen.insert(call.id));
    let calls: Vec<&NewCall> = calls.collect();
    if calls.is_empty() {
        return Ok(());
    }
    // An array of arrays would need them to be of one length, so the inner ones travel as text.
    let items = calls.iter().map(|call| {
        let ids: Vec<String> = call.items.iter().map(ToString::to_string).collect();
        format!("{{{}}}", ids.join(","))
    });
    sqlx::query(CALLS)
        .bind(calls.iter().map(|call| call.id.as_uuid()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.job.as_uuid()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.stage.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| i64::from(call.round)).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| i64::from(call.attempt)).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.provider.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.capability.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.request.to_hex()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.reserved.unwrap_or_default().as_micros()).collect::<Vec<_>>())
        .bind(items.collect::<Vec<_>>())
        .bind(now.as_micros())
        .bind(calls.iter().map(|call| call.gate.as_ref().map(|pass| pass.key.as_str())).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| now.after(call.patience).as_micros()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.sending.as_uuid()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.model.as_deref()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.prompt.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
