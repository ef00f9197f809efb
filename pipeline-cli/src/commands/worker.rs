//! `worker`: works on the jobs of the store until it is stopped, or until nothing is left.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use pipeline_core::ErrorKind;
use pipeline_core::error::chain;
use pipeline_core::id::SessionId;
use pipeline_core::storage::NewSession;
use pipeline_engine::{Engine, RunSummary};

use crate::args::WorkerArgs;
use crate::output::{Exit, Failure, Output, notice};
use crate::scrape::Scrape;
use crate::signals::Signals;

use super::budgets;

/// How long to wait before working again after the store had failed for too long.
const AGAIN: Duration = Duration::from_secs(5);

/// What machines get when a worker has ended.
#[derive(Debug, Serialize)]
struct Report {
    session: SessionId,
    host: String,
    pid: u32,
    store: String,
    /// `idle`, `drained` or `stopped`.
    ended: &'static str,
    items: u64,
}

/// How a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Drain,
    Stop,
}

/// Works on the jobs of the store.
pub(crate) async fn work(
    engine: &Engine,
    args: &WorkerArgs,
    signals: Option<Signals>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    // Before any work, so that a wrong address stops nothing.
    let scrape = match &args.metrics {
        Some(address) => Some(Scrape::start(engine, address).await?),
        None => None,
    };
    let info = engine.store().info();
    let store = format!("{} at {}", info.backend, info.location);
    let listening = scrape.as_ref().map(Scrape::address);
    let patience = Duration::from_secs(args.drain_timeout);
    let mut worker = Worker {
        engine,
        drain: args.drain,
        signals,
        asked: Asked::Nothing,
        deadline: None,
        opened: engine.session(),
        session: None,
    };
    let ended = worker.watch(patience, |session| {
        let NewSession { id, host, pid, .. } = session;
        notice(&format!("worker {id} on {host} (process {pid}) works on the jobs of {store}"));
        if let Some(address) = listening {
            notice(&format!("metrics are at http://{address}/metrics"));
        }
    });
    let ended = ended.await?;
    let items = engine.metrics().await.items_ended;
    drop(scrape);
    let Some(NewSession { id: session, host, pid, .. }) = worker.session else {
        return Err(Failure::unexpected("the worker had no session"));
    };
    let ended = match (ended, worker.asked) {
        (RunSummary::Idle, _) => "idle",
        (RunSummary::Stopped, Asked::Stop) => "stopped",
        (RunSummary::Stopped, Asked::Drain | Asked::Nothing) => "drained",
    };
    if ended == "idle" {
        for budget in engine.store().budgets().await?.iter().filter(|budget| budget.closed.is_some()) {
            notice(&budgets::plea(budget));
        }
    }
    if output.is_table() {
        let done = if items == 1 { "1 item".to_owned() } else { format!("{items} items") };
        let why = match ended {
            "idle" => "nothing is left to do",
            "drained" => "what ran was brought to an end",
            _ => "what ran was given back",
        };
        output.line(&format!("worker {session} has ended: {done} done; {why}"))?;
    } else {
        output.value(&Report { session, host, pid, store, ended, items })?;
    }
    Ok(if ended == "stopped" { Exit::Interrupted } else { Exit::Good })
}

type Run = JoinHandle<pipeline_core::Result<RunSummary>>;

fn joined(
    ended: Result<pipeline_core::Result<RunSummary>, tokio::task::JoinError>,
) -> pipeline_core::Result<RunSummary> {
    ended.unwrap_or_else(|error| Err(pipeline_core::Error::unexpected("the worker ended early").because(error)))
}

struct Worker<'e> {
    engine: &'e Engine,
    drain: bool,
    signals: Option<Signals>,
    asked: Asked,
    deadline: Option<tokio::time::Instant>,
    opened: watch::Receiver<Option<NewSession>>,
    /// The newest one.
    session: Option<NewSession>,
}

impl Worker<'_> {
    fn start(&self) -> Run {
        let (engine, drain) = (self.engine.clone(), self.drain);
        tokio::spawn(async move { if drain { engine.run_until_idle().await } else { engine.work().await } })
    }

    /// Works until the work ends for good: a lost lease or a store that was away is no such end. Says which session it
    /// works in once there is one.
    async fn watch(&mut self, patience: Duration, tell: impl Fn(&NewSession)) -> pipeline_core::Result<RunSummary> {
        let mut run = self.start();
        loop {
            tokio::select! {
                // First, because a short run may have ended in the same moment.
                biased;
                Ok(()) = self.opened.changed() => {
                    self.session.clone_from(&self.opened.borrow_and_update());
                    self.session.iter().for_each(&tell);
                }
                ended = &mut run => match joined(ended) {
                    Ok(summary) => return Ok(summary),
                    Err(error) if self.asked != Asked::Nothing => return Err(error),
                    Err(error) if error.kind() == ErrorKind::Conflict => {
                        notice(&format!("{}; going on with a new session", chain(&error)));
                        run = self.start();
                    }
                    Err(error) if self.drain => return Err(error),
                    Err(error) => {
                        notice(&format!("{}; trying again in {} s", chain(&error), AGAIN.as_secs()));
                        self.pause(patience).await;
                        run = self.start();
                    }
                },
                () = heard(&mut self.signals) => self.hear(patience),
                () = due(self.deadline) => {
                    notice("what runs has not ended in time; stopping at once");
                    self.stop();
                }
            }
        }
    }

    async fn pause(&mut self, patience: Duration) {
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = heard(&mut self.signals) => self.hear(patience),
        }
    }

    fn hear(&mut self, patience: Duration) {
        if self.asked == Asked::Nothing {
            notice("stopping: what runs is brought to an end; a second signal stops at once");
            self.asked = Asked::Drain;
            self.deadline = Some(tokio::time::Instant::now() + patience);
            self.engine.drain();
        } else {
            notice("stopping at once");
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.asked = Asked::Stop;
        self.deadline = None;
        self.engine.stop_now();
    }
}

async fn heard(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

async fn due(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
