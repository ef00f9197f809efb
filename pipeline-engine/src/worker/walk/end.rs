//! What a try came to, and what that is in the words of the executor.

use std::time::Duration;

use pipeline_core::error::chain;
use pipeline_core::executor::{Event, Outcome, Wait};
use pipeline_core::id::{CallId, HoldId, ResultId};
use pipeline_core::model::Failure;
use pipeline_core::pipeline::{Role, StageIndex};
use pipeline_core::stage::{Output, StageEnd};
use pipeline_core::storage::ResultRecord;
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::super::committer::Ticket;
use super::Walk;

/// What one try of a stage came to.
pub(crate) type RunOutcome = Result<StageEnd>;

/// The end of a try: all items of a shared one take it at the same moment and with the same draw, so that what waits
/// for another try together is due together, and is claimed together.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: RunOutcome,
    /// The calls whose answers it has used up.
    pub(crate) used: Vec<CallId>,
    /// The call of an earlier job whose answer it has taken for the item.
    pub(crate) reused: Option<CallId>,
    /// Whether a call it has made, or has gone on with, has no known outcome.
    pub(crate) unsettled: bool,
    /// The gate of the budget that has kept its last call from being made.
    pub(crate) barred: Option<String>,
    /// What it is written together with: the ends of the others of a shared try.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) at: Timestamp,
    pub(crate) draw: u64,
}

/// What a try leaves beside the next state.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) result: Option<(StageIndex, ResultRecord)>,
    pub(super) used: Vec<CallId>,
    pub(super) unsettled: bool,
    pub(super) ticket: Option<Ticket>,
    /// How long the try took.
    pub(super) took: Option<Duration>,
}

impl Walk {
    /// An end that comes from here.
    pub(super) fn end(&self, outcome: RunOutcome) -> Ended {
        Ended {
            outcome,
            used: Vec::new(),
            reused: None,
            unsettled: false,
            barred: None,
            ticket: None,
            at: self.shared.now(),
            draw: self.shared.draw(),
        }
    }

    /// Says in the executor's words what a try came to.
    pub(super) fn event(
        &self,
        stage: StageIndex,
        attempt: u32,
        (started_at, ended_at): (Timestamp, Timestamp),
        outcome: RunOutcome,
        barred: Option<String>,
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
                let gate = self.job.gate(stage).map(|gate| gate.key.as_str().to_owned());
                let event = match barred.or(gate) {
                    Some(key) => Event::Deferred { stage, attempt, wait: Wait::Gate { key } },
                    None => finished(failure(&error)),
                };
                (event, None)
            }
            Err(error) => (finished(failure(&error)), None),
        }
    }

    pub(super) fn record(
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
            reused: None,
            started_at,
            ended_at,
        })
    }
}

fn is_throttled(error: &Error) -> bool {
    matches!(error.retryability(), Retryability::Throttled { .. })
}

fn failure(error: &Error) -> Outcome {
    Outcome::Failure { failure: Failure::from(error) }
}

/// The error of a run that took too long.
pub(crate) fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, "the stage took too long").with("timeout_seconds", limit.as_secs_f64())
}
