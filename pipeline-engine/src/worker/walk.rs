//! One item's walk while this process holds it: events in, commits out, stages started.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument as _;

use pipeline_core::error::chain;
use pipeline_core::executor::{Effect, Event, ItemMachine, NewChild, Outcome, Resume, StageState, Wait};
use pipeline_core::id::{CallId, HoldId, ItemId, ResultId, Token};
use pipeline_core::model::{Control, Failure, FailureCode, ItemStatus, Money};
use pipeline_core::pipeline::{GroupBy, Role, StageIndex};
use pipeline_core::stage::{Output, StageEnd, Task};
use pipeline_core::storage::{
    CallQuery, CallState, Claimed, Commit, CommitReply, GateKey, ItemRecord, NewCall, NewItem, Refusal, ResultRecord,
    Settlement,
};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::calls::{Caller, IntentRequest};
use super::committer::{Committer, Receipt, Ticket, Tickets};
use super::context::RunContext;
use super::inputs::{self, Results};
use super::job::{JobContext, Place};
use super::run::{Signals, Stop};
use super::shared::Shared;

/// What one try of a stage came to.
pub(crate) type RunOutcome = Result<StageEnd>;

/// The end of a try: all items of a shared one take it at the same moment and with the same draw, so that what waits
/// for another try together is due together, and is claimed together.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: RunOutcome,
    /// The calls whose answers it has used up.
    pub(crate) used: Vec<CallId>,
    /// What it is written together with: the ends of the others of a shared try.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) at: Timestamp,
    pub(crate) draw: u64,
}

/// A try that is to be started.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) stage: StageIndex,
    pub(crate) attempt: u32,
    pub(crate) task: Task,
}

/// What a try leaves beside the next state.
#[derive(Debug, Default)]
struct Made {
    result: Option<(StageIndex, ResultRecord)>,
    used: Vec<CallId>,
    ticket: Option<Ticket>,
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
        let Claimed { mut item, token } = claimed;
        // The machine is kept once: the record's copy would be stale after the first step.
        let machine = std::mem::replace(&mut item.machine, ItemMachine::new(item.id, &job.plan));
        Self {
            shared: Arc::clone(shared),
            committer: committer.clone(),
            job: Arc::clone(job),
            item,
            token,
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
        let Made { result: made, used, ticket } = made;
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
        let result = made.as_ref().map(|(_, result)| result.clone());
        let next = transition.next;
        let siblings = next.expanded.unwrap_or(1);
        let children = transition.children.into_iter().map(|child| self.child(child, siblings)).collect();
        let mut commit = self.commit_of(&next, now);
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
        let (Some(code), Some(context)) = (self.job.stage(start.stage), self.context(start.stage)) else {
            let kind = self.job.plan.stage(start.stage).map(|stage| stage.kind.clone()).unwrap_or_default();
            let unknown = Error::new(ErrorKind::Unsupported, "this program has no such stage kind").with("kind", kind);
            let ended = self.end(Err(unknown));
            return self.follow(start.stage, start.attempt, async move { ended });
        };
        let (limit, shared) = (self.limit(start.stage), Arc::clone(&self.shared));
        let (stage, attempt, task) = (start.stage, start.attempt, start.task);
        self.follow(stage, attempt, async move {
            let run = code.run(&context, task);
            let outcome = context.0.limited(limit, run).await.unwrap_or_else(|limit| Err(late(limit)));
            let used = context.0.used(&outcome);
            Ended { outcome, used, ticket: None, at: shared.now(), draw: shared.draw() }
        });
    }

    /// Waits for a try that runs elsewhere, together with other items'.
    pub(crate) fn follow(
        &mut self,
        stage: StageIndex,
        attempt: u32,
        run: impl Future<Output = Ended> + Send + 'static,
    ) {
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
        self.token == Token(1)
            && !starts.is_empty()
            && starts.iter().all(|start| self.job.is_self_contained(start.stage))
    }

