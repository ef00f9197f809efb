//! Broken commits.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_core::error::Result;
use pipeline_core::id::{CallId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus, Money};
use pipeline_core::storage::{
    BREAKER_TRIPS_AT, BudgetKeeper as _, CallLedger as _, CallQuery, CallState, Commit, CommitReply, GateKeeper as _,
    GateKey, ItemStore as _, JobStore as _, NewCall, RATE_WINDOW, Refusal, WorkQueue as _,
};
use pipeline_core::time::Timestamp;

use super::store::{Breach, Broken};

impl Broken {
    pub(super) async fn write(&self, session: SessionId, mut commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let mut controls = Vec::with_capacity(commits.len());
        for commit in &mut commits {
            let control = self.store.job(commit.job).await?.control;
            self.amend(commit, control).await?;
            self.note_commit(session, commit, control);
            controls.push(control);
        }
        self.amend_calls(&mut commits).await?;
        match self.breach {
            Some(Breach::SessionNotCompared) => {
                let holder = commits.first().and_then(|commit| self.notes().holders.get(&commit.item).copied());
                return self.store.commit(holder.map_or(session, |(holder, _)| holder), commits).await;
            }
            Some(Breach::StaleTakesItsBatch)
                if commits.len() > 1 && commits.iter().any(|commit| self.is_stale(commit)) =>
            {
                return Ok(vec![CommitReply::Superseded; commits.len()]);
            }
            Some(Breach::BatchInParts) => {
                let mut replies = Vec::with_capacity(commits.len());
                for commit in commits {
                    replies.extend(self.store.commit(session, vec![commit]).await?);
                }
                return Ok(replies);
            }
            Some(Breach::PauseOpensCalls) => {
                let paused = self.store.queue_status().await?.paused;
                self.store.pause_all(false).await?;
                let replies = self.store.commit(session, commits).await;
                self.store.pause_all(paused).await?;
                return replies;
            }
            Some(Breach::RefusalTakesItsBatch) if commits.len() > 1 => {
                let asks = commits
                    .iter()
                    .zip(&controls)
                    .any(|(commit, control)| !commit.calls.is_empty() && *control != Control::Run);
                if asks {
                    return Ok(vec![CommitReply::Refused(Refusal::Paused); commits.len()]);
                }
            }
            Some(Breach::RateOfFixedMinutes) => {
                if let Some(until) = self.take_from_minute(&mut commits) {
                    return Ok(vec![CommitReply::Refused(Refusal::Gate(Some(until))); commits.len()]);
                }
            }
            Some(Breach::JobPauseOfOneProcess) if self.reopened => {
                let of_paused = commits.iter().zip(&controls).filter(|(_, control)| **control == Control::Pause);
                let paused: BTreeSet<JobId> = of_paused.map(|(commit, _)| commit.job).collect();
                for job in &paused {
                    self.store.control(*job, Control::Run).await?;
                }
                let replies = self.store.commit(session, commits).await;
                for job in paused {
                    self.store.control(job, Control::Pause).await?;
                }
                return replies;
            }
            Some(Breach::BudgetOfEachProcess) if self.reopened => {
                let budgets = self.store.budgets().await?;
                for budget in &budgets {
                    self.store.set_budget(budget.key.clone(), None).await?;
                }
                let replies = self.store.commit(session, commits).await;
                for budget in budgets {
                    self.store.set_budget(budget.key, Some(budget.amount)).await?;
                }
                return replies;
            }
            Some(Breach::EventsFirst) => self.tell_first(session, &mut commits).await?,
            _ => {}
        }
        let mut replies = self.store.commit(session, commits.clone()).await?;
        for ((reply, mut commit), control) in replies.iter_mut().zip(commits).zip(controls) {
            match (self.breach, *reply) {
                (Some(Breach::RefusedInPart), CommitReply::Refused(_)) => {
                    commit.calls.clear();
                    self.store.commit(session, vec![commit]).await?;
                }
                (Some(Breach::RefusalBeforeFence), CommitReply::Superseded)
                    if control == Control::Cancel && !commit.calls.is_empty() =>
                {
                    *reply = CommitReply::Refused(Refusal::Cancelled);
                }
                _ => {}
            }
        }
        Ok(replies)
    }

    /// Changes what a commit says of its item.
    async fn amend(&self, commit: &mut Commit, control: Control) -> Result<()> {
        match self.breach {
            Some(Breach::TokenNotCompared) => {
                commit.token = self.notes().holders.get(&commit.item).map_or(commit.token, |(_, token)| *token);
            }
            Some(Breach::TokenNotRaised) if self.notes().first.get(&commit.item) == Some(&commit.token) => {
                commit.token = self.notes().holders.get(&commit.item).map_or(commit.token, |(_, token)| *token);
            }
            Some(Breach::JobNotCompared) => commit.job = self.store.item(commit.item).await?.job,
            Some(Breach::GivenBackStaysHeld) if control == Control::Cancel && !commit.status.is_terminal() => {
                commit.release = false;
            }
            Some(Breach::WaitIgnored) => commit.claimable_at = commit.claimable_at.map(|at| at.min(self.time())),
            Some(Breach::TimesInMilliseconds) => {
                let whole = |at: Timestamp| Timestamp::from_micros(at.as_micros() / 1_000 * 1_000);
                commit.claimable_at = commit.claimable_at.map(whole);
            }
            Some(Breach::ParentKeepsLeaves) if commit.machine.expanded.is_some() => {
                commit.machine.leaves = commit.children.len() as u32;
            }
            Some(Breach::UseForgotten) => commit.used.clear(),
            _ => {}
        }
        Ok(())
    }

