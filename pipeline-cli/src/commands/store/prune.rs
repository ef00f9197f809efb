//! `store prune`.

use pipeline_core::model::JobStatus;
use pipeline_core::storage::JobRecord;
use pipeline_engine::Engine;
use pipeline_engine::upkeep::PruneOptions;
use serde_json::json;

use crate::commands::{confirm, jobs};
use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, Row, Table, notice, short, timestamp};
use crate::when;

/// Removes jobs that ended long ago, and prints each.
pub(super) async fn prune(
    engine: &Engine,
    older_than: &str,
    statuses: &[JobStatus],
    dry_run: bool,
    yes: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let older_than = when::span("--older-than", older_than)?;
    let mut options = PruneOptions { older_than, statuses: statuses.to_vec(), dry_run: true };
    let upkeep = engine.upkeep();
    if !dry_run {
        if !yes {
            let found = upkeep.prune(&options, |_| {}).await?.jobs;
            if found > 0 {
                confirm::confirm(("Remove", "removed"), found, "job")?;
            }
        }
        options.dry_run = false;
    }
    let mut table =
        Table::new(&["id", "label", "status", "items", "ended"]).empty("no job ended so long ago in such a state");
    let report = upkeep.prune(&options, |job| table.push(row(job))).await?;
    output.rows(&table)?;
    let which = if dry_run { "would be removed" } else { "removed" };
    notice(&format!("{} jobs with {} items {which}; `store gc` removes their files", report.jobs, report.items));
    Ok(Exit::Good)
}

/// Removes what the logs tell of a time long ago, and says how much that was.
pub(super) async fn prune_logs(
    engine: &Engine,
    older_than: &str,
    dry_run: bool,
    yes: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let older_than = when::span("--older-than", older_than)?;
    let upkeep = engine.upkeep();
    if !dry_run && !yes {
        let found = upkeep.prune_logs(older_than, true).await?;
        if found > 0 {
            confirm::confirm(("Remove", "removed"), found, "line")?;
        }
    }
    let entries = upkeep.prune_logs(older_than, dry_run).await?;
    if output.is_table() {
        let which = if dry_run { "would be removed" } else { "removed" };
        output.line(&format!("{} of the logs {which}", confirm::counted(entries, "line")))?;
    } else {
        output.value(&json!({"entries": entries, "dry_run": dry_run}))?;
    }
    Ok(Exit::Good)
}

fn row(job: &JobRecord) -> Row {
    let cells = [
        short_id(job.id),
        short(&job.label, 32),
        job.status.to_string(),
        job.counts.planned.to_string(),
        job.ended_at.map_or_else(|| "-".to_owned(), timestamp),
    ];
    Row::new(cells, jobs::value(job))
}
