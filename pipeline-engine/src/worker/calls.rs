//! The ledger protocol around a paid call: look for an earlier one, write the intent, send, settle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use pipeline_core::error::chain;
use pipeline_core::id::{CallId, ItemId, JobId, SendingId, StageName};
use pipeline_core::model::{Capability, Failure, LogLevel, Money, Step};
use pipeline_core::provider::{CallContext, Journal, Repeat, TaskKeeper, TaskNote};
use pipeline_core::settings::Cache;
use pipeline_core::stage::{Answer, CallSpec, SendCall, StageEnd};
use pipeline_core::storage::{
    AttachReply, BudgetKey, CallQuery, CallRecord, CallState, GatePass, NewCall, SettleReply, Settlement, shortened,
};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::outcome::{Because as _, recorded, settlement, unknown, verdict};
use super::shared::Shared;

/// Asks the walk that holds the item to write an intent with its next commit.
pub(crate) type IntentRequest = (NewCall, oneshot::Sender<Result<()>>);

/// How long an answer can be expected from a provider without a time limit.
const ANSWER: Duration = Duration::from_mins(30);

/// How long a gate stays closed when a vendor throttles without saying how long.
const THROTTLE: Duration = Duration::from_secs(5);

/// How often an item looks whether a call that someone else has open was answered.
const AWAIT: Duration = Duration::from_secs(1);

/// Where and how calls of one stage run are made.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) job: JobId,
    pub(crate) stage: StageName,
    pub(crate) timeout: Option<Duration>,
    /// What a call of unknown price costs at most.
    pub(crate) max_cost: Option<Money>,
    /// Whether answers of earlier jobs are used again.
    pub(crate) cache: Cache,
    /// The gate before the stage's provider.
    pub(crate) gate: Option<GatePass>,
    pub(crate) intents: mpsc::Sender<IntentRequest>,
    /// Calls in flight; they outlive the walks that made them.
    pub(crate) flights: TaskTracker,
    /// How many calls of this run are asked for, in flight or being settled.
    pub(crate) calling: watch::Sender<u32>,
    /// How many files of this run wait until they can be kept.
    pub(crate) storing: watch::Sender<u32>,
    /// The calls of this run whose known outcome it has been told, and whether that is an answer.
    pub(crate) received: Arc<Mutex<Vec<(CallId, bool)>>>,
    /// The calls of earlier jobs whose answers this run has taken, by the items they served here.
    pub(crate) reused: Arc<Mutex<BTreeMap<ItemId, CallId>>>,
    /// Whether a call of this run, or one it goes on with, has no known outcome.
    pub(crate) unsettled: Arc<AtomicBool>,
    /// The gate of the budget that has kept the last call of this run from being made.
    pub(crate) barred: Arc<Mutex<Option<String>>>,
    /// Where the run tells of its steps.
    pub(crate) journal: Journal,
}

/// Counts what a run waits for as long as it lives.
pub(crate) struct Busy<'a>(&'a watch::Sender<u32>);