    /// Changes the intents.
    async fn amend_calls(&self, commits: &mut [Commit]) -> Result<()> {
        if commits.iter().all(|commit| commit.calls.is_empty()) {
            return Ok(());
        }
        let gates = self.store.gates().await?;
        let closed = |key: &GateKey| gates.iter().any(|gate| gate.key == *key && gate.closed_until.is_some());
        let tries = |key: &GateKey| {
            gates.iter().any(|gate| gate.key == *key && gate.outages >= BREAKER_TRIPS_AT) && !closed(key)
        };
        let known = self.store.calls(CallQuery { limit: u32::MAX, ..CallQuery::default() }).await?;
        let known: BTreeMap<CallId, CallState> = known.into_iter().map(|call| (call.id, call.state)).collect();
        let is_settled = |call: &NewCall| matches!(known.get(&call.id), Some(CallState::Succeeded | CallState::Failed));
        let is_unknown = |call: &NewCall| known.get(&call.id) == Some(&CallState::Unknown);
        for commit in commits {
            match self.breach {
                Some(Breach::NotOpenedAgain) => commit.calls.retain(|call| !is_unknown(call)),
                Some(Breach::SettledIntentAccepted) => commit.calls.retain(|call| !is_settled(call)),
                _ => {}
            }
            for call in &mut commit.calls {
                match (self.breach, &mut call.gate) {
                    (Some(Breach::ReservedAfterwards), _) => call.reserved = Some(Money::ZERO),
                    (Some(Breach::UnpricedIsFree), _) => call.reserved = call.reserved.or(Some(Money::ZERO)),
                    (Some(Breach::DeadlineIgnored), _) => call.patience *= 1_000,
                    (Some(Breach::ClosedGatePasses), Some(pass)) if closed(&pass.key) => call.gate = None,
                    (Some(Breach::ClosedForOneProcess), Some(pass)) if self.reopened && closed(&pass.key) => {
                        call.gate = None;
                    }
                    (Some(Breach::ConcurrencyIgnored), Some(pass)) => pass.limits.concurrency = None,
                    (Some(Breach::ConcurrencyOfEachProcess), Some(pass)) if self.reopened => {
                        pass.limits.concurrency = None;
                    }
                    (Some(Breach::RateIgnored), Some(pass)) => pass.limits.per_minute = None,
                    (Some(Breach::RateOfEachProcess), Some(pass)) if self.reopened => pass.limits.per_minute = None,
                    (Some(Breach::ManyTry), Some(pass)) if tries(&pass.key) => {
                        self.store.open_gate(pass.key.clone()).await?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn note_commit(&self, session: SessionId, commit: &Commit, control: Control) {
        let (now, stale) = (self.time(), self.is_stale(commit));
        let mut notes = self.notes();
        for call in &commit.calls {
            notes.callers.entry(call.id).or_insert(session);
            notes.deadlines.entry(call.id).or_insert(now.after(call.patience));
        }
        if stale {
            return;
        }
        if commit.machine.expanded.is_some() {
            notes.replaced.push(commit.item);
        }
        if control == Control::Cancel {
            notes.late_children.extend(commit.children.iter().map(|child| child.id));
        }
        if commit.claimable_at.is_some() && !commit.release {
            notes.parked.insert(commit.item, commit.clone());
        }
    }

    fn is_stale(&self, commit: &Commit) -> bool {
        self.notes().holders.get(&commit.item).is_some_and(|(_, token)| *token != commit.token)
    }

    /// Counts intents in minutes that begin with their first, and returns when the next one begins if this one is full.
    fn take_from_minute(&self, commits: &mut [Commit]) -> Option<Timestamp> {
        let (now, mut notes) = (self.time(), self.notes());
        for pass in commits.iter_mut().flat_map(|commit| &mut commit.calls).filter_map(|call| call.gate.as_mut()) {
            let Some(most) = pass.limits.per_minute.take() else { continue };
            let minute = notes.minutes.entry(pass.key.clone()).or_insert((now, 0, most));
            if minute.0.after(RATE_WINDOW) <= now {
                *minute = (now, 0, most);
            }
            if minute.1 >= most {
                return Some(minute.0.after(RATE_WINDOW));
            }
            minute.1 += 1;
        }
        None
    }

    /// Writes the events in a transaction of their own.
    async fn tell_first(&self, session: SessionId, commits: &mut [Commit]) -> Result<()> {
        let mut told = Vec::new();
        for commit in commits.iter_mut().filter(|commit| !commit.events.is_empty()) {
            let events = std::mem::take(&mut commit.events);
            told.push(Commit {
                machine: self.store.item(commit.item).await?.machine,
                status: ItemStatus::Running,
                claimable_at: None,
                results: Vec::new(),
                calls: Vec::new(),
                used: Vec::new(),
                children: Vec::new(),
                events,
                release: false,
                ..commit.clone()
            });
        }
        self.store.commit(session, told).await?;
        tokio::task::yield_now().await;
        Ok(())
    }
}
