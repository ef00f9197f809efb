//! Broken claims.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::error::Result;
use pipeline_core::executor::StageState;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::storage::{
    AGEING, BudgetKeeper as _, ClaimRequest, Claimed, Claims, GateKeeper as _, ItemStore as _, JobQuery, JobRecord,
    JobStore as _, WorkQueue as _,
};
use pipeline_core::time::Timestamp;

use super::store::{Breach, Broken};

impl Broken {
    pub(super) async fn hand_out(&self, request: ClaimRequest) -> Result<Claims> {
        self.bury().await?;
        let full = self.full().await?;
        let mut claims = match self.breach {
            Some(Breach::HandedOutTwice) => self.claim_after_a_look(request.clone()).await?,
            Some(Breach::ServedForgotten | Breach::NoAgeing | Breach::AgeSinceSubmit) => {
                self.claim_by_rank(&request).await?
            }
            Some(Breach::PauseHandsOut) => self.claim_in_a_pause(request.clone()).await?,
            Some(Breach::PauseOfOneProcess) if self.reopened => self.claim_in_a_pause(request.clone()).await?,
            Some(Breach::ClosedBudgetHandsOut) => {
                for budget in self.store.budgets().await? {
                    self.store.set_budget(budget.key, Some(budget.amount)).await?;
                }
                self.store.claim(request.clone()).await?
            }
            Some(Breach::ClosedGateHandsOut) => self.claim_behind_gates(request.clone()).await?,
            _ => self.store.claim(request.clone()).await?,
        };
        self.note(request.session, &claims);
        match self.breach {
            Some(Breach::TokenNotRaised) => {
                let notes = self.notes();
                for claimed in claims.units.iter_mut().flatten() {
                    claimed.token = notes.first.get(&claimed.item.id).copied().unwrap_or(claimed.token);
                }
            }
            Some(Breach::EachClaimIsTheFirst | Breach::NoClaimIsTheFirst) => {
                for claimed in claims.units.iter_mut().flatten() {
                    claimed.first = self.is(Breach::EachClaimIsTheFirst);
                }
            }
            Some(Breach::StartForgotten) => {
                for state in claims.units.iter_mut().flatten().flat_map(|claimed| &mut claimed.item.machine.stages) {
                    if let StageState::Running { attempt, .. } = *state {
                        *state = StageState::Ready { attempt };
                    }
                }
            }
            Some(Breach::LimitCutsUnits) => {
                let (mut left, mut beyond) = (request.limit as usize, Vec::new());
                for unit in &mut claims.units {
                    beyond.extend(unit.split_off(left.min(unit.len())));
                    left -= unit.len();
                }
                claims.units.retain(|unit| !unit.is_empty());
                self.give_back(request.session, &beyond).await?;
            }
            Some(Breach::UnitOverJobs) => claims.units = self.merged(claims.units),
            Some(Breach::UnitCountsItsItems) => {
                let (beyond, units) = claims
                    .units
                    .into_iter()
                    .partition(|unit: &Vec<Claimed>| unit.iter().any(|claimed| full.contains(&claimed.item.job)));
                claims.units = units;
                self.give_back(request.session, &beyond.concat()).await?;
            }
            _ => {}
        }
        claims.next_at = self.next_at(&request, claims.next_at).await?;
        Ok(claims)
    }

    /// Returns when to look again, told wrongly.
    async fn next_at(&self, request: &ClaimRequest, right: Option<Timestamp>) -> Result<Option<Timestamp>> {
        let now = self.time();
        Ok(match self.breach {
            Some(Breach::NextRoundedUp) => right.map(|at| at.after(Duration::from_secs(1))),
            Some(Breach::NextNever) => right.or(Some(now)),
            Some(Breach::ClosedBudgetWakes) => {
                let closed = self.store.budgets().await?.iter().any(|budget| budget.closed.is_some());
                right.or(closed.then_some(now))
            }
            Some(Breach::DueOverlooked) => right.filter(|at| *at > now),
            Some(Breach::GateWakesNobody) => {
                let shut = self.store.gates().await?.iter().any(|gate| gate.closed_until.is_some());
                right.filter(|_| !shut)
            }
            Some(Breach::NextIsTheLatest) if request.job.is_none() => {
                let mut latest = None;
                for job in self.store.jobs(JobQuery::default()).await? {
                    let look = ClaimRequest { limit: 0, job: Some(job.id), ..request.clone() };
                    latest = latest.max(self.store.claim(look).await?.next_at);
                }
                latest
            }
            _ => right,
        })
    }

