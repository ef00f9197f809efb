//! Bugs planted on purpose: the simulation must find each of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::Result;
use pipeline_core::executor::StageState;
use pipeline_core::id::{CallId, ItemId, JobId, SessionId, Token};
use pipeline_core::model::{Control, Money};
use pipeline_core::storage::{
    CallQuery, CallRecord, CallState, ClaimRequest, Claims, Commit, CommitReply, Heartbeat, JobRecord, SettleReply,
    Settlement, Store,
};

use crate::tap::{Tap, Tapped};

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident => $word:literal),+ $(,)?) => {
        /// A bug planted on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Planted { $($(#[$doc])* $name),+ }

        impl Planted {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

bugs! {
    /// A store that writes whatever token a commit has.
    TokenIgnored => "no token check on a write",
    /// A store that hands an item out under the token of the holder before.
    TokenNotRaised => "a claim that does not raise the token",
    /// A store that answers a settlement from someone who has lost the items, and forgets it.
    LateSettleDropped => "a zombie's paid response dropped",
    /// A store that writes intents that the gate has not admitted.
    IntentBeforeAdmission => "intent before admission",
    /// A store that looks whether an intent may pass, and writes it later.
    CancelBetween => "cancel acknowledged between admission and intent",
    /// A store that acknowledges a cancellation, and carries it out when it finds time.
    CancelLate => "cancel checked only at start",
    /// A store that writes events after the state they tell of.
    EventsApart => "events written outside the state's transaction",
    /// A store that forgets crashes.
    CrashesForgotten => "crash count reset",
    /// A store that takes whatever a dead session held for what was running.
    NeighbourCounted => "a neighbour's crash counted",
    /// A store that hands siblings out apart after a crash.
    BatchReformed => "batch re-formed after a crash",
    /// A store that tells sessions that they live after their lease has run out.
    LeaseRenewed => "lease renewed after it expired",
    /// A ledger that shows calls once they are settled.
    OpenCallOverlooked => "an open call is not looked for",
    /// A ledger that does not write down which task a call has begun.
    TaskForgotten => "the vendor's task is not remembered",
    /// A ledger that takes how an earlier sending of a call went wrong for what became of the last.
    StaleFailure => "failure of an earlier sending believed",
    /// A store that keeps for a session what it does not know it was handed.
    ClaimStranded => "a claim whose answer was lost is stranded",
    /// A store that reserves nothing of a budget before a call, and only counts what calls have cost.
    ReservedAfterwards => "budget reserved after the call",
    /// A provider that calls for good what cannot be done, and lets it be tried again.
    PermanentRetried => "a permanent error is retried",
    /// A provider that makes a key of its own for each try.
    KeyOfEachTry => "the key contains the attempt",
    /// A stage that asks the vendor before it writes its intent.
    CallBeforeIntent => "intent after the call",
}

impl Planted {
    /// Puts the bug into a store, when it is one of a store.
    pub(super) fn into_store(self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        match self {
            Self::PermanentRetried | Self::KeyOfEachTry | Self::CallBeforeIntent => store,
            _ => {
                let bug = Bug { planted: self, seen: Mutex::default(), between: AtomicUsize::new(0) };
                Arc::new(Tapped::new(store, Arc::new(bug)))
            }
        }
    }
}

/// A bug of a store.
#[derive(Debug)]
struct Bug {
    planted: Planted,
    seen: Mutex<Seen>,
    /// Intents that were admitted and are not written.
    between: AtomicUsize,
}

#[derive(Debug, Default)]
struct Seen {
    holders: BTreeMap<ItemId, (SessionId, Token)>,
    calls: BTreeMap<CallId, (SessionId, Vec<ItemId>)>,
}

impl Bug {
    fn is(&self, planted: Planted) -> bool {
        self.planted == planted
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tap for Bug {
    async fn commit(
        &self,
        store: &dyn Store,
        session: SessionId,
        mut commits: Vec<Commit>,
    ) -> Result<Vec<CommitReply>> {
        {
            let mut seen = self.seen();
            for call in commits.iter().flat_map(|commit| &commit.calls) {
                seen.calls.insert(call.id, (session, call.items.clone()));
            }
        }
        match self.planted {
            Planted::TokenIgnored | Planted::TokenNotRaised => {
                let mut replies = Vec::with_capacity(commits.len());
                for mut commit in commits {
                    let holder = self.seen().holders.get(&commit.item).copied();
                    let (session, token) = holder.unwrap_or((session, commit.token));
                    commit.token = token;
                    replies.extend(store.commit(session, vec![commit]).await?);
                }
                return Ok(replies);
            }
            Planted::IntentBeforeAdmission => {
                for call in commits.iter_mut().flat_map(|commit| &mut commit.calls) {
                    call.gate = None;
                }
            }
            Planted::ReservedAfterwards => {
                for call in commits.iter_mut().flat_map(|commit| &mut commit.calls) {
                    call.reserved = Some(Money::ZERO);
                }
            }
            Planted::CancelBetween if commits.iter().any(|commit| !commit.calls.is_empty()) => {
                self.between.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(400)).await;
                let replies = store.commit(session, commits).await;
                self.between.fetch_sub(1, Ordering::SeqCst);
                return replies;
            }
            Planted::EventsApart => {
                let events: Vec<_> = commits.iter_mut().map(|commit| std::mem::take(&mut commit.events)).collect();
                let replies = store.commit(session, commits.clone()).await?;
                let told = commits.into_iter().zip(events).map(|(commit, events)| Commit {
                    results: Vec::new(),
                    calls: Vec::new(),
                    used: Vec::new(),
                    children: Vec::new(),
                    events,
                    ..commit
                });
                store.commit(session, told.collect()).await?;
                return Ok(replies);
            }
            _ => {}
        }
        store.commit(session, commits).await
    }

    async fn claim(&self, store: &dyn Store, request: ClaimRequest) -> Result<Claims> {
        let session = request.session;
        let mut claims = store.claim(request).await?;
        let mut seen = self.seen();
        for claimed in claims.units.iter_mut().flatten() {
            let before = seen.holders.insert(claimed.item.id, (session, claimed.token));
            match (self.planted, before) {
                (Planted::TokenNotRaised, Some((_, token))) => claimed.token = token,
                (Planted::CrashesForgotten, _) => claimed.item.machine.crashes = 0,
                (Planted::NeighbourCounted, Some(_)) => {
                    for state in &mut claimed.item.machine.stages {
                        if let StageState::Ready { attempt } = *state {
                            *state = StageState::Running { attempt, resume: None };
                        }
                    }
                }
                _ => {}
            }
        }
        drop(seen);
        if self.is(Planted::BatchReformed) {
            let running = |state: &StageState| matches!(state, StageState::Running { .. });
            let units = claims.units.into_iter().flat_map(|unit| {
                if unit.iter().any(|claimed| claimed.item.machine.stages.iter().any(running)) {
                    unit.into_iter().map(|claimed| vec![claimed]).collect()
                } else {
                    vec![unit]
                }
            });
            claims.units = units.collect();
        }
        Ok(claims)
    }

    async fn settle(&self, store: &dyn Store, settlement: Settlement) -> Result<SettleReply> {
        let late = {
            let seen = self.seen();
            seen.calls.get(&settlement.call).is_some_and(|(session, items)| {
                items.iter().any(|item| seen.holders.get(item).is_some_and(|(holder, _)| holder != session))
            })
        };
        if self.is(Planted::LateSettleDropped) && late {
            return Ok(SettleReply::Settled);
        }
        let sending = settlement.sending.filter(|_| !self.is(Planted::StaleFailure));
        store.settle(Settlement { sending, ..settlement }).await
    }

    async fn keep_only(&self, store: &dyn Store, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        if self.is(Planted::ClaimStranded) {
            return Ok(());
        }
        store.keep_only(session, items).await
    }

    async fn calls(&self, store: &dyn Store, query: CallQuery) -> Result<Vec<CallRecord>> {
        let mut calls = store.calls(query).await?;
        match self.planted {
            Planted::OpenCallOverlooked => calls.retain(|call| call.state != CallState::Open),
            Planted::TaskForgotten => calls.iter_mut().for_each(|call| call.external_id = None),
            _ => {}
        }
        Ok(calls)
    }

    async fn heartbeat(&self, store: &dyn Store, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        let mut beat = store.heartbeat(session, lease).await?;
        beat.alive |= self.is(Planted::LeaseRenewed);
        Ok(beat)
    }

    async fn control(&self, store: &dyn Store, id: JobId, control: Control) -> Result<JobRecord> {
        let late =
            self.is(Planted::CancelLate) || self.is(Planted::CancelBetween) && self.between.load(Ordering::SeqCst) > 0;
        if control != Control::Cancel || !late {
            return store.control(id, control).await;
        }
        let record = store.job(id).await?;
        Ok(JobRecord { control, ..record })
    }
}