impl<'a> Busy<'a> {
    pub(crate) fn begin(count: &'a watch::Sender<u32>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Caller {
    /// Gives a run its time. While it makes a call its time stands still: the call has a limit of its own, and an answer
    /// whose recording takes long must not be bought again by the next try.
    ///
    /// # Errors
    /// The limit, when the run took longer than that without making a call.
    pub(crate) async fn limited<T>(
        &self,
        limit: Option<Duration>,
        run: impl Future<Output = T>,
    ) -> Result<T, Duration> {
        match limit {
            None => Ok(run.await),
            Some(limit) => timed(limit, &self.calling, run).await,
        }
    }

    /// Makes one call, goes on with the same call begun before, or returns the answer it got.
    pub(crate) async fn call(&self, spec: CallSpec, send: SendCall) -> Result<(Answer, Money)> {
        if spec.provider.repeat == Repeat::Free {
            let id = CallId::from_uuid(self.shared.uuid());
            let span = tracing::debug_span!("call", %id, provider = spec.provider.name);
            let sent = send(CallContext::new(id).timeout(self.timeout).journal(self.journal.clone())).instrument(span);
            let step = step_of(spec.provider.capability);
            let answer =
                self.journal.step(step, self.said(|| format!("{} answered", spec.provider.name)), sent).await?;
            return Ok((answer, Money::ZERO));
        }
        let _calling = Busy::begin(&self.calling);
        let sending = match self.earlier(&spec).await? {
            Earlier::Known(record) => {
                self.receive(record.id, record.state == CallState::Succeeded);
                self.journal.note(
                    LogLevel::Debug,
                    Step::Recall,
                    self.said(|| format!("the outcome of call {} is in the ledger", record.id)),
                );
                return recorded(*record);
            }
            Earlier::Unanswered(id, task) => {
                self.unsettled.store(true, Ordering::SeqCst);
                // It passes its gate again.
                let intent = self.intend(&spec, id).await?;
                Sending { id, intent, resume: task, again: true }
            }
            Earlier::None => {
                if let Some((answer, from)) = self.reuse(&spec).await.map_err(later)? {
                    let mut reused = self.reused.lock().unwrap_or_else(PoisonError::into_inner);
                    reused.extend(spec.items.iter().map(|item| (*item, from)));
                    drop(reused);
                    let said = self.said(|| format!("call {from} of an earlier job has the answer"));
                    self.journal.note(LogLevel::Debug, Step::Recall, said);
                    return Ok((answer, Money::ZERO));
                }
                let id = CallId::from_uuid(self.shared.uuid());
                let intent = self.intend(&spec, id).await?;
                Sending { id, intent, resume: None, again: false }
            }
        };
        self.unsettled.store(true, Ordering::SeqCst);
        let (id, intent) = (sending.id, sending.intent);
        // The call and its settlement run in a task of their own: neither a cancellation nor a lost lease nor a
        // dropped caller keeps a paid answer from being recorded.
        let this = self.clone();
        let span = tracing::debug_span!("call", %id, provider = spec.provider.name);
        let call = async move { this.send_and_settle(&spec, sending, send).await };
        let handle = self.flights.spawn(call.instrument(span));
        match handle.await {
            Ok(outcome) => outcome,
            Err(_) => {
                // What the provider panicked with may hold anything, so it is not repeated.
                let error = Error::unexpected("the provider call panicked").retry(Retryability::Indeterminate);
                self.settle(settlement(id, intent, CallState::Unknown).because(Failure::from(&error))).await?;
                Err(error)
            }
        }
    }

    /// Notes that the run has been told how a call ended.
    fn receive(&self, call: CallId, answered: bool) {
        self.unsettled.store(false, Ordering::SeqCst);
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push((call, answered));
    }

    /// Returns the calls whose outcomes a run that ends so has used up: a later try does not get them again.
    ///
    /// A good answer stays good when something else failed after it, a download or the disk: it is paid for, and serves
    /// the next try. `Corrupt` says that the answer itself is at fault.
    pub(crate) fn used(&self, outcome: &Result<StageEnd>) -> Vec<CallId> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |answered: bool| match outcome {
            Ok(StageEnd::Done(_)) => true,
            Ok(StageEnd::Suspended { .. }) => false,
            Err(error) => !answered || error.kind() == ErrorKind::Corrupt,
        };
        received.iter().filter(|(_, answered)| used(*answered)).map(|(call, _)| *call).collect()
    }

    /// Returns the call of an earlier job whose answer the run has taken for an item.
    pub(crate) fn reused(&self, item: ItemId) -> Option<CallId> {
        self.reused.lock().unwrap_or_else(PoisonError::into_inner).get(&item).copied()
    }

