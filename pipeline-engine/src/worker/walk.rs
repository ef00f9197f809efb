//! One item's walk while this process holds it: events in, commits out, stages started.

mod end;
mod ledger;
mod telling;
mod writing;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument as _;

use pipeline_core::executor::{Effect, Event, ItemMachine, Resume, StageState, Wait};
use pipeline_core::id::{ItemId, Token};
use pipeline_core::model::{Control, LogLevel};
use pipeline_core::pipeline::StageIndex;
use pipeline_core::provider::Journal;
use pipeline_core::stage::Task;
use pipeline_core::storage::{Claimed, CommitReply, ItemRecord};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, ErrorKind, Result};

use super::calls::{Caller, IntentRequest};
use super::committer::{Committer, Receipt, Tickets};
use super::context::RunContext;
use super::inputs::{self, Results};
use super::job::{JobContext, Place};
use super::run::{Signals, Stop};
use super::shared::Shared;
use crate::scribe::Trying;

use end::Made;
pub(crate) use end::{Ended, late};

/// A try that is to be started.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) stage: StageIndex,
    pub(crate) attempt: u32,
    pub(crate) task: Task,
}

#[derive(Debug)]
struct Running {
    stage: StageIndex,
    attempt: u32,
    started_at: Timestamp,
    abort: AbortHandle,
}

/// One item's walk.
#[derive(Debug)]
pub(crate) struct Walk {
    shared: Arc<Shared>,
    committer: Committer,
    pub(crate) job: Arc<JobContext>,
    item: ItemRecord,
    token: Token,
    /// It was never handed out before.
    first: bool,
    machine: ItemMachine,
    results: Results,
    runs: JoinSet<Ended>,
    running: HashMap<Id, Running>,
    intents: (mpsc::Sender<IntentRequest>, mpsc::Receiver<IntentRequest>),
    /// The last commit, while its answer is not known. Those before it are answered with it or earlier.
    unanswered: Option<Receipt>,
    /// True once another claim has superseded this one.
    superseded: bool,
    /// Its place in the job, once it has one.
    place: Option<Place>,
}

