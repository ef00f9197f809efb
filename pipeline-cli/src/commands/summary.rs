//! What became of a job, after `run` and `resume`.

use serde::Serialize;

use pipeline_core::id::JobId;
use pipeline_core::model::{Counts, Estimate, ItemStatus, JobStatus, Money};
use pipeline_core::storage::{ItemQuery, JobRecord};
use pipeline_engine::Engine;

use crate::lookup::short_id;
use crate::output::{Failure, Output, Row, Table, short};
use crate::progress::took;

use super::estimate::Compared;
use super::why::why;

/// At most so many items that are not good are printed.
const SHOWN: u32 = 10;

/// What machines get: exactly these fields.
#[derive(Debug, Serialize)]
struct Summary {
    job: JobId,
    label: String,
    status: JobStatus,
    counts: Counts,
    cost_micros: i64,
    estimated_cost_micros: Option<i64>,
    calls: u64,
    reused: u64,
    estimated_calls: Option<u64>,
    duration_ms: u64,
    out: Option<String>,
    files: Vec<String>,
}

/// Prints what became of a job.
pub(crate) async fn summarise(engine: &Engine, job: &JobRecord, output: &mut Output<'_>) -> Result<(), Failure> {
    let files: Vec<String> =
        engine.published(job.id).await?.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let now = engine.store().now().await?;
    let compared = Compared::of(engine, job, engine.store().plan(job.id).await?.estimate).await?;
    if !output.is_table() {
        let from = job.started_at.unwrap_or(job.created_at);
        let lasted = job.ended_at.unwrap_or(now).since(from);
        return output.value(&Summary {
            job: job.id,
            label: job.label.clone(),
            status: job.status,
            counts: job.counts,
            cost_micros: job.cost.as_micros(),
            estimated_cost_micros: compared.expected().and_then(Estimate::cost).map(Money::as_micros),
            calls: compared.calls,
            reused: compared.reused,
            estimated_calls: compared.expected().map(Estimate::calls),
            duration_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            out: job.out.clone(),
            files,
        });
    }
    let mut pairs = vec![
        ("job", job.id.to_string()),
        ("label", job.label.clone()),
        ("status", job.status.to_string()),
        ("items", parts(&job.counts)),
    ];
    pairs.extend(compared.pairs(job.cost));
    pairs.extend([("duration", took(job, now)), ("out", out(job, files.len()))]);
    output.pairs(&pairs)?;
    bad_items(engine, job, output).await
}

fn out(job: &JobRecord, files: usize) -> String {
    match &job.out {
        Some(folder) => format!("{folder} ({files} {})", if files == 1 { "file" } else { "files" }),
        None => "none; finished files stay in the artifact store (--out DIR publishes them)".to_owned(),
    }
}

/// Prints counts, leaving out what there is none of: `12: 10 succeeded, 2 failed`.
pub(crate) fn parts(counts: &Counts) -> String {
    let parts: Vec<String> = ItemStatus::ALL
        .iter()
        .filter(|status| counts.of(**status) > 0)
        .map(|status| format!("{} {status}", counts.of(*status)))
        .collect();
    if parts.is_empty() { "none".to_owned() } else { format!("{}: {}", counts.planned, parts.join(", ")) }
}

async fn bad_items(engine: &Engine, job: &JobRecord, output: &mut Output<'_>) -> Result<(), Failure> {
    let statuses = vec![ItemStatus::Rejected, ItemStatus::Undecided, ItemStatus::Failed, ItemStatus::Waiting];
    let all: u64 = statuses.iter().map(|status| job.counts.of(*status)).sum();
    if all == 0 {
        return Ok(());
    }
    let query = ItemQuery { statuses: statuses.clone(), limit: SHOWN, ..ItemQuery::of(job.id) };
    let items = engine.items(query).await?;
    let plan = engine.store().plan(job.id).await?.plan;
    let mut table = Table::new(&["item", "status", "why"]);
    let mut shown = 0;
    for item in &items {
        shown += u64::from(item.machine.leaves.max(1));
        let reason = why(engine, &plan, item).await?;
        table.push(Row::new([short(&item.name, 40), item.status.to_string(), reason], serde_json::Value::Null));
    }
    output.text("\n")?;
    output.table(&table)?;
    if all > shown {
        let present = statuses.iter().filter(|status| job.counts.of(**status) > 0);
        let words: Vec<&str> = present.map(|status| status.as_str()).collect();
        let more = all - shown;
        output.line(&format!(
            "… and {more} more: pipeline items list {} --status {}",
            short_id(job.id),
            words.join(",")
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_name_only_what_there_is() {
        let mut counts = Counts::default();
        assert_eq!(parts(&counts), "none");
        counts.add(ItemStatus::Succeeded, 10);
        counts.add(ItemStatus::Failed, 2);
        assert_eq!(parts(&counts), "12: 10 succeeded, 2 failed");
    }
}