    /// Tells whether a call of the run, or one it has gone on with, has no known outcome.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::SeqCst)
    }

    /// Returns the gate of the budget that has kept the last call of the run from being made; stages may have made another
    /// error of it.
    pub(crate) fn barred(&self) -> Option<String> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks for a call that served the same items in the same round and whose answer they have not used up: one that
    /// nobody was told of, because whoever sent it has ended or lost the item, or one without a known outcome.
    ///
    /// A call may have served more items than are left of them: those whose results were committed before a crash.
    async fn earlier(&self, spec: &CallSpec) -> Result<Earlier> {
        let query = CallQuery {
            job: Some(self.job),
            item: spec.items.first().copied(),
            stage: Some(self.stage.clone()),
            unused: true,
            ..CallQuery::default()
        };
        let calls = self.shared.store.calls(query).await.map_err(later)?;
        let serves =
            |call: &CallRecord| spec.items.iter().all(|item| call.items.contains(item) && !call.used_by.contains(item));
        for call in calls.into_iter().rev().filter(|call| call.round == spec.round && serves(call)) {
            // Only the whole request can be gone on with: under its key, or by asking for its task. Its answer serves any
            // part of its items.
            let whole = call.items == spec.items && call.request == spec.request;
            let repeat = spec.provider.repeat;
            let task = call.external_id.as_ref().filter(|_| repeat.is_resumable());
            let unanswered = whole && (repeat.is_idempotent() || task.is_some());
            match call.state {
                CallState::Succeeded | CallState::Failed if whole || call.items.len() > spec.items.len() => {
                    return Ok(Earlier::Known(Box::new(call)));
                }
                CallState::Open | CallState::Unknown if unanswered => {
                    if call.state == CallState::Open {
                        // Whoever sent it has lost the item: what goes wrong there says nothing of what is sent now.
                        let why = "the item has another holder now, who goes on with the call";
                        let record = settlement(call.id, call.sending, CallState::Unknown).because(unknown(why));
                        if self.settle(record).await.map_err(later)? != SettleReply::Settled {
                            return Err(later(
                                Error::conflict("an earlier call was just settled").with("call", call.id),
                            ));
                        }
                    }
                    return Ok(Earlier::Unanswered(call.id, task.cloned()));
                }
                CallState::Open | CallState::Unknown => {
                    if call.state == CallState::Open {
                        // Whoever sent it may still record the answer.
                        self.unsettled.store(true, Ordering::SeqCst);
                        let left = call.deadline.since(self.shared.store.now().await.map_err(later)?);
                        if !left.is_zero() {
                            return Err(Error::conflict("an earlier call is still open")
                                .with("call", call.id)
                                .with("until", call.deadline)
                                .retry(Retryability::Throttled { after: Some(left.min(AWAIT)) }));
                        }
                        let why = "nobody recorded an answer before the deadline of the call";
                        let record = settlement(call.id, call.sending, CallState::Unknown).because(unknown(why));
                        if self.settle(record).await.map_err(later)? != SettleReply::Settled {
                            return Err(later(
                                Error::conflict("an earlier call was just settled").with("call", call.id),
                            ));
                        }
                    }
                    return Err(Error::new(ErrorKind::Unexpected, "the outcome of an earlier call is unknown")
                        .with("call", call.id)
                        .with("provider", &call.provider)
                        .retry(Retryability::Indeterminate));
                }
                CallState::Succeeded | CallState::Failed => {}
            }
        }
        Ok(Earlier::None)
    }

    async fn intend(&self, spec: &CallSpec, id: CallId) -> Result<SendingId> {
        let sending = SendingId::from_uuid(self.shared.uuid());
        let lost = || Error::new(ErrorKind::Cancelled, "the item was taken over before the call was made");
        let (answer, reply) = oneshot::channel();
        let call = NewCall {
            id,
            sending,
            job: self.job,
            stage: self.stage.clone(),
            items: spec.items.clone(),
            round: spec.round,
            attempt: spec.attempt,
            provider: spec.provider.name.clone(),
            model: spec.provider.model.clone(),
            prompt: spec.prompt.as_deref().map(shortened),
            capability: spec.provider.capability,
            request: spec.request,
            reserved: self.most(spec),
            gate: self.gate.clone(),
            patience: self.timeout.unwrap_or(ANSWER) + self.shared.tuning.patience,
        };
        let said = self.said(|| match call.reserved {
            Some(most) => format!("call {id} of {} may cost at most {most}", call.provider),
            None => format!("call {id} of {}", call.provider),
        });
        let written = async {
            self.intents.send((call, answer)).await.map_err(|_| lost())?;
            reply.await.map_err(|_| lost())?
        };
        let intended: Result<()> = self.journal.step(Step::Intent, said, written).await;
        let budget = intended.as_ref().err().and_then(budget_gate);
        *self.barred.lock().unwrap_or_else(PoisonError::into_inner) = budget;
        intended.map(|()| sending)
    }

    /// Says something where steps that went well are told.
    fn said(&self, say: impl FnOnce() -> String) -> String {
        if self.journal.wants(LogLevel::Debug) { say() } else { String::new() }
    }

    /// Returns what a call may cost at most: its price, or else the bound that somebody has set.
    fn most(&self, spec: &CallSpec) -> Option<Money> {
        let units = u64::from(spec.units);
        let price = spec.provider.price.map(|price| price.per_call + price.per_unit * units);
        price.or(spec.provider.max_cost).or(self.max_cost)
    }

    async fn send_and_settle(&self, spec: &CallSpec, sending: Sending, send: SendCall) -> Result<(Answer, Money)> {
        let Sending { id, intent, resume, again } = sending;
        // What becomes of a repeat does not tell what became of the first; what becomes of a task does.
        let again = again && resume.is_none();
        let keeper = Arc::new(Keeper { caller: self.clone(), call: id, kept: AtomicBool::new(resume.is_some()) });
        let note = TaskNote::new(Arc::clone(&keeper) as _);
        let journal = self.journal.clone();
        let sent = send(CallContext { idempotency_key: id, timeout: self.timeout, resume, note, journal });
        let answered = async {
            match self.timeout {
                None => sent.await,
                // What the provider has sent is not given up because there is no room for it.
                Some(limit) => timed(limit, &self.storing, sent).await.unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Timeout, "the provider did not answer in time")
                        .with("provider", &spec.provider.name)
                        .retry(Retryability::Indeterminate))
                }),
            }
        };
        let said = self.said(|| format!("{} answered call {id}", spec.provider.name));
        let outcome = self.journal.step(step_of(spec.provider.capability), said, answered).await;
        match outcome {
            Ok(answer) => {
                let cost = answer.cost.or_else(|| self.most(spec)).unwrap_or_default();
                let mut record = settlement(id, intent, CallState::Succeeded);
                record.cost = cost;
                record.response = Some(answer.response.clone());
                record.external_id.clone_from(&answer.external_id);
                self.settle(record).await?;
                self.receive(id, true);
                Ok((answer, cost))
            }
            Err(error) => {
                let task = spec.provider.repeat.is_resumable() && keeper.kept.load(Ordering::SeqCst);
                let (state, retry) = verdict(&error, spec.provider.repeat, task, again);
                let record = settlement(id, intent, state).because(Failure::from(&error));
                // A vendor that is still at a task it took on is not out of order.
                let outage = !task && matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable);
                let reply = self.settle(Settlement { outage, ..record }).await?;
                if state == CallState::Failed && reply == SettleReply::Settled {
                    self.receive(id, false);
                }
                if let (Retryability::Throttled { after }, Some(gate)) = (error.retryability(), &self.gate) {
                    // The vendor wants to be left alone by everyone.
                    let pause = after.unwrap_or(THROTTLE);
                    let reason = error.message().to_owned();
                    self.persist(id, || self.shared.store.close_gate(gate.key.clone(), pause, &reason)).await?;
                }
                Err(error.retry(retry))
            }
        }
    }

    /// Settles a call. While the store is away or full, this has no end: what is given up here may have been paid for.
    async fn settle(&self, record: Settlement) -> Result<SettleReply> {
        let settle = || self.shared.store.settle(record.clone());
        let settled = async {
            loop {
                match self.persist(record.call, settle).await {
                    Err(error) if error.retryability() == Retryability::Transient => {}
                    done => break done,
                }
            }
        };
        let said = self.said(|| format!("call {} {} at {}", record.call, record.state.as_str(), record.cost));
        let reply = self.journal.step(Step::Settle, said, settled).await?;
        self.shared.metrics.settled(self.gate.as_ref(), &record, reply);
        Ok(reply)
    }

    /// Writes to the ledger, again and again while the worker has patience.
    async fn persist<T, F: Future<Output = Result<T>>>(&self, call: CallId, write: impl Fn() -> F) -> Result<T> {
        let mut pause = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        loop {
            match write().await {
                Ok(reply) => return Ok(reply),
                Err(error) if waited >= self.shared.tuning.patience => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), %call, "writing to the ledger failed, trying again");
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

/// Makes an error of a store wait: one that cannot be read is no try of the stage, and the next one would pay again for what
/// this one has.
fn later(error: Error) -> Error {
    error.retry(Retryability::Throttled { after: Some(AWAIT) })
}

/// Returns the step that sends a request: models get prompts.
const fn step_of(capability: Capability) -> Step {
    match capability {
        Capability::GenerateImage | Capability::Vision | Capability::Text => Step::PromptSend,
        Capability::Embed
        | Capability::RemoveBackground
        | Capability::ProcessImage
        | Capability::AnalyzeDataset
        | Capability::RenderChart => Step::Send,
    }
}

/// Returns the gate of the budget that is in the way of an intent, if one is.
fn budget_gate(error: &Error) -> Option<String> {
    let gate = error.context().iter().find(|(key, _)| *key == "gate").map(|(_, gate)| gate);
    gate.filter(|gate| BudgetKey::of_gate(gate).is_some()).cloned()
}

/// Gives `run` its time, which stands still while something is `busy`.
///
/// # Errors
/// The limit, when it took longer than that.
async fn timed<T>(limit: Duration, busy: &watch::Sender<u32>, run: impl Future<Output = T>) -> Result<T, Duration> {
    let mut changes = busy.subscribe();
    let mut left = limit;
    tokio::pin!(run);
    loop {
        let busy = *changes.borrow_and_update() > 0;
        let since = tokio::time::Instant::now();
        tokio::select! {
            biased;
            outcome = &mut run => return Ok(outcome),
            // The sender is here, so there is no error to tell.
            _ = changes.changed() => {}
            () = tokio::time::sleep(left), if !busy => return Err(limit),
        }
        if !busy {
            left = left.saturating_sub(since.elapsed());
        }
    }
}

/// Attaches the vendor's task to the open call.
#[derive(Debug)]
struct Keeper {
    caller: Caller,
    call: CallId,
    /// Whether the ledger knows a task of the call.
    kept: AtomicBool,
}

#[async_trait]
impl TaskKeeper for Keeper {
    async fn keep(&self, external_id: &str) {
        let attach = || self.caller.shared.store.attach(self.call, external_id.to_owned());
        match self.caller.persist(self.call, attach).await {
            Ok(AttachReply::Attached) => {
                self.kept.store(true, Ordering::SeqCst);
                let said = self.caller.said(|| format!("the vendor works on call {} as task {external_id}", self.call));
                self.caller.journal.note(LogLevel::Debug, Step::Task, said);
            }
            Ok(reply @ (AttachReply::OtherTask | AttachReply::AlreadySettled)) => {
                tracing::warn!(call = %self.call, external_id, ?reply, "the ledger keeps another task of this call");
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), call = %self.call, external_id, "the task was not written down");
            }
        }
    }
}

/// A call that is about to be sent.
struct Sending {
    id: CallId,
    intent: SendingId,
    /// The task to be asked for instead of sending the order.
    resume: Option<String>,
    /// Whether it was sent before, and what became of that is not known.
    again: bool,
}

enum Earlier {
    None,
    /// To be gone on with under its id: by asking for its task, when that is known.
    Unanswered(CallId, Option<String>),
    /// Its outcome is in the ledger, and was told to nobody.
    Known(Box<CallRecord>),
}
