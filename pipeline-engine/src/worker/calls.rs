//! The ledger protocol around a paid call: look for an earlier one, write the intent, send, settle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use pipeline_core::error::chain;
use pipeline_core::id::{CallId, JobId, StageName};
use pipeline_core::model::{Failure, FailureCode, Money};
use pipeline_core::provider::{CallContext, Repeat, TaskKeeper, TaskNote};
use pipeline_core::stage::{Answer, CallSpec, SendCall};
use pipeline_core::storage::{AttachReply, CallQuery, CallRecord, CallState, GatePass, NewCall, Settlement};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

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
    /// The gate before the stage's provider.
    pub(crate) gate: Option<GatePass>,
    pub(crate) intents: mpsc::Sender<IntentRequest>,
    /// Calls in flight; they outlive the walks that made them.
    pub(crate) flights: TaskTracker,
}

impl Caller {
    /// Makes one call, goes on with the same call begun before, or returns the answer it got.
    pub(crate) async fn call(&self, spec: CallSpec, send: SendCall) -> Result<(Answer, Money)> {
        if spec.provider.repeat == Repeat::Free {
            let id = CallId::from_uuid(self.shared.uuid());
            let answer = send(CallContext::new(id).timeout(self.timeout)).await?;
            return Ok((answer, Money::ZERO));
        }
        let (id, resume, again) = match self.earlier(&spec).await? {
            Earlier::Answered(record) => return recorded(*record),
            Earlier::Unanswered(id, task) => {
                // It passes its gate again.
                self.intend(&spec, id).await?;
                (id, task, true)
            }
            Earlier::None => {
                let id = CallId::from_uuid(self.shared.uuid());
                self.intend(&spec, id).await?;
                (id, None, false)
            }
        };
        // The call and its settlement run in a task of their own: neither a cancellation nor a lost lease nor a
        // dropped caller keeps a paid answer from being recorded.
        let this = self.clone();
        let handle = self.flights.spawn(async move { this.send_and_settle(&spec, (id, again), resume, send).await });
        match handle.await {
            Ok(outcome) => outcome,
            Err(_) => {
                // What the provider panicked with may hold anything, so it is not repeated.
                let error = Error::unexpected("the provider call panicked").retry(Retryability::Indeterminate);
                self.settle(settlement(id, CallState::Unknown).because(Failure::from(&error))).await?;
                Err(error)
            }
        }
    }

