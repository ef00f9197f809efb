//! The queue: sessions and claims.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, SessionId, Token};
use pipeline_core::model::Control;
use pipeline_core::storage::{
    ClaimRequest, Claimed, Claims, Commit, CommitReply, Heartbeat, NewSession, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::commit;
use super::state::{Item, Job, State};
use super::store::MemoryStore;

#[async_trait]
impl WorkQueue for MemoryStore {
    async fn now(&self) -> Result<Timestamp> {
        Ok(self.time())
    }

    async fn open_session(&self, session: NewSession) -> Result<()> {
        let now = self.time();
        self.with(|state| {
            if state.sessions.contains_key(&session.id) {
                return Err(Error::conflict("a session with this id is already there").with("session", session.id));
            }
            let record = SessionRecord {
                id: session.id,
                host: session.host,
                pid: session.pid,
                focus: session.focus,
                started_at: now,
                lease_until: now.after(session.lease),
                claims: 0,
            };
            state.sessions.insert(session.id, record);
            Ok(())
        })
    }

    async fn heartbeat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        let now = self.time();
        self.with(|state| {
            match state.sessions.get_mut(&session) {
                Some(record) if record.lease_until > now => record.lease_until = now.after(lease),
                Some(_) | None => {
                    state.release(&[session], now);
                    return Ok(Heartbeat { alive: false, controls: Vec::new() });
                }
            }
            let steered = state.jobs.values().filter(|job| job.control != Control::Run);
            let held = steered.filter(|job| state.items_of(job).any(|item| item.session == Some(session)));
            Ok(Heartbeat { alive: true, controls: held.map(|job| (job.new.id, job.control)).collect() })
        })
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        let now = self.time();
        self.with(|state| state.release(&[session], now));
        Ok(())
    }

    async fn sessions(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            let mut records: Vec<SessionRecord> = Vec::new();
            for session in state.sessions.values() {
                let held: Vec<&Item> = state.items.values().filter(|item| item.session == Some(session.id)).collect();
                let concerns = |job| session.focus == Some(job) || held.iter().any(|item| item.record.job == job);
                if job.is_none_or(concerns) {
                    records.push(SessionRecord { claims: held.len() as u64, ..session.clone() });
                }
            }
            records.sort_by_key(|session| (session.started_at, session.id));
            Ok(records)
        })
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            let session = state
                .sessions
                .get(&request.session)
                .ok_or_else(|| Error::conflict("the session has ended").with("session", request.session))?;
            let focus = session.focus;
            let mut jobs: Vec<JobId> = state
                .jobs
                .values()
                .filter(|job| job.status.is_none() && job.control == Control::Run)
                .map(|job| job.new.id)
                .filter(|id| focus.is_none_or(|focus| focus == *id) && request.job.is_none_or(|job| job == *id))
                .collect();
            jobs.sort_by_key(|id| {
                state.jobs.get(id).map(|job| (std::cmp::Reverse(job.new.priority), job.served_at, *id))
            });
            let mut units = Vec::new();
            for job in &jobs {
                let want = (request.limit as usize).saturating_sub(units.len());
                units.extend(serve(state, request.session, *job, want, now));
            }
            let waiting = jobs.iter().filter_map(|job| state.jobs.get(job)).flat_map(|job| &job.claimable);
            let times = waiting.filter_map(|(_, _, id)| state.items.get(id)?.claimable_at);
            Ok(Claims { units, next_at: times.min().map(|at| at.max(now)) })
        })
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let now = self.time();
        self.with(|state| commit::commit(state, session, commits, now))
    }
}

/// Hands out the first `want` units of a job that are due.
fn serve(state: &mut State, session: SessionId, id: JobId, want: usize, now: Timestamp) -> Vec<Vec<Claimed>> {
    let Some(job) = state.jobs.get(&id) else { return Vec::new() };
    let units = pick(state, job, want, now);
    if units.is_empty() {
        return Vec::new();
    }
    if let Some(job) = state.jobs.get_mut(&id) {
        job.started_at = job.started_at.or(Some(now));
        job.served_at = now.max(job.served_at.after(Duration::from_micros(1)));
    }
    let mut hand_over = |id: ItemId| {
        state.edit(id, |item| {
            item.session = Some(session);
            item.token = Token(item.token.0 + 1);
            item.record.updated_at = now;
        });
        state.items.get(&id).map(|item| Claimed { item: item.view(), token: item.token })
    };
    units.into_iter().map(|unit| unit.into_iter().filter_map(&mut hand_over).collect()).collect()
}

fn pick(state: &State, job: &Job, want: usize, now: Timestamp) -> Vec<Vec<ItemId>> {
    let mut units: Vec<Vec<ItemId>> = Vec::new();
    let mut places: HashMap<ItemId, usize> = HashMap::new();
    let due = job.claimable.iter().filter_map(|(_, _, id)| state.items.get(id));
    for item in due.filter(|item| item.claimable_at.is_some_and(|at| at <= now)) {
        let id = item.record.id;
        let unit = item.unit.unwrap_or(id);
        if let Some(place) = places.get(&unit) {
            units.get_mut(*place).into_iter().for_each(|unit| unit.push(id));
        } else if units.len() < want {
            places.insert(unit, units.len());
            units.push(vec![id]);
        }
    }
    units
}
