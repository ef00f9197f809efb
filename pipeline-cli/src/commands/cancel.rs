//! `jobs cancel`: one job or all of them, with the workers' help or without.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::storage::{JobCursor, JobOrder, JobQuery, JobRecord};
use pipeline_engine::Engine;

use crate::args::CancelArgs;
use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, Row, Table, short};

use super::confirm::confirm;
use super::jobs;
use super::summary::parts;

/// Cancels what the arguments say.
pub(crate) async fn cancel(engine: &Engine, args: &CancelArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    match &args.job {
        Some(text) => {
            let job = jobs::open(engine, text, "cancelled").await?;
            jobs::tell(&jobs::steered(end(engine, &job, args.force).await)?, output)
        }
        None => all(engine, args, output).await,
    }
}

async fn end(engine: &Engine, job: &JobRecord, force: bool) -> pipeline_core::Result<JobRecord> {
    if force { engine.abandon(job.id).await } else { engine.cancel(job.id).await }
}

async fn all(engine: &Engine, args: &CancelArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let open = open(engine).await?;
    if !open.is_empty() && !args.yes {
        confirm(("Cancel", "cancelled"), open.len() as u64, "job")?;
    }
    let mut table = Table::new(&["id", "label", "status", "items"]).empty("there is no job that has not ended");
    let mut exit = Exit::Good;
    for job in &open {
        let (now, problem) = match end(engine, job, args.force).await {
            Ok(now) => (now, None),
            // It has ended meanwhile, which is as good.
            Err(error) if error.kind() == ErrorKind::Conflict => (engine.job(job.id).await?, None),
            Err(error) => {
                exit = Exit::Broken;
                (job.clone(), Some(pipeline_core::error::chain(&error)))
            }
        };
        let status = problem.as_ref().map_or_else(|| now.status.to_string(), |problem| format!("not done: {problem}"));
        let mut value = jobs::value(&now);
        if let Value::Object(fields) = &mut value {
            fields.insert("error".to_owned(), json!(problem));
        }
        table.push(Row::new([short_id(now.id), short(&now.label, 32), status, parts(&now.counts)], value));
    }
    output.rows(&table)?;
    Ok(exit)
}

/// Returns every job that has not ended.
async fn open(engine: &Engine) -> Result<Vec<JobRecord>, Failure> {
    let mut open = Vec::new();
    let mut after = None;
    loop {
        let page = engine.jobs(JobQuery { after, limit: jobs::PAGE, ..JobQuery::default() }).await?;
        let Some(last) = page.last() else { return Ok(open) };
        after = Some(JobCursor::of(last, JobOrder::default()));
        open.extend(page.into_iter().filter(|job| !job.status.is_terminal()));
    }
}
