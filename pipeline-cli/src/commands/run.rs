//! `run`, `submit` and `jobs resume`: submit or find a job, and bring it to its end.

use std::time::Duration;

use serde_json::json;

use pipeline_core::model::{Control, Money};
use pipeline_core::storage::JobRecord;
use pipeline_engine::{Engine, Preview, StagePreview};

use crate::args::{Global, RequestArgs, RunArgs, SubmitArgs};
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, duration, money, notice, timestamp};
use crate::request;
use crate::signals::Signals;

use super::drive::{Company, drive};
use super::{jobs, schedules};

/// Submits a job and runs it.
pub(crate) async fn run(
    engine: &Engine,
    args: &RunArgs,
    global: &Global,
    signals: Option<Signals>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    if let Some(every) = &args.request.every {
        let request = request::of_request(engine, &args.request).await?;
        return schedules::add(engine, &args.request, every, &request, output).await;
    }
    let job = enqueue(engine, &args.request).await?;
    drive(engine, job, Company::Welcome, global, signals, output).await
}

/// Submits a job and leaves it to the workers.
pub(crate) async fn submit(engine: &Engine, args: &SubmitArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if let Some(every) = &args.request.every {
        let request = request::of_request(engine, &args.request).await?;
        return schedules::add(engine, &args.request, every, &request, output).await;
    }
    let job = enqueue(engine, &args.request).await?;
    if output.is_table() {
        output.line(&job.id.to_string())?;
    } else {
        output.value(&jobs::value(&job))?;
    }
    Ok(Exit::Good)
}

/// Stores a job, or finds the one an earlier submit with the same idempotency key stored.
async fn enqueue(engine: &Engine, args: &RequestArgs) -> Result<JobRecord, Failure> {
    let request = request::of_request(engine, args).await?;
    let before = engine.store().now().await?;
    let job = engine.submit(request).await?;
    let (id, label) = (job.id, &job.label);
    if args.idempotency_key.is_some() && job.created_at < before {
        notice(&format!("job {id} ({label}) was submitted before with this key; it is {}", job.status));
    } else {
        notice(&format!("job {id} ({label}), {}", items(job.counts.planned)));
    }
    if let Some(at) = job.start_at.filter(|at| *at > before) {
        notice(&format!("it starts at {}", timestamp(at)));
    }
    Ok(job)
}

/// Goes on with a job.
pub(crate) async fn resume(
    engine: &Engine,
    text: &str,
    global: &Global,
    signals: Option<Signals>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    let id = short_id(job.id);
    if job.status.is_terminal() {
        let message = format!("job {} ({}) has ended: it is {}", job.id, job.label, job.status);
        return Err(Failure::wrong(message).hint(format!("`pipeline jobs show {id}` shows what became of it")));
    }
    let mut job = job;
    if job.control == Control::Pause {
        // While another process holds items of it, nothing is to be changed.
        if let Some(holder) = engine.store().sessions(Some(job.id)).await?.first() {
            let message =
                format!("job {} ({}) is paused, and process {} still works on it", job.id, job.label, holder.pid);
            return Err(Failure::busy(message).hint(format!("`pipeline jobs unpause {id}` lets it go on")));
        }
        job = engine.unpause(job.id).await?;
    }
    if job.control == Control::Cancel {
        notice(&format!("job {} is being cancelled; what runs is brought to an end", job.id));
    } else {
        notice(&format!("resuming job {} ({}): {}", job.id, job.label, crate::progress::tally(&job.counts)));
    }
    drive(engine, job, Company::Refused, global, signals, output).await
}