impl Walk {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        committer: &Committer,
        job: &Arc<JobContext>,
        claimed: Claimed,
        results: Results,
    ) -> Self {
        let Claimed { mut item, token, first } = claimed;
        // The machine is kept once: the record's copy would be stale after the first step.
        let machine = std::mem::replace(&mut item.machine, ItemMachine::new(item.id, &job.plan));
        Self {
            shared: Arc::clone(shared),
            committer: committer.clone(),
            job: Arc::clone(job),
            item,
            token,
            first,
            machine,
            results,
            runs: JoinSet::new(),
            running: HashMap::new(),
            intents: mpsc::channel(4),
            unanswered: None,
            superseded: false,
            place: None,
        }
    }

    /// Takes a place in the job.
    pub(crate) fn sit(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Applies an event: step, adopt, queue the commit. Returns what is to be started.
    ///
    /// The commit is not waited for. What is started may run ahead of it only as far as [`Walk::start`] says; before
    /// that, and before the item is given back, [`Walk::settled`] waits.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<Vec<Start>> {
        self.apply_at(self.shared.now(), self.shared.draw(), event, Made::default())
    }

    fn apply_at(&mut self, now: Timestamp, draw: u64, event: &Event, made: Made) -> Result<Vec<Start>> {
        let Made { result: made, used, unsettled, ticket, took } = made;
        let facts = if self.job.conditional {
            let mut facts = inputs::facts(&self.job.plan, &self.item.input, &self.results);
            if let Some((index, result)) = &made
                && let Some(stage) = self.job.plan.stage(*index)
            {
                facts.insert(stage.name.to_string(), serde_json::Value::Object(result.fields.clone()));
            }
            facts
        } else {
            pipeline_core::expression::Facts::new()
        };
        let transition = self
            .machine
            .step(&self.job.plan, &facts, now, draw, event)
            .map_err(|error| Error::unexpected("the item cannot take this event").because(error))?;
        if transition.ignored {
            return Ok(Vec::new());
        }
        self.tell_of(event, &transition.events, took);
        let result = made.as_ref().map(|(_, result)| result.clone());
        let next = transition.next;
        let siblings = next.expanded.unwrap_or(1);
        let children = transition.children.into_iter().map(|child| self.child(child, siblings)).collect();
        let mut commit = self.commit_of(&next, now);
        let gated = |state: &StageState| matches!(state, StageState::Waiting { on: Wait::Gate { .. }, .. });
        if unsettled && !commit.machine.stages.iter().any(gated) {
            // It goes on with the call it has made, whatever holds new ones back.
            commit.gate = None;
        }
        commit.results = result.into_iter().collect();
        commit.used = used;
        commit.children = children;
        commit.events = transition.events;
        self.unanswered = Some(self.committer.put_with(commit, ticket));
        self.machine = next;
        if let Some((index, result)) = made {
            self.results.insert(index, result);
        }
        let mut starts = Vec::new();
        for effect in transition.effects {
            match effect {
                Effect::Run { stage, attempt, resume } => {
                    let task = self.task(stage, attempt, resume);
                    starts.push(Start { stage, attempt, task });
                }
                Effect::Abort { stage } => {
                    for running in self.running.values().filter(|running| running.stage == stage) {
                        running.abort.abort();
                    }
                }
            }
        }
        Ok(starts)
    }

    /// Starts a try on its own.
    pub(crate) fn start(&mut self, start: Start) {
        let (Some(code), Some(context)) =
            (self.job.stage(start.stage), self.context(start.stage, start.attempt, Some(self.item.id)))
        else {
            let kind = self.job.plan.stage(start.stage).map(|stage| stage.kind.clone()).unwrap_or_default();
            let unknown = Error::new(ErrorKind::Unsupported, "this program has no such stage kind").with("kind", kind);
            let ended = self.end(Err(unknown));
            return self.follow(start.stage, start.attempt, async move { ended });
        };
        let (limit, shared) = (self.limit(start.stage), Arc::clone(&self.shared));
        let (stage, attempt, task, item) = (start.stage, start.attempt, start.task, self.item.id);
        self.follow(stage, attempt, async move {
            let run = code.run(&context, task);
            let outcome = context.0.limited(limit, run).await.unwrap_or_else(|limit| Err(late(limit)));
            let (used, reused) = (context.0.used(&outcome), context.0.reused(item));
            let (unsettled, barred) = (context.0.is_unsettled(), context.0.barred());
            Ended { outcome, used, reused, unsettled, barred, ticket: None, at: shared.now(), draw: shared.draw() }
        });
    }

    /// Waits for a try that runs elsewhere, together with other items'.
    pub(crate) fn follow(
        &mut self,
        stage: StageIndex,
        attempt: u32,
        run: impl Future<Output = Ended> + Send + 'static,
    ) {
        self.tell_start(stage, attempt);
        let planned = self.job.plan.stage(stage);
        let span = tracing::debug_span!("stage", name = planned.map(|stage| stage.name.as_str()), attempt);
        let abort = self.runs.spawn(run.instrument(span));
        let started_at = self.shared.now();
        self.running.insert(abort.id(), Running { stage, attempt, started_at, abort });
    }

    /// Drives the item until it has nothing running: then it has been released by its last commit.
    pub(crate) async fn drive(mut self, signals: Signals) -> Result<()> {
        let Signals { mut lost, mut stop } = signals;
        let mut control = self.job.control.listen();
        if control.get() == Control::Cancel {
            self.step(&Event::CancelRequested).await?;
        }
        while !self.superseded && !self.runs.is_empty() {
            let now = self.shared.now();
            let wake = self.machine.wake_at().map(|at| at.since(now));
            tokio::select! {
                biased;
                Some(ended) = self.runs.join_next_with_id() => self.ended(ended).await?,
                Some((call, answer)) = self.intents.1.recv() => {
                    answer.send(self.intend(call).await).ok();
                }
                () = control.changed() => {
                    if control.get() == Control::Cancel {
                        self.step(&Event::CancelRequested).await?;
                    }
                }
                answer = answered(&mut self.unanswered), if self.unanswered.is_some() => {
                    self.unanswered = None;
                    self.superseded = answer? == CommitReply::Superseded;
                }
                () = lost.changed() => self.superseded = true,
                () = stop.changed() => {
                    if stop.get() == Stop::Now {
                        return self.give_back().await;
                    }
                }
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    self.step(&Event::Woke { released: false }).await?;
                }
            }
        }
        if !self.superseded {
            self.settled().await?;
        }
        if self.superseded {
            tracing::warn!(item = %self.item.id, "the item was taken over; its running stages are given up");
            self.tell_lost();
        }
        Ok(())
    }

    /// Gives the item back as it was before its running tries started. Paid calls in flight go on and are settled; the
    /// next worker finds them in the ledger.
    async fn give_back(mut self) -> Result<()> {
        let mut running: Vec<Running> = self.running.drain().map(|(_, running)| running).collect();
        running.sort_unstable_by_key(|running| running.stage);
        for Running { stage, attempt, abort, .. } in running {
            abort.abort();
            let wait = Wait::Until { at: self.shared.now(), reason: "the worker was stopped".to_owned() };
            self.apply(&Event::Deferred { stage, attempt, wait })?;
        }
        self.settled().await
    }

    /// Waits until everything this walk has queued is durable, or refused.
    pub(crate) async fn settled(&mut self) -> Result<()> {
        if self.unanswered.is_some() {
            let answer = answered(&mut self.unanswered).await;
            self.unanswered = None;
            self.superseded |= answer? == CommitReply::Superseded;
        }
        Ok(())
    }

    /// Tells whether tries may start before it is durable that the item runs: they touch nothing outside, and the item was
    /// never handed out before. After a crash it is handed out again, and then nothing of it runs ahead.
    pub(crate) fn may_run_ahead(&self, starts: &[Start]) -> bool {
        self.first && !starts.is_empty() && starts.iter().all(|start| self.job.is_self_contained(start.stage))
    }

    /// Tells whether nothing of the item can change any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.machine.is_ended()
    }

    /// Tells whether something of the item waits for a person.
    pub(crate) fn waits_for_person(&self) -> bool {
        let person = |state: &StageState| matches!(state, StageState::Waiting { on: Wait::Person { .. }, .. });
        self.machine.stages.iter().any(person)
    }

    /// Tells whether another claim has superseded this one.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Returns what the item's walk is traced as.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::debug_span!("item", id = %self.item.id, round = self.machine.round)
    }

    /// Returns what makes tickets for the ends of a shared try.
    pub(crate) fn tickets(&self) -> Tickets {
        self.committer.tickets()
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Returns the item this one was made of.
    pub(crate) fn parent(&self) -> Option<ItemId> {
        self.item.parent
    }

    /// Returns the context a try of a stage gets, for an item or, where siblings share it, for their parent.
    pub(crate) fn context(&self, stage: StageIndex, attempt: u32, item: Option<ItemId>) -> Option<RunContext> {
        let planned = self.job.plan.stage(stage)?;
        let scribe = &self.shared.scribe;
        let journal = if scribe.wants(LogLevel::Error) {
            let (scribe, job, stage) = (Arc::clone(scribe), self.job.id, planned.name.clone());
            Journal::new(Arc::new(Trying { scribe, job, item, stage, attempt }))
        } else {
            Journal::default()
        };
        Some(RunContext::new(Caller {
            shared: Arc::clone(&self.shared),
            job: self.job.id,
            stage: planned.name.clone(),
            timeout: planned.policy.timeout,
            max_cost: self.job.plan.max_cost,
            cache: self.job.plan.cache,
            gate: self.job.gate(stage).cloned(),
            intents: self.intents.0.clone(),
            flights: self.committer.flights.clone(),
            calling: watch::Sender::new(0),
            storing: watch::Sender::new(0),
            received: Arc::default(),
            reused: Arc::default(),
            unsettled: Arc::default(),
            barred: Arc::default(),
            journal,
        }))
    }

    /// Returns how long a run may take, the calls it makes apart: they have the same limit each.
    pub(crate) fn limit(&self, stage: StageIndex) -> Option<std::time::Duration> {
        self.job.plan.stage(stage)?.policy.timeout
    }

    async fn step(&mut self, event: &Event) -> Result<()> {
        let starts = self.apply(event)?;
        self.go_on(starts).await
    }

    /// Starts what a transition says. A stage whose effects cannot be taken back waits until what it reads is durable.
    ///
    /// Only here a walk waits for its place: the end of a shared try needs none, and must not wait for the others'.
    pub(crate) async fn go_on(&mut self, starts: Vec<Start>) -> Result<()> {
        for start in starts {
            if self.place.is_none() {
                let place = self.job.place().await;
                self.sit(place);
            }
            if !self.job.is_self_contained(start.stage) {
                self.settled().await?;
            }
            if !self.superseded {
                self.start(start);
            }
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) -> Result<()> {
        let (id, Ended { outcome, used, reused, unsettled, barred, ticket, at, draw }) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => {
                (error.id(), self.end(Err(Error::new(ErrorKind::Cancelled, "the stage was given up"))))
            }
            Err(error) => (error.id(), self.end(Err(Error::unexpected("the stage panicked")))),
        };
        let Some(Running { stage, attempt, started_at, .. }) = self.running.remove(&id) else { return Ok(()) };
        let (event, mut made) = self.event(stage, attempt, (started_at, at), outcome, barred);
        if let Some(made) = &mut made {
            made.reused = reused;
        }
        self.shared.metrics.tried(self.job.plan.stage(stage), at.since(started_at), &event);
        let took = Some(at.since(started_at));
        let made = Made { result: made.map(|result| (stage, result)), used, unsettled, ticket, took };
        let starts = self.apply_at(at, draw, &event, made)?;
        self.go_on(starts).await
    }

    fn task(&self, stage: StageIndex, attempt: u32, resume: Option<Resume>) -> Task {
        Task {
            item: self.item.id,
            ordinal: self.item.ordinal,
            slot: self.item.slot,
            name: self.item.name.clone(),
            input: self.item.input.clone(),
            round: self.machine.round,
            attempt,
            job_seed: self.job.plan.seed,
            settings: self.job.settings(stage),
            inputs: inputs::bind(&self.job, stage, &self.machine, &self.results),
            resume,
        }
    }
}

async fn answered(receipt: &mut Option<Receipt>) -> Result<CommitReply> {
    let gone = || Error::unexpected("the committer has ended");
    match receipt {
        Some(receipt) => receipt.await.map_err(|_| gone())?,
        None => Err(gone()),
    }
}