    fn note(&self, session: SessionId, claims: &Claims) {
        let (now, mut notes) = (self.time(), self.notes());
        notes.turn += 1;
        let turn = notes.turn;
        for claimed in claims.units.iter().flatten() {
            notes.served.insert(claimed.item.job, (now, turn));
            notes.holders.insert(claimed.item.id, (session, claimed.token));
            notes.first.entry(claimed.item.id).or_insert(claimed.token);
        }
    }

    /// Gives back what should not have been claimed.
    async fn give_back(&self, session: SessionId, beyond: &[Claimed]) -> Result<()> {
        let goes = |id: &ItemId| beyond.iter().any(|claimed| claimed.item.id == *id);
        let kept = self.notes().holders.keys().filter(|id| !goes(id)).copied().collect();
        if beyond.is_empty() { Ok(()) } else { self.store.keep_only(session, kept).await }
    }

    /// Returns the jobs of which as many items are held as units may be.
    async fn full(&self) -> Result<Vec<JobId>> {
        let mut full = Vec::new();
        if self.is(Breach::UnitCountsItsItems) {
            for job in self.store.jobs(JobQuery::default()).await? {
                let most = self.store.plan(job.id).await?.plan.concurrency;
                if most.is_some_and(|most| job.counts.running >= u64::from(most)) {
                    full.push(job.id);
                }
            }
        }
        Ok(full)
    }

    /// Makes one unit of those with the same name, whatever their jobs.
    fn merged(&self, units: Vec<Vec<Claimed>>) -> Vec<Vec<Claimed>> {
        let notes = self.notes();
        let (mut merged, mut places) = (Vec::<Vec<Claimed>>::new(), BTreeMap::new());
        for unit in units {
            let name = unit.first().and_then(|claimed| notes.units.get(&claimed.item.id)).copied();
            let place = name.map_or(merged.len(), |name| *places.entry(name).or_insert(merged.len()));
            match merged.get_mut(place) {
                Some(same) => same.extend(unit),
                None => merged.push(unit),
            }
        }
        merged
    }

    /// Looks what is due in one transaction, and takes it in another: who looks meanwhile sees the same.
    async fn claim_after_a_look(&self, request: ClaimRequest) -> Result<Claims> {
        let before = self.notes().holders.clone();
        tokio::task::yield_now().await;
        let meanwhile = self.notes().holders.clone();
        let mut claims = self.store.claim(request).await?;
        for (id, (_, token)) in meanwhile {
            if !before.contains_key(&id) {
                claims.units.push(vec![Claimed { item: self.store.item(id).await?, token, first: true }]);
            }
        }
        Ok(claims)
    }

    async fn claim_in_a_pause(&self, request: ClaimRequest) -> Result<Claims> {
        let paused = self.store.queue_status().await?.paused;
        self.store.pause_all(false).await?;
        let claims = self.store.claim(request).await;
        self.store.pause_all(paused).await?;
        claims
    }

    async fn claim_behind_gates(&self, request: ClaimRequest) -> Result<Claims> {
        let now = self.time();
        let mut shut = self.store.gates().await?;
        shut.retain(|gate| gate.closed_until.is_some());
        for gate in &shut {
            self.store.open_gate(gate.key.clone()).await?;
        }
        let claims = self.store.claim(request).await;
        for gate in shut {
            let (until, reason) = (gate.closed_until.unwrap_or(now), gate.reason.unwrap_or_default());
            self.store.close_gate(gate.key, until.since(now), &reason).await?;
        }
        claims
    }

    /// Claims from one job after the other, in an order of its own.
    async fn claim_by_rank(&self, request: &ClaimRequest) -> Result<Claims> {
        let look = ClaimRequest { limit: 0, ..request.clone() };
        self.store.claim(look.clone()).await?;
        let mut jobs = self.store.jobs(JobQuery::default()).await?;
        jobs.retain(|job| request.job.is_none_or(|only| only == job.id));
        jobs.sort_by_key(|job| self.rank(job));
        let mut units = Vec::new();
        for job in jobs {
            let limit = request.limit - units.len() as u32;
            let from = ClaimRequest { limit, job: Some(job.id), ..request.clone() };
            units.extend(self.store.claim(from).await?.units);
        }
        Ok(Claims { units, next_at: self.store.claim(look).await?.next_at })
    }

    fn rank(&self, job: &JobRecord) -> (Reverse<i64>, Option<(Timestamp, u64)>, JobId) {
        let served = self.notes().served.get(&job.id).copied().unwrap_or((job.created_at, 0));
        let since = if self.is(Breach::AgeSinceSubmit) { job.created_at } else { served.0 };
        let gained = if self.is(Breach::NoAgeing) { 0 } else { self.time().since(since).as_secs() / AGEING.as_secs() };
        let last = Some(served).filter(|_| !self.is(Breach::ServedForgotten));
        (Reverse(i64::from(job.priority) + gained as i64), last, job.id)
    }
}
