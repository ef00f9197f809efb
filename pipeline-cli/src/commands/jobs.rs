//! `jobs list`, `jobs show`, `jobs cancel`.

use serde_json::{Value, json};

use pipeline_core::model::Counts;
use pipeline_core::storage::{JobQuery, JobRecord, SessionRecord};
use pipeline_engine::Engine;

use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, ago, duration, money, notice, short, timestamp};
use crate::progress::{percent, took};

use super::summary::parts;

/// How many jobs are asked for at once.
const PAGE: u32 = 200;

/// Lists jobs, newest first.
pub(crate) async fn list(engine: &Engine, limit: u32, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let now = engine.store().now().await?;
    let mut table = Table::new(&["id", "label", "status", "items", "not good", "cost", "took", "submitted"])
        .empty("no jobs yet: `pipeline run factory -i keywords.txt` makes one");
    let mut left = limit;
    let mut before = None;
    while left > 0 {
        let jobs = engine.jobs(JobQuery { before, limit: left.min(PAGE), ..JobQuery::default() }).await?;
        let Some(last) = jobs.last() else { break };
        before = Some(last.id);
        left = left.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        for job in &jobs {
            let cells = [
                short_id(job.id),
                short(&job.label, 32),
                job.status.to_string(),
                items(&job.counts),
                bad(&job.counts),
                money(job.cost),
                took(job, now),
                ago(job.created_at, now),
            ];
            table.push(Row::new(cells, value(job)));
        }
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

/// Shows one job.
pub(crate) async fn show(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    let stored = engine.store().plan(job.id).await?;
    let tallies = engine.store().tallies(job.id).await?;
    let holders = engine.store().sessions(Some(job.id)).await?;
    let now = engine.store().now().await?;
    if !output.is_table() {
        let mut shown = value(&job);
        let stages: Vec<Value> = stored
            .plan
            .stages
            .iter()
            .map(|stage| {
                let tally = tallies.iter().find(|tally| tally.stage == stage.name);
                json!({
                    "name": stage.name, "kind": stage.kind, "role": stage.role, "enabled": stage.enabled,
                    "results": tally.map_or(0, |tally| tally.count),
                    "total_ms": tally.map_or(0, |tally| tally.total.as_millis() as u64),
                    "cost_micros": tally.map_or(0, |tally| tally.cost.as_micros()),
                })
            })
            .collect();
        if let Value::Object(fields) = &mut shown {
            fields.insert("plan_hash".to_owned(), json!(stored.plan.hash));
            fields.insert("seed".to_owned(), json!(stored.plan.seed));
            fields.insert("stages".to_owned(), Value::Array(stages));
            fields.insert("settings".to_owned(), stored.settings);
            fields.insert("held_by".to_owned(), json!(holders.iter().map(holder_value).collect::<Vec<_>>()));
        }
        output.value(&shown)?;
        return Ok(Exit::Good);
    }
    let mut pairs = vec![
        ("job", job.id.to_string()),
        ("label", job.label.clone()),
        ("pipeline", job.pipeline.clone()),
        ("status", job.status.to_string()),
        ("items", parts(&job.counts)),
        ("progress", format!("{} %", percent(&job))),
        ("cost", money(job.cost)),
        ("submitted", timestamp(job.created_at)),
        ("started", job.started_at.map_or_else(|| "-".to_owned(), timestamp)),
        ("ended", job.ended_at.map_or_else(|| "-".to_owned(), timestamp)),
        ("took", took(&job, now)),
        ("out", job.out.clone().unwrap_or_else(|| "-".to_owned())),
        ("recipe", stored.plan.hash.to_hex()),
        ("seed", stored.plan.seed.to_string()),
    ];
    for holder in &holders {
        pairs.push(("held by", format!("process {} on {}", holder.pid, holder.host)));
    }
    if holders.is_empty() && !job.status.is_terminal() {
        pairs.push(("held by", format!("nobody; go on with: pipeline jobs resume {}", short_id(job.id))));
    }
    output.pairs(&pairs)?;
    let mut table = Table::new(&["stage", "kind", "results", "mean", "total", "cost", "note"]);
    for stage in &stored.plan.stages {
        let tally = tallies.iter().find(|tally| tally.stage == stage.name);
        let count = tally.map_or(0, |tally| tally.count);
        let mean = tally
            .filter(|tally| tally.count > 0)
            .map(|tally| tally.total / u32::try_from(tally.count).unwrap_or(u32::MAX));
        let note = match (&stage.disabled_because, &stage.when) {
            (Some(reason), _) => format!("off: {reason}"),
            (None, Some(when)) => format!("when {}", when.source()),
            (None, None) => String::new(),
        };
        table.cells([
            stage.name.to_string(),
            stage.kind.clone(),
            count.to_string(),
            mean.map_or_else(|| "-".to_owned(), duration),
            tally.map_or_else(|| "-".to_owned(), |tally| duration(tally.total)),
            tally.map_or_else(|| "-".to_owned(), |tally| money(tally.cost)),
            note,
        ]);
    }
    output.text("\n")?;
    output.table(&table)?;
    for warning in &stored.plan.warnings {
        notice(&format!("warning: {} is not applied ({})", warning.setting, warning.reason));
    }
    Ok(Exit::Good)
}

/// Cancels a job.
pub(crate) async fn cancel(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    if job.status.is_terminal() {
        return Err(Failure::wrong(format!("job {} ({}) has ended: it is {}", job.id, job.label, job.status))
            .hint("only a job that has not ended can be cancelled"));
    }
    let job = engine.cancel(job.id).await?;
    if output.is_table() {
        output.line(&format!("job {} ({}) is {}; {}", job.id, job.label, job.status, parts(&job.counts)))?;
    } else {
        output.value(&value(&job))?;
    }
    Ok(Exit::Good)
}

/// Returns what machines get of a job.
fn value(job: &JobRecord) -> Value {
    json!({
        "id": job.id,
        "label": job.label,
        "status": job.status,
        "counts": job.counts,
        "pipeline": job.pipeline,
        "owner": job.owner,
        "priority": job.priority,
        "control": job.control,
        "progress_percent": percent(job),
        "cost_micros": job.cost.as_micros(),
        "created_at": job.created_at.to_string(),
        "started_at": job.started_at.map(|time| time.to_string()),
        "ended_at": job.ended_at.map(|time| time.to_string()),
        "last_event": job.last_event,
        "out": job.out,
        "parent": job.parent,
    })
}

fn holder_value(holder: &SessionRecord) -> Value {
    json!({"pid": holder.pid, "host": holder.host, "since": holder.started_at.to_string(), "items": holder.claims})
}

fn items(counts: &Counts) -> String {
    if counts.open() == 0 { counts.planned.to_string() } else { format!("{}/{}", counts.ended(), counts.planned) }
}

fn bad(counts: &Counts) -> String {
    let bad = counts.rejected + counts.undecided + counts.failed + counts.cancelled;
    if bad == 0 { "-".to_owned() } else { bad.to_string() }
}
