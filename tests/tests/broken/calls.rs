//! A broken ledger.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, Digest, JobId};
use pipeline_core::model::Money;
use pipeline_core::storage::{
    AttachReply, BREAKER_TRIPS_AT, BudgetKeeper as _, CallLedger, CallQuery, CallRecord, CallState, Decision,
    GateKeeper as _, GateRecord, NewResolution, SettleReply, Settlement, Spend, SpendQuery,
};

use super::store::{Breach, Broken};

#[async_trait]
impl CallLedger for Broken {
    async fn settle(&self, mut settlement: Settlement) -> Result<SettleReply> {
        let Some(known) = self.known(settlement.call).await? else {
            let answer = self.store.settle(settlement).await;
            return if self.is(Breach::MissingCallSettled) { Ok(SettleReply::AlreadySettled) } else { answer };
        };
        let was_open = matches!(known.state, CallState::Open | CallState::Unknown);
        match self.breach {
            Some(Breach::AbandonedCallLost) if self.notes().abandoned.contains(&known.job) => {
                return Ok(SettleReply::AlreadySettled);
            }
            Some(Breach::LateAnswerDropped) if self.is_late(&known) => return Ok(SettleReply::Settled),
            Some(Breach::StaleFailureBelieved) => settlement.sending = None,
            Some(Breach::EarlierAnswerRefused)
                if settlement.state == CallState::Succeeded
                    && settlement.sending.is_some_and(|sending| sending != known.sending) =>
            {
                return Ok(SettleReply::SentAgain);
            }
            Some(Breach::UnknownStays) if known.state == CallState::Unknown => return Ok(SettleReply::AlreadySettled),
            Some(Breach::TwoOutcomesAtOnce) => tokio::task::yield_now().await,
            Some(Breach::TaskOfAnswerDropped) => settlement.external_id = None,
            Some(Breach::CostIsTheReservation) => settlement.cost = known.reserved,
            Some(Breach::UnknownFrees) if settlement.state == CallState::Unknown => {
                for budget in self.store.budgets().await? {
                    self.store.set_budget(budget.key, Some(budget.amount + known.reserved)).await?;
                }
            }
            Some(Breach::OutagesNotCounted) => settlement.outage = false,
            Some(Breach::FailedTryEndsRow) => {
                let tripped =
                    |gate: &GateRecord| Some(&gate.key) == known.gate.as_ref() && gate.outages >= BREAKER_TRIPS_AT;
                settlement.outage &= !self.store.gates().await?.iter().any(tripped);
            }
            Some(Breach::StrayOutageCounts) if settlement.outage => {
                let mut closed = self.store.gates().await?.into_iter().filter(|gate| gate.closed_until.is_some());
                if let Some(gate) = closed.find(|gate| Some(&gate.key) == known.gate.as_ref()) {
                    self.store.close_gate(gate.key, Duration::from_secs(20), "one more").await?;
                }
            }
            _ => {}
        }
        let reply = self.store.settle(settlement.clone()).await?;
        match (self.breach, reply) {
            (Some(Breach::TwoOutcomesAtOnce), SettleReply::AlreadySettled)
                if was_open && settlement.state != CallState::Unknown =>
            {
                Ok(SettleReply::Settled)
            }
            (Some(Breach::LastOutcomeWins), SettleReply::AlreadySettled) => {
                self.notes().outcomes.insert(settlement.call, settlement);
                Ok(SettleReply::Settled)
            }
            _ => Ok(reply),
        }
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        let reply = self.store.attach(call, external_id.clone()).await?;
        Ok(match (self.breach, reply) {
            (Some(Breach::LastTaskWins), AttachReply::OtherTask) => {
                self.notes().tasks.insert(call, external_id);
                AttachReply::Attached
            }
            (Some(Breach::SettledCallAttached), AttachReply::AlreadySettled) => AttachReply::Attached,
            _ => reply,
        })
    }

    async fn resolve(&self, mut resolution: NewResolution) -> Result<CallRecord> {
        let known = self.known(resolution.call).await?;
        match self.breach {
            Some(Breach::OpenCallResolved) if known.as_ref().is_some_and(|call| call.state == CallState::Open) => {
                self.store.settle(settled(resolution.call)).await?;
            }
            Some(Breach::ResolutionIsFree) => resolution.cost = Money::ZERO,
            Some(Breach::RepeatServes) if resolution.decision == Decision::Repeat => {
                resolution.decision = Decision::GiveUp;
            }
            _ => {}
        }
        self.store.resolve(resolution).await
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        match (self.store.call(id).await, self.known(id).await?) {
            (Err(error), None) if self.is(Breach::MissingCallCorrupt) => Err(Error::corrupt("no call").because(error)),
            (answer, _) => answer.map(|mut record| {
                self.show(&mut record);
                record
            }),
        }
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        let answer = self.store.answered(job, request).await?;
        match self.breach {
            Some(Breach::AnswersOfOthers) if answer.is_none() => self.remembered(request, CallState::Succeeded).await,
            Some(Breach::EmptyAnswers) if answer.is_none() => self.remembered(request, CallState::Failed).await,
            Some(Breach::DeletedAnswers) => {
                let mut notes = self.notes();
                let known = notes.answers.entry((job, request)).or_default();
                known.extend(answer.filter(|answer| known.iter().all(|known| known.id != answer.id)));
                Ok(known.last().cloned())
            }
            _ => Ok(answer),
        }
    }

