//! The calls of an item: their intents, those it has left open, and those it has not used up.

use pipeline_core::executor::Event;
use pipeline_core::id::CallId;
use pipeline_core::model::{Control, Failure, FailureCode, Money};
use pipeline_core::pipeline::StageIndex;
use pipeline_core::storage::{
    BudgetKey, BudgetScope, CallQuery, CallState, Closed, CommitReply, GateKey, NewCall, Refusal, Settlement,
};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::{Walk, answered};

impl Walk {
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

    pub(super) async fn intend(&mut self, call: NewCall) -> Result<()> {
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
    pub(super) async fn refused(&mut self, refusal: Refusal, gate: Option<GateKey>) -> Result<Error> {
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
            Refusal::Budget(scope, closed) => {
                let key = match scope {
                    BudgetScope::Job => BudgetKey::Job(self.job.id),
                    BudgetScope::Owner => BudgetKey::Owner(self.shared.store.job(self.job.id).await?.owner),
                };
                let message = match closed {
                    Closed::Wants(_) => "the call would pass the budget",
                    Closed::Unpriced => "there is a budget, and nobody knows what the call may cost at most",
                };
                Error::new(ErrorKind::RateLimited, message)
                    .with("gate", key.gate())
                    .retry(Retryability::Throttled { after: None })
            }
            Refusal::Gate(until) => {
                let after = until.map(|until| until.since(self.shared.now()));
                let key = gate.map(|key| key.to_string()).unwrap_or_default();
                Error::new(ErrorKind::RateLimited, "the gate is closed or full")
                    .with("gate", key)
                    .retry(Retryability::Throttled { after })
            }
        })
    }
}
