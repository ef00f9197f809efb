//! `run --every`, and `schedules list|show|pause|resume|rm`.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::storage::{Outcome, ScheduleRecord};
use pipeline_engine::{Engine, JobRequest, Recurrence, local_timezone};

use crate::args::RequestArgs;
use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, Row, Table, clean, notice, short, timestamp};

/// Stores a recurring job instead of a job.
pub(crate) async fn add(
    engine: &Engine,
    args: &RequestArgs,
    every: &str,
    request: &JobRequest,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let name = match &args.label {
        Some(label) => label.clone(),
        None => free_name(engine, &args.pipeline.pipeline).await?,
    };
    let timezone = args.timezone.clone().unwrap_or_else(local_timezone);
    let when = Recurrence { name, every: every.to_owned(), timezone, overlap: args.overlap };
    let record = engine.schedule(request, when).await?;
    if output.is_table() {
        output.line(&format!(
            "schedule {} is stored; it is due next at {} ({})",
            record.name,
            timestamp(record.next_at),
            record.timezone
        ))?;
    } else {
        output.value(&value(&record))?;
    }
    notice("a worker or a run that goes on then submits its job: pipeline worker");
    Ok(Exit::Good)
}

/// Names a schedule after its pipeline.
async fn free_name(engine: &Engine, pipeline: &str) -> Result<String, Failure> {
    let stem =
        std::path::Path::new(pipeline).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    let taken = engine.store().schedules(Some(engine.owner())).await?;
    let free = |name: &String| taken.iter().all(|record| record.name != *name);
    let more = (2..).map(|number: u32| format!("{stem}-{number}"));
    Ok(std::iter::once(stem.clone()).chain(more).find(free).unwrap_or(stem))
}

/// Lists recurring jobs.
pub(crate) async fn list(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let header = ["name", "every", "time zone", "next", "last", "what became of it"];
    let none = "no recurring jobs: `pipeline run … --every CRON` makes one";
    let mut table = Table::new(&header).empty(none);
    for record in engine.store().schedules(Some(engine.owner())).await? {
        let cells = [
            clean(&record.name),
            record.every.clone(),
            record.timezone.clone(),
            next(&record),
            record.last.as_ref().map_or_else(|| "-".to_owned(), |last| timestamp(last.at)),
            short(&became(&record), 70),
        ];
        table.push(Row::new(cells, value(&record)));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

/// Shows one recurring job.
pub(crate) async fn show(engine: &Engine, name: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let found = engine.store().schedules(Some(engine.owner())).await?.into_iter().find(|record| record.name == name);
    match found {
        Some(record) => tell(&record, output),
        None => Err(missing(engine, name).await),
    }
}

/// Stops a recurring job for now.
pub(crate) async fn pause(engine: &Engine, name: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let paused = engine.store().pause_schedule(engine.owner(), name).await;
    tell(&steered(engine, name, paused).await?, output)
}

/// Lets a recurring job go on.
pub(crate) async fn resume(engine: &Engine, name: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let resumed = engine.resume_schedule(engine.owner(), name).await;
    tell(&steered(engine, name, resumed).await?, output)
}

/// Removes a recurring job.
pub(crate) async fn remove(engine: &Engine, name: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let removed = engine.store().unschedule(engine.owner(), name).await;
    steered(engine, name, removed).await?;
    if output.is_table() {
        output.line(&format!("schedule {} is removed; the jobs it made stay", clean(name)))?;
    } else {
        output.value(&json!({"name": name}))?;
    }
    Ok(Exit::Good)
}

async fn steered<T>(engine: &Engine, name: &str, outcome: pipeline_core::Result<T>) -> Result<T, Failure> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(missing(engine, name).await),
        Err(error) if error.kind() == ErrorKind::Invalid => Err(Failure::blame_request(&error)),
        outcome => Ok(outcome?),
    }
}

async fn missing(engine: &Engine, name: &str) -> Failure {
    let known: Vec<String> = match engine.store().schedules(Some(engine.owner())).await {
        Ok(all) => all.into_iter().map(|record| clean(&record.name)).collect(),
        Err(error) => return Failure::from(error),
    };
    let accepted =
        if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
    Failure::wrong(format!("there is no schedule `{}`", clean(name))).hint(accepted)
}

fn tell(record: &ScheduleRecord, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if !output.is_table() {
        output.value(&value(record))?;
        return Ok(Exit::Good);
    }
    let recipe = &record.request.recipe;
    output.pairs(&[
        ("schedule", clean(&record.name)),
        ("every", format!("{} ({})", record.every, record.timezone)),
        ("next", next(record)),
        ("pipeline", recipe.preset.clone().unwrap_or_else(|| recipe.file.clone())),
        ("inputs", recipe.inputs.join(", ")),
        ("overlap", if record.overlap { "yes" } else { "no: left out while the last job has not ended" }.to_owned()),
        ("last", record.last.as_ref().map_or_else(|| "-".to_owned(), |last| timestamp(last.at))),
        ("what became of it", became(record)),
        ("last job", record.last_job.map_or_else(|| "-".to_owned(), |job| job.to_string())),
    ])?;
    Ok(Exit::Good)
}

fn next(record: &ScheduleRecord) -> String {
    if record.paused { "paused".to_owned() } else { timestamp(record.next_at) }
}

fn became(record: &ScheduleRecord) -> String {
    match record.last.as_ref().map(|last| &last.outcome) {
        None => "-".to_owned(),
        Some(Outcome::Begun) => "being submitted".to_owned(),
        Some(Outcome::Submitted { job }) => format!("job {}", short_id(*job)),
        Some(Outcome::Skipped { open }) => format!("left out: job {} had not ended", short_id(*open)),
        Some(Outcome::Failed { reason }) => format!("failed: {}", clean(reason)),
    }
}

/// Returns what machines get of a schedule.
fn value(record: &ScheduleRecord) -> Value {
    json!({
        "id": record.id,
        "name": record.name,
        "owner": record.owner,
        "every": record.every,
        "timezone": record.timezone,
        "overlap": record.overlap,
        "paused": record.paused,
        "next_at": (!record.paused).then(|| record.next_at.to_string()),
        "last_at": record.last.as_ref().map(|last| last.at.to_string()),
        "last": record.last.as_ref().map(|last| &last.outcome),
        "last_job": record.last_job,
        "created_at": record.created_at.to_string(),
        "request": record.request,
    })
}
