//! What became of a call, and what that leaves to be done.

use pipeline_core::id::{CallId, SendingId};
use pipeline_core::model::{Failure, FailureCode, Money};
use pipeline_core::provider::Repeat;
use pipeline_core::stage::Answer;
use pipeline_core::storage::{CallRecord, CallState, Settlement};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

/// Says what an error leaves of a call, and what a retry of the stage can do: go on with the same call under its key or
/// with its task, make a new one, or nothing without a person.
///
/// An error of a repeat says nothing of what was sent before it: the call stays the same one, or what the first try has
/// cost would be paid again under another key.
pub(super) fn verdict(error: &Error, repeat: Repeat, task: bool, again: bool) -> (CallState, Retryability) {
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
        _ if again => (CallState::Unknown, retry),
        Retryability::Indeterminate => (CallState::Unknown, retry),
        Retryability::Transient
        | Retryability::Throttled { .. }
        | Retryability::Permanent
        | Retryability::Refused
        | Retryability::Exhausted => (CallState::Failed, retry),
    }
}

pub(super) fn recorded(call: CallRecord) -> Result<(Answer, Money)> {
    if call.state == CallState::Failed {
        let failure =
            call.failure.ok_or_else(|| Error::corrupt("a failed call has no failure").with("call", call.id))?;
        return Err(failure.into_error());
    }
    let response =
        call.response.ok_or_else(|| Error::corrupt("a settled call has no response").with("call", call.id))?;
    let cost = call.cost.unwrap_or_default();
    Ok((Answer { response, cost: call.cost, external_id: call.external_id }, cost))
}

pub(super) fn unknown(message: &str) -> Failure {
    Failure { code: FailureCode::OutcomeUnknown, retry: Retryability::Indeterminate, message: message.to_owned() }
}

pub(super) fn settlement(call: CallId, sending: SendingId, state: CallState) -> Settlement {
    Settlement {
        call,
        state,
        sending: Some(sending),
        cost: Money::ZERO,
        response: None,
        failure: None,
        external_id: None,
        outage: false,
    }
}

pub(super) trait Because {
    fn because(self, failure: Failure) -> Self;
}

impl Because for Settlement {
    fn because(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }
}