    async fn spend(&self, mut query: SpendQuery) -> Result<Vec<Spend>> {
        match self.breach {
            Some(Breach::SpentBeforeCounts) => query.since = None,
            Some(Breach::OthersSpent) => query.owner = None,
            _ => {}
        }
        let mut sums = self.store.spend(query).await?;
        if self.is(Breach::ReservedCountsAsSpent) {
            for sum in &mut sums {
                sum.spent += sum.reserved;
            }
        }
        Ok(sums)
    }

    async fn calls(&self, mut query: CallQuery) -> Result<Vec<CallRecord>> {
        let (item, unused) = (query.item, query.unused);
        match self.breach {
            Some(Breach::StageIgnored) => query.stage = None,
            Some(Breach::FirstStateOnly) => query.states.truncate(1),
            Some(Breach::UnusedIgnored | Breach::UsedByAll) => query.unused = false,
            _ => {}
        }
        let mut records = self.store.calls(query).await?;
        match self.breach {
            Some(Breach::FirstItemOnly) => {
                records.retain(|record| item.is_none_or(|item| record.items.first() == Some(&item)));
            }
            Some(Breach::UsedByAll) => records.retain(|record| !unused || record.used_by.is_empty()),
            Some(Breach::CallsOfDeletedGone) => {
                let notes = self.notes();
                records.retain(|record| !notes.deleted.contains(&record.id));
            }
            Some(Breach::IntentsLost) if self.reopened => records.retain(|record| record.state != CallState::Open),
            _ => {}
        }
        for record in &mut records {
            self.show(record);
        }
        Ok(records)
    }
}

/// Says that nobody knows what became of a call.
fn settled(call: CallId) -> Settlement {
    Settlement {
        call,
        state: CallState::Unknown,
        sending: None,
        cost: Money::ZERO,
        response: None,
        failure: None,
        external_id: None,
        outage: false,
    }
}

impl Broken {
    async fn known(&self, call: CallId) -> Result<Option<CallRecord>> {
        let all = self.store.calls(CallQuery { limit: u32::MAX, ..CallQuery::default() }).await?;
        Ok(all.into_iter().find(|record| record.id == call))
    }

    /// Returns a call of a request, whoever made it, that ended so.
    async fn remembered(&self, request: Digest, state: CallState) -> Result<Option<CallRecord>> {
        let all = self.store.calls(CallQuery { limit: u32::MAX, ..CallQuery::default() }).await?;
        Ok(all.into_iter().find(|call| call.request == request && call.state == state))
    }

    /// Tells whether somebody else was handed an item of a call since its intent.
    fn is_late(&self, call: &CallRecord) -> bool {
        let notes = self.notes();
        let caller = notes.callers.get(&call.id);
        call.items.iter().filter_map(|item| notes.holders.get(item)).any(|(holder, _)| Some(holder) != caller)
    }

    fn show(&self, record: &mut CallRecord) {
        let notes = self.notes();
        match self.breach {
            Some(Breach::LastOutcomeWins) => {
                if let Some(last) = notes.outcomes.get(&record.id).cloned() {
                    (record.state, record.cost) = (last.state, Some(last.cost));
                    (record.response, record.failure) = (last.response, last.failure);
                }
            }
            Some(Breach::SettlementLost) if self.reopened => {
                record.state = CallState::Open;
                (record.cost, record.settled_at) = (None, None);
                (record.response, record.failure) = (None, None);
            }
            Some(Breach::LastTaskWins) => {
                record.external_id = notes.tasks.get(&record.id).cloned().or(record.external_id.take());
            }
            Some(Breach::TaskLost) if self.reopened && record.state == CallState::Open => record.external_id = None,
            Some(Breach::UsedByAll) if !record.used_by.is_empty() => record.used_by.clone_from(&record.items),
            Some(Breach::DeadlineKept) => {
                record.deadline = notes.deadlines.get(&record.id).copied().unwrap_or(record.deadline);
            }
            _ => {}
        }
    }
}
