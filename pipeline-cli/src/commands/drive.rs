//! Running a job to its end: progress meanwhile, an orderly end when interrupted, the summary after.

use std::time::Duration;

use pipeline_core::executor::ItemEvent;
use pipeline_core::id::ItemId;
use pipeline_core::model::{ItemStatus, JobStatus};
use pipeline_core::storage::{EventBody, JobRecord};
use pipeline_core::{Error, ErrorKind, Result};
use pipeline_engine::{Engine, RunSummary};

use crate::args::Global;
use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, notice};
use crate::progress::{Progress, tally};
use crate::signals::Signals;

use super::budgets;
use super::summary::summarise;
use super::why::why;

/// How often the bars are redrawn.
const REDRAW: Duration = Duration::from_millis(300);

/// Whether other processes may work on the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// They may.
    Welcome,
    /// While one does, this one is refused.
    Refused,
}

/// Runs a job until nothing of it goes on by itself, and prints what became of it.
pub(crate) async fn drive(
    engine: &Engine,
    job: JobRecord,
    company: Company,
    global: &Global,
    signals: Option<Signals>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let id = short_id(job.id);
    let resumable = |failure: Failure| failure.hint(format!("`pipeline jobs resume {id}` goes on"));
    let ended = follow(engine, &job, company, global, signals).await;
    let stopped = match ended {
        Ok(summary) => summary == RunSummary::Stopped,
        Err(error) if error.kind() == ErrorKind::Conflict => {
            return Err(Failure::from(error).hint(format!("`pipeline jobs watch {id}` follows it")));
        }
        Err(error) => {
            return Err(resumable(Failure::broken(&error)));
        }
    };
    let job = engine.job(job.id).await?;
    summarise(engine, &job, output).await?;
    if stopped && !job.status.is_terminal() {
        notice(&format!("stopped with {}; go on with: pipeline jobs resume {id}", tally(&job.counts)));
        return Ok(Exit::Interrupted);
    }
    if let Some(pause) = paused(engine, &job).await? {
        notice(&format!("{pause} with {}; go on with: pipeline jobs resume {id}", tally(&job.counts)));
        return Ok(Exit::Interrupted);
    }
    let budgets = budgets::in_the_way(engine, &job).await?;
    if !budgets.is_empty() {
        for budget in &budgets {
            notice(&budgets::plea(budget));
        }
        notice(&format!("stopped with {}; then go on with: pipeline jobs resume {id}", tally(&job.counts)));
        return Ok(Exit::Imperfect);
    }
    if job.counts.waiting > 0 {
        notice(&format!("{} wait for a person: pipeline items list {id} --status waiting", job.counts.waiting));
    }
    Ok(Exit::of(job.status, &job.counts))
}

/// Says what a person has paused, when that is why a job has not ended.
async fn paused(engine: &Engine, job: &JobRecord) -> Result<Option<&'static str>> {
    if job.status == JobStatus::Paused {
        return Ok(Some("the job is paused"));
    }
    if job.status.is_terminal() || job.counts.pending == 0 {
        return Ok(None);
    }
    let all = engine.store().queue_status().await?.paused;
    Ok(all.then_some("all work is paused (`pipeline queue resume`)"))
}

async fn follow(
    engine: &Engine,
    job: &JobRecord,
    company: Company,
    global: &Global,
    mut signals: Option<Signals>,
) -> Result<RunSummary> {
    let id = job.id;
    let plan = engine.store().plan(id).await?.plan;
    let runner = engine.clone();
    let mut run = tokio::spawn(async move {
        match company {
            Company::Welcome => runner.join_job(id).await,
            Company::Refused => runner.run_job(id).await,
        }
    });
    let mut progress = Progress::start(global.quiet, global.verbose > 0 || global.log.is_some());
    let mut events = engine.watch(id, job.last_event);
    let mut over = false;
    let mut redraw = tokio::time::interval(REDRAW);
    let mut asked = 0_u32;
    let ended = loop {
        tokio::select! {
            ended = &mut run => break ended,
            () = next(&mut signals) => {
                asked += 1;
                if asked == 1 {
                    engine.drain();
                    progress.say("stopping: what runs is brought to an end; press Ctrl-C again to stop at once");
                } else {
                    engine.stop_now();
                    progress.say("stopping at once");
                }
            }
            event = events.next(), if !over => match event {
                Ok(Some(event)) => {
                    if let EventBody::Item { item, what: ItemEvent::Ended { status } } = event.body {
                        tell(engine, &progress, item, status).await?;
                    }
                }
                Ok(None) | Err(_) => over = true,
            },
            _ = redraw.tick() => {
                if let Ok(now) = engine.job(id).await {
                    // A bar that cannot be drawn is no reason to end the job.
                    let _ = progress.update(engine, &plan, &now).await;
                }
            }
        }
    };
    progress.finish();
    ended.map_err(|error| Error::unexpected("the run ended early").because(error))?
}

/// Prints a line for an item that did not end well.
async fn tell(engine: &Engine, progress: &Progress, item: ItemId, status: ItemStatus) -> Result<()> {
    let bad = matches!(status, ItemStatus::Failed | ItemStatus::Rejected | ItemStatus::Undecided);
    if bad && progress.tells_items() {
        let item = engine.store().item(item).await?;
        let plan = engine.store().plan(item.job).await?.plan;
        let reason = why(engine, &plan, &item).await?;
        progress.say(&format!("{}: {status}: {reason}", item.name));
    }
    Ok(())
}

async fn next(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}
