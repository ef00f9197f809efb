//! The ledger protocol around a paid call: look for an earlier one, write the intent, send, settle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use pipeline_core::error::chain;
use pipeline_core::id::{CallId, JobId, StageName};
use pipeline_core::model::{Failure, FailureCode, Money};
use pipeline_core::provider::{CallContext, Repeat};
use pipeline_core::stage::{Answer, CallSpec, SendCall};
use pipeline_core::storage::{CallQuery, CallRecord, CallState, NewCall, Settlement};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::shared::Shared;

/// Asks the walk that holds the item to write an intent with its next commit.
pub(crate) type IntentRequest = (NewCall, oneshot::Sender<Result<()>>);

/// Where and how calls of one stage run are made.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) job: JobId,
    pub(crate) stage: StageName,
    pub(crate) timeout: Option<Duration>,
    pub(crate) intents: mpsc::Sender<IntentRequest>,
    /// Calls in flight; they outlive the walks that made them.
    pub(crate) flights: TaskTracker,
}

impl Caller {
    /// Makes one call, or returns the answer of the same call made before a crash.
    pub(crate) async fn call(&self, spec: CallSpec, send: SendCall) -> Result<(Answer, Money)> {
        if spec.provider.repeat == Repeat::Free {
            let id = CallId::from_uuid(uuid::Uuid::now_v7());
            let answer = send(CallContext { idempotency_key: id, timeout: self.timeout }).await?;
            return Ok((answer, Money::ZERO));
        }
        let id = match self.earlier(&spec).await? {
            Earlier::Answered(record) => return recorded(*record),
            Earlier::Repeatable(id) => id,
            Earlier::None => {
                let id = CallId::from_uuid(uuid::Uuid::now_v7());
                self.intend(&spec, id).await?;
                id
            }
        };
        // The call and its settlement run in a task of their own: neither a cancellation nor a lost lease nor a
        // dropped caller keeps a paid answer from being recorded.
        let this = self.clone();
        let handle = self.flights.spawn(async move { this.send_and_settle(&spec, id, send).await });
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
            // Only the whole request can be made again under its key; its answer serves any part of its items.
            let whole = call.items == spec.items && call.request == spec.request;
            let repeatable = spec.provider.repeat == Repeat::Idempotent && whole;
            match call.state {
                CallState::Succeeded
                    if call.attempt == spec.attempt && (whole || call.items.len() > spec.items.len()) =>
                {
                    return Ok(Earlier::Answered(Box::new(call)));
                }
                CallState::Open | CallState::Unknown if repeatable => return Ok(Earlier::Repeatable(call.id)),
                CallState::Open | CallState::Unknown => {
                    if call.state == CallState::Open {
                        let why = "the process ended while the call was open";
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
        };
        self.intents.send((call, answer)).await.map_err(|_| lost())?;
        reply.await.map_err(|_| lost())?
    }

    async fn send_and_settle(&self, spec: &CallSpec, id: CallId, send: SendCall) -> Result<(Answer, Money)> {
        let sent = send(CallContext { idempotency_key: id, timeout: self.timeout });
        let outcome = match self.timeout {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit, sent).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::new(ErrorKind::Timeout, "the provider did not answer in time")
                    .with("provider", &spec.provider.name)
                    .retry(Retryability::Indeterminate)),
            },
        };
        match outcome {
            Ok(answer) => {
                let cost = answer.cost.unwrap_or_else(|| price(spec));
                let mut record = settlement(id, CallState::Succeeded);
                record.cost = cost;
                record.response = Some(answer.response.clone());
                record.external_id.clone_from(&answer.external_id);
                self.settle(record).await?;
                Ok((answer, cost))
            }
            Err(error) if error.retryability() == Retryability::Indeterminate => {
                self.settle(settlement(id, CallState::Unknown).because(Failure::from(&error))).await?;
                // With an idempotency key the same call may simply be made again.
                let repeatable = spec.provider.repeat == Repeat::Idempotent;
                Err(if repeatable { error.retry(Retryability::Transient) } else { error })
            }
            Err(error) => {
                self.settle(settlement(id, CallState::Failed).because(Failure::from(&error))).await?;
                Err(error)
            }
        }
    }

    async fn settle(&self, record: Settlement) -> Result<()> {
        let mut pause = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        loop {
            match self.shared.store.settle(record.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if waited >= self.shared.tuning.patience => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), call = %record.call, "settling failed, trying again");
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

enum Earlier {
    None,
    Repeatable(CallId),
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
    Settlement { call, state, cost: Money::ZERO, response: None, failure: None, external_id: None }
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