/// Says what a run would do.
pub(crate) async fn preview(engine: &Engine, args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let preview = engine.preview(&request::of_request(engine, &args.request).await?).await?;
    if !output.is_table() {
        output.value(&preview)?;
        return Ok(Exit::Good);
    }
    output.pairs(&[
        ("pipeline", preview.pipeline.clone()),
        ("items", planned(&preview)),
        ("calls", calls(&preview)),
        ("cost", estimated(&preview)),
        (
            "time",
            preview.duration_ms.map_or_else(
                || "not known before the first job of this pipeline has ended".to_owned(),
                |ms| format!("about {}", duration(Duration::from_millis(ms))),
            ),
        ),
        ("out", preview.out.clone().unwrap_or_else(|| "none; finished files stay in the artifact store".to_owned())),
        ("recipe", preview.plan_hash.chars().take(16).collect()),
    ])?;
    output.text("\n")?;
    output.table(&stages(&preview))?;
    for warning in &preview.warnings {
        notice(&format!("warning: {} is not applied ({})", warning.setting, warning.reason));
    }
    if let (Some(budget), Some(cost)) = (&args.request.budget, preview.cost) {
        let budget = request::amount("--budget", budget)?;
        if preview.cost_at_most.unwrap_or(cost) > budget {
            notice(&format!("the budget of {budget} is less than it may cost: what is beyond it would wait"));
        }
    }
    notice("dry run: nothing was stored and nothing was spent");
    Ok(Exit::Good)
}

fn stages(preview: &Preview) -> Table {
    // Columns nobody can fill only take place.
    let reused = preview.stages.iter().any(|stage| stage.reused > 0);
    let tokens = preview.stages.iter().any(|stage| stage.input_tokens.or(stage.output_tokens).is_some());
    let mut header = vec!["stage", "kind", "providers", "calls"];
    header.extend(reused.then_some("reused"));
    header.extend(tokens.then_some("tokens"));
    header.extend(["cost", "time per item", "note"]);
    let mut table = Table::new(&header);
    for stage in &preview.stages {
        let note = match (&stage.disabled_because, &stage.when) {
            (Some(reason), _) => format!("off: {reason}"),
            (None, _) if !stage.enabled => "off".to_owned(),
            (None, Some(when)) => format!("when {when}"),
            (None, None) => String::new(),
        };
        let mut cells =
            vec![stage.name.clone(), stage.kind.clone(), stage.providers.join(", "), stage.calls.to_string()];
        cells.extend(reused.then(|| stage.reused.to_string()));
        cells.extend(tokens.then(|| match (stage.input_tokens, stage.output_tokens) {
            (None, None) => "-".to_owned(),
            (read, written) => format!("{} + {}", read.unwrap_or_default(), written.unwrap_or_default()),
        }));
        cells.extend([
            if stage.calls == 0 { "-".to_owned() } else { cost(stage.cost) },
            stage.mean_ms.map_or_else(|| "-".to_owned(), |ms| duration(Duration::from_millis(ms))),
            note,
        ]);
        table.push(Row::new(cells, json!(stage)));
    }
    table
}

fn planned(preview: &Preview) -> String {
    if preview.items == preview.planned {
        return preview.planned.to_string();
    }
    let each = preview.planned / preview.items.max(1);
    format!("{} ({} × {each})", preview.planned, preview.items)
}

fn calls(preview: &Preview) -> String {
    let sum = |of: fn(&StagePreview) -> u64| preview.stages.iter().map(of).sum::<u64>();
    let (calls, reused) = (sum(|stage| stage.calls), sum(|stage| stage.reused));
    if reused == 0 { calls.to_string() } else { format!("{calls}, {reused} of them answered by earlier jobs") }
}

/// Prints the cost, and what it is estimated from.
fn estimated(preview: &Preview) -> String {
    let text = cost(preview.cost);
    let from = match preview.from_jobs {
        0 => return text,
        1 => "the last job of this pipeline".to_owned(),
        jobs => format!("the last {jobs} jobs of this pipeline"),
    };
    match preview.cost_at_most {
        Some(most) if Some(most) != preview.cost => format!("about {text} as in {from}; {most} if every call is made"),
        _ => text,
    }
}

fn cost(cost: Option<Money>) -> String {
    cost.map_or_else(|| "not known".to_owned(), money)
}

fn items(count: u64) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}