    /// Tells whether nothing of the item can change any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.machine.is_ended()
    }

    /// Says of the calls an ended item has left open that nobody knows what became of them. Whoever sent one may still
    /// record its answer.
    pub(crate) async fn disown(&self) -> Result<()> {
        let query = CallQuery { item: Some(self.item.id), states: vec![CallState::Open], ..CallQuery::default() };
        for call in self.shared.store.calls(query).await? {
            let failure = Failure {
                code: FailureCode::OutcomeUnknown,
                retry: Retryability::Indeterminate,
                message: "the item ended while the call was open".to_owned(),
            };
            let settlement = Settlement {
                call: call.id,
                state: CallState::Unknown,
                sending: Some(call.sending),
                cost: Money::ZERO,
                response: None,
                failure: Some(failure),
                external_id: None,
                outage: false,
            };
            self.shared.store.settle(settlement).await?;
        }
        Ok(())
    }

    /// Tells whether another claim has superseded this one.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Returns the calls for a stage that the item has not used up yet, open or answered, oldest first.
    pub(crate) async fn unused_calls(&self, stage: StageIndex) -> Result<Vec<CallId>> {
        let Some(planned) = self.job.plan.stage(stage) else { return Ok(Vec::new()) };
        let query = CallQuery {
            job: Some(self.job.id),
            item: Some(self.item.id),
            stage: Some(planned.name.clone()),
            unused: true,
            ..CallQuery::default()
        };
        let calls = self.shared.store.calls(query).await?.into_iter();
        Ok(calls.filter(|call| call.round == self.machine.round).map(|call| call.id).collect())
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

    /// Returns the context a stage run gets.
    pub(crate) fn context(&self, stage: StageIndex) -> Option<RunContext> {
        let planned = self.job.plan.stage(stage)?;
        Some(RunContext::new(Caller {
            shared: Arc::clone(&self.shared),
            job: self.job.id,
            stage: planned.name.clone(),
            timeout: planned.policy.timeout,
            gate: self.job.gate(stage).cloned(),
            intents: self.intents.0.clone(),
            flights: self.committer.flights.clone(),
            calling: watch::Sender::new(0),
            storing: watch::Sender::new(0),
            received: Arc::default(),
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

    /// An end that comes from here.
    fn end(&self, outcome: RunOutcome) -> Ended {
        Ended { outcome, used: Vec::new(), ticket: None, at: self.shared.now(), draw: self.shared.draw() }
    }

    async fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) -> Result<()> {
        let (id, Ended { outcome, used, ticket, at, draw }) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => {
                (error.id(), self.end(Err(Error::new(ErrorKind::Cancelled, "the stage was given up"))))
            }
            Err(error) => (error.id(), self.end(Err(Error::unexpected("the stage panicked")))),
        };
        let Some(Running { stage, attempt, started_at, .. }) = self.running.remove(&id) else { return Ok(()) };
        let (event, made) = self.event(stage, attempt, (started_at, at), outcome);
        self.shared.metrics.tried(self.job.plan.stage(stage), at.since(started_at), &event);
        let made = Made { result: made.map(|result| (stage, result)), used, ticket };
        let starts = self.apply_at(at, draw, &event, made)?;
        self.go_on(starts).await
    }

    /// Says in the executor's words what a try came to.
    fn event(
        &self,
        stage: StageIndex,
        attempt: u32,
        (started_at, ended_at): (Timestamp, Timestamp),
        outcome: RunOutcome,
    ) -> (Event, Option<ResultRecord>) {
        let finished = |outcome| Event::Finished { stage, attempt, outcome };
        let planned = self.job.plan.stage(stage);
        match outcome {
            Ok(StageEnd::Done(output)) => {
                let verdict = output.verdict.clone();
                let check = planned.is_some_and(|stage| stage.role == Role::Check);
                let Some(record) = self.record(stage, attempt, (started_at, ended_at), output) else {
                    return (finished(failure(&Error::unexpected("there is no such stage"))), None);
                };
                let result = record.id;
                match (check, verdict) {
                    (true, Some(verdict)) => (finished(Outcome::Judged { result, verdict }), Some(record)),
                    (false, None) => (finished(Outcome::Output { result }), Some(record)),
                    (true, None) => (finished(failure(&Error::corrupt("the check gave no verdict"))), None),
                    (false, Some(_)) => {
                        (finished(failure(&Error::corrupt("a stage that is no check gave a verdict"))), None)
                    }
                }
            }
            Ok(StageEnd::Suspended { resume, poll_after }) => {
                let poll_at = ended_at.after(poll_after);
                (Event::Suspended { stage, attempt, resume, poll_at }, None)
            }
            Err(error) if error.retryability() == Retryability::Indeterminate => {
                let hold = HoldId::from_uuid(self.shared.uuid());
                let wait = Wait::Person { hold, reason: chain(&error) };
                (Event::Deferred { stage, attempt, wait }, None)
            }
            Err(error) if error.kind() == ErrorKind::RateLimited && is_throttled(&error) => {
                // All that comes to the gate waits there, not this item alone.
                let event = match self.job.gate(stage) {
                    Some(gate) => {
                        Event::Deferred { stage, attempt, wait: Wait::Gate { key: gate.key.as_str().to_owned() } }
                    }
                    None => finished(failure(&error)),
                };
                (event, None)
            }
            Err(error) => (finished(failure(&error)), None),
        }
    }

    fn record(
        &self,
        stage: StageIndex,
        attempt: u32,
        (started_at, ended_at): (Timestamp, Timestamp),
        output: Output,
    ) -> Option<ResultRecord> {
        let Output { fields, files, verdict, provider, cost } = output;
        Some(ResultRecord {
            id: ResultId::from_uuid(self.shared.uuid()),
            item: self.item.id,
            stage: self.job.plan.stage(stage)?.name.clone(),
            round: self.machine.round,
            attempt,
            fields,
            files,
            verdict,
            provider,
            cost,
            started_at,
            ended_at,
        })
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

    async fn intend(&mut self, call: NewCall) -> Result<()> {
        let machine = self.machine.clone();
        let mut commit = self.commit_of(&machine, self.shared.now());
        let gate = call.gate.as_ref().map(|pass| pass.key.clone());
        commit.calls = vec![call];
        // Rides with whatever of this item still waits to be written.
        let mut receipt = Some(self.committer.put(commit));
        self.unanswered = None;
        match answered(&mut receipt).await? {
            CommitReply::Applied => Ok(()),
            CommitReply::Superseded => {
                self.superseded = true;
                Err(Error::new(ErrorKind::Cancelled, "the item was taken over before the call was made"))
            }
            CommitReply::Refused(refusal) => Err(self.refused(refusal, gate).await?),
        }
    }

    /// Says why a call may not be made now, so that the item waits for the right thing.
    async fn refused(&mut self, refusal: Refusal, gate: Option<GateKey>) -> Result<Error> {
        Ok(match refusal {
            Refusal::Cancelled => {
                // Known here before the heartbeat brings it.
                self.job.control.set(Control::Cancel);
                self.step(&Event::CancelRequested).await?;
                Error::new(ErrorKind::Cancelled, "the job is being cancelled")
            }
            Refusal::Settled => Error::new(ErrorKind::Conflict, "the call was just settled by whoever sent it before")
                .retry(Retryability::Throttled { after: Some(std::time::Duration::ZERO) }),
            Refusal::Paused => Error::new(ErrorKind::Unavailable, "the job is paused")
                .retry(Retryability::Throttled { after: Some(std::time::Duration::ZERO) }),
            Refusal::Gate(until) => {
                let after = until.map(|until| until.since(self.shared.now()));
                let key = gate.map(|key| key.to_string()).unwrap_or_default();
                Error::new(ErrorKind::RateLimited, "the gate is closed or full")
                    .with("gate", key)
                    .retry(Retryability::Throttled { after })
            }
        })
    }

    fn commit_of(&self, next: &ItemMachine, now: Timestamp) -> Commit {
        let plan = &self.job.plan;
        let running = next.stages.iter().any(|state| matches!(state, StageState::Running { .. }));
        let status = if next.expanded.is_some() { ItemStatus::Succeeded } else { next.status(plan) };
        Commit {
            item: self.item.id,
            job: self.job.id,
            token: self.token,
            machine: next.clone(),
            status,
            claimable_at: if running { None } else { next.due(plan, now) },
            unit: self.unit(next, self.item.parent),
            gate: self.job.gate_of(next),
            results: Vec::new(),
            calls: Vec::new(),
            used: Vec::new(),
            children: Vec::new(),
            events: Vec::new(),
            release: !running,
        }
    }

    fn child(&self, child: NewChild, siblings: u32) -> NewItem {
        NewItem {
            id: child.id,
            parent: Some(self.item.id),
            ordinal: self.item.ordinal,
            slot: self.item.slot * siblings + child.slot,
            name: self.item.name.clone(),
            input: self.item.input.clone(),
            unit: self.unit(&child.machine, Some(self.item.id)),
            gate: self.job.gate_of(&child.machine),
            status: child.machine.status(&self.job.plan),
            machine: child.machine,
        }
    }

    /// Siblings whose next stage one call may serve are claimed together.
    fn unit(&self, machine: &ItemMachine, parent: Option<ItemId>) -> Option<ItemId> {
        let grouped = machine.stages.iter().zip(&self.job.plan.stages).any(|(state, stage)| {
            // One that runs is there too: after a crash the same siblings go on together.
            let open =
                matches!(state, StageState::Ready { .. } | StageState::Waiting { .. } | StageState::Running { .. });
            open && stage.group.is_some_and(|group| group.by == GroupBy::Siblings)
        });
        parent.filter(|_| grouped)
    }
}

async fn answered(receipt: &mut Option<Receipt>) -> Result<CommitReply> {
    let gone = || Error::unexpected("the committer has ended");
    match receipt {
        Some(receipt) => receipt.await.map_err(|_| gone())?,
        None => Err(gone()),
    }
}

fn is_throttled(error: &Error) -> bool {
    matches!(error.retryability(), Retryability::Throttled { .. })
}

fn failure(error: &Error) -> Outcome {
    Outcome::Failure { failure: Failure::from(error) }
}

/// The error of a run that took too long.
pub(crate) fn late(limit: std::time::Duration) -> Error {
    Error::new(ErrorKind::Timeout, "the stage took too long").with("timeout_seconds", limit.as_secs_f64())
}