    /// Looks for a call that served the same items in the same round. An answered one counts only for the same try: a
    /// later try wants a new answer. One without a known outcome counts for every try.
    ///
    /// A call may have served more items than are left of them: those whose results were committed before a crash.
    async fn earlier(&self, spec: &CallSpec) -> Result<Earlier> {
        let query = CallQuery {
            job: Some(self.job),
            item: spec.items.first().copied(),
            stage: Some(self.stage.clone()),
            // Without the failed ones, which may be more than a query returns.
            states: vec![CallState::Open, CallState::Succeeded, CallState::Unknown],
            ..CallQuery::default()
        };
        let calls = self.shared.store.calls(query).await?;
        let serves = |call: &CallRecord| spec.items.iter().all(|item| call.items.contains(item));
        for call in calls.into_iter().rev().filter(|call| call.round == spec.round && serves(call)) {
            // Only the whole request can be gone on with: under its key, or by asking for its task. Its answer serves any
            // part of its items.
            let whole = call.items == spec.items && call.request == spec.request;
            let repeat = spec.provider.repeat;
            let task = call.external_id.as_ref().filter(|_| repeat.is_resumable());
            let unanswered = whole && (repeat.is_idempotent() || task.is_some());
            match call.state {
                CallState::Succeeded
                    if call.attempt == spec.attempt && (whole || call.items.len() > spec.items.len()) =>
                {
                    return Ok(Earlier::Answered(Box::new(call)));
                }
                CallState::Open | CallState::Unknown if unanswered => {
                    return Ok(Earlier::Unanswered(call.id, task.cloned()));
                }
                CallState::Open | CallState::Unknown => {
                    if call.state == CallState::Open {
                        // Whoever sent it may still record the answer.
                        let left = call.deadline.since(self.shared.store.now().await?);
                        if !left.is_zero() {
                            return Err(Error::conflict("an earlier call is still open")
                                .with("call", call.id)
                                .with("until", call.deadline)
                                .retry(Retryability::Throttled { after: Some(left.min(AWAIT)) }));
                        }
                        let why = "nobody recorded an answer before the deadline of the call";
                        self.settle(settlement(call.id, CallState::Unknown).because(unknown(why))).await?;
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

    async fn intend(&self, spec: &CallSpec, id: CallId) -> Result<()> {
        let lost = || Error::new(ErrorKind::Cancelled, "the item was taken over before the call was made");
        let (answer, reply) = oneshot::channel();
        let call = NewCall {
            id,
            job: self.job,
            stage: self.stage.clone(),
            items: spec.items.clone(),
            round: spec.round,
            attempt: spec.attempt,
            provider: spec.provider.name.clone(),
            capability: spec.provider.capability,
            request: spec.request,
            reserved: price(spec),
            gate: self.gate.clone(),
            patience: self.timeout.unwrap_or(ANSWER) + self.shared.tuning.patience,
        };
        self.intents.send((call, answer)).await.map_err(|_| lost())?;
        reply.await.map_err(|_| lost())?
    }

    async fn send_and_settle(
        &self,
        spec: &CallSpec,
        (id, again): (CallId, bool),
        resume: Option<String>,
        send: SendCall,
    ) -> Result<(Answer, Money)> {
        let keeper = Arc::new(Keeper { caller: self.clone(), call: id, kept: AtomicBool::new(resume.is_some()) });
        let note = TaskNote::new(Arc::clone(&keeper) as _);
        // What becomes of a repeat does not tell what became of the first; what becomes of a task does.
        let again = again && resume.is_none();
        let sent = send(CallContext { idempotency_key: id, timeout: self.timeout, resume, note });
        let outcome = match self.timeout {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit, sent).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::new(ErrorKind::Timeout, "the provider did not answer in time")
                    .with("provider", &spec.provider.name)
                    .retry(Retryability::Indeterminate)),
            },
        };
        // A repeated call was perhaps written down for an earlier try; its answer is this one's.
        let attempt = Some(spec.attempt);
        match outcome {
            Ok(answer) => {
                let cost = answer.cost.unwrap_or_else(|| price(spec));
                let mut record = settlement(id, CallState::Succeeded);
                record.cost = cost;
                record.response = Some(answer.response.clone());
                record.external_id.clone_from(&answer.external_id);
                self.settle(Settlement { attempt, ..record }).await?;
                Ok((answer, cost))
            }
            Err(error) => {
                let task = spec.provider.repeat.is_resumable() && keeper.kept.load(Ordering::SeqCst);
                let (mut state, retry) = verdict(&error, spec.provider.repeat, task);
                if again {
                    state = CallState::Unknown;
                }
                let record = settlement(id, state).because(Failure::from(&error));
                // A vendor that is still at a task it took on is not out of order.
                let outage = !task && matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable);
                self.settle(Settlement { attempt, outage, ..record }).await?;
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

    async fn settle(&self, record: Settlement) -> Result<()> {
        self.persist(record.call, || self.shared.store.settle(record.clone())).await?;
        Ok(())
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
            Ok(AttachReply::Attached) => self.kept.store(true, Ordering::SeqCst),
            Ok(reply @ (AttachReply::OtherTask | AttachReply::AlreadySettled)) => {
                tracing::warn!(call = %self.call, external_id, ?reply, "the ledger keeps another task of this call");
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), call = %self.call, external_id, "the task was not written down");
            }
        }
    }
}

/// Says what an error leaves of a call, and what a retry of the stage can do: go on with the same call under its key or
/// with its task, make a new one, or nothing without a person.
fn verdict(error: &Error, repeat: Repeat, task: bool) -> (CallState, Retryability) {
    let retry = error.retryability();
    let heals = matches!(
        error.kind(),
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Exhausted
    );
    match retry {
        Retryability::Indeterminate if repeat.is_idempotent() || task && heals => {
            (CallState::Unknown, Retryability::Transient)
        }
        Retryability::Throttled { .. } if task => (CallState::Unknown, retry),
        Retryability::Indeterminate => (CallState::Unknown, retry),
        Retryability::Transient
        | Retryability::Throttled { .. }
        | Retryability::Permanent
        | Retryability::Refused
        | Retryability::Exhausted => (CallState::Failed, retry),
    }
}

enum Earlier {
    None,
    /// To be gone on with under its id: by asking for its task, when that is known.
    Unanswered(CallId, Option<String>),
    Answered(Box<CallRecord>),
}

fn price(spec: &CallSpec) -> Money {
    spec.provider.price.map_or(Money::ZERO, |price| price.per_call + price.per_unit * u64::from(spec.units))
}

fn recorded(call: CallRecord) -> Result<(Answer, Money)> {
    let response =
        call.response.ok_or_else(|| Error::corrupt("a settled call has no response").with("call", call.id))?;
    let cost = call.cost.unwrap_or_default();
    Ok((Answer { response, cost: call.cost, external_id: call.external_id }, cost))
}

fn unknown(message: &str) -> Failure {
    Failure { code: FailureCode::OutcomeUnknown, retry: Retryability::Indeterminate, message: message.to_owned() }
}

fn settlement(call: CallId, state: CallState) -> Settlement {
    Settlement {
        call,
        state,
        cost: Money::ZERO,
        response: None,
        failure: None,
        external_id: None,
        attempt: None,
        outage: false,
    }
}

trait Because {
    fn because(self, failure: Failure) -> Self;
}

impl Because for Settlement {
    fn because(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }
}
