//! The queue: sessions and claims.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, SessionId, Token};
use pipeline_core::model::Control;
use pipeline_core::storage::{
    AGEING, ClaimRequest, Claimed, Claims, Commit, CommitReply, GateKey, Heartbeat, LOOK_AGAIN, NewSession,
    QueueStatus, SessionRecord, WorkQueue,
};
use pipeline_core::time::Timestamp;

use super::commit;
use super::rates::rates;
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
            let paused = state.paused;
            let control = |job: &Job| if paused && job.control == Control::Run { Control::Pause } else { job.control };
            let steered = state.jobs.values().filter(|job| control(job) != Control::Run);
            let held = steered.filter(|job| state.items_of(job).any(|item| item.session == Some(session)));
            Ok(Heartbeat { alive: true, controls: held.map(|job| (job.new.id, control(job))).collect() })
        })
    }

    async fn close_session(&self, session: SessionId) -> Result<()> {
        let now = self.time();
        self.with(|state| state.release(&[session], now));
        Ok(())
    }

    async fn keep_only(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        let now = self.time();
        self.with(|state| state.free(&[session], &items, now));
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
            let only = match (request.job, session.focus) {
                (Some(job), Some(focus)) if job != focus => return Ok(Claims { units: Vec::new(), next_at: None }),
                (job, focus) => job.or(focus),
            };
            if state.paused {
                return Ok(Claims { units: Vec::new(), next_at: None });
            }
            let mut jobs: Vec<JobId> = state
                .jobs
                .values()
                .filter(|job| job.status.is_none() && job.control == Control::Run)
                .map(|job| job.new.id)
                .filter(|id| only.is_none_or(|only| only == *id))
                .collect();
            jobs.sort_by_key(|id| state.jobs.get(id).map(|job| rank(job, now)));
            let mut units = Vec::new();
            for job in &jobs {
                let want = (request.limit as usize).saturating_sub(units.len());
                units.extend(serve(state, request.session, *job, want, now));
            }
            Ok(Claims { units, next_at: jobs.iter().filter_map(|id| next_at(state, *id, now)).min() })
        })
    }

    async fn pause_all(&self, paused: bool) -> Result<()> {
        self.with(|state| state.paused = paused);
        Ok(())
    }

    async fn queue_status(&self) -> Result<QueueStatus> {
        let now = self.time();
        self.with(|state| {
            state.bury(now);
            let (paused, rates) = (state.paused, rates(state, now));
            let mut status = QueueStatus { paused, rates, ..QueueStatus::default() };
            for job in state.jobs.values().filter(|job| job.status.is_none()) {
                *status.jobs.entry(state.view(job).status).or_default() += 1;
                let mut due = false;
                for item in state.items_of(job).filter(|item| !item.record.status.is_terminal() && !item.is_replaced())
                {
                    match (item.session, item.claimable_at) {
                        (Some(_), _) => status.depth.held += 1,
                        (None, Some(at)) if at <= now => {
                            status.depth.due += 1;
                            due = true;
                        }
                        (None, _) => status.depth.waiting += 1,
                    }
                    if let (None, Some(gate)) = (item.session, &item.gate) {
                        *status.by_gate.entry(gate.to_string()).or_default() += 1;
                    }
                }
                if due && job.control == Control::Run {
                    status.oldest = Some(status.oldest.map_or(job.served_at, |oldest| oldest.min(job.served_at)));
                }
            }
            Ok(status)
        })
    }

    async fn commit(&self, session: SessionId, commits: Vec<Commit>) -> Result<Vec<CommitReply>> {
        let now = self.time();
        self.with(|state| commit::commit(state, session, commits, now))
    }
}

/// The order in which jobs are served: by priority with what they gained by waiting, then the longest waiting.
fn rank(job: &Job, now: Timestamp) -> (Reverse<i64>, Timestamp, JobId) {
    let gained = now.since(job.served_at).as_secs() / AGEING.as_secs();
    let priority = i64::from(job.new.priority).saturating_add(i64::try_from(gained).unwrap_or(i64::MAX));
    (Reverse(priority), job.served_at, job.new.id)
}

/// Tells whether a job may be worked on: its time has come, and so has its turn.
fn is_admitted(state: &State, job: &Job, now: Timestamp) -> bool {
    let started = |other: &&Job| other.status.is_none() && other.started_at.is_some();
    job.new.start_at.is_none_or(|at| at <= now)
        && job.new.key.as_ref().is_none_or(|key| {
            let same = |other: &&Job| other.new.key.as_ref().is_some_and(|other| other.name == key.name);
            let taken = state.jobs.values().filter(started).filter(same).count();
            job.started_at.is_some() || taken < key.limit as usize
        })
}

/// Tells whether a job that has the turn another one waits for can go on by itself.
fn turn_may_come(state: &State, job: &Job) -> bool {
    let name = job.new.key.as_ref().map(|key| &key.name);
    let has_it = |other: &&Job| {
        other.new.key.as_ref().map(|key| &key.name) == name && other.status.is_none() && other.started_at.is_some()
    };
    let mut holders = state.jobs.values().filter(has_it);
    holders.any(|other| {
        let runs = other.control == Control::Run;
        let unpaid = state.is_closed(other);
        let goes_on = |item: &Item| item.claimable_at.is_some() && !(unpaid && item.gate.is_some());
        state.items_of(other).any(|item| item.session.is_some() || (runs && goes_on(item)))
    })
}

/// Returns when an item of a job may be handed out, as far as only time is in the way.
fn next_at(state: &State, id: JobId, now: Timestamp) -> Option<Timestamp> {
    let job = state.jobs.get(&id)?;
    if !is_admitted(state, job, now) {
        let turn = || turn_may_come(state, job).then(|| now.after(LOOK_AGAIN));
        return job.new.start_at.filter(|at| *at > now).or_else(turn);
    }
    let items = job.claimable.iter().filter_map(|(_, _, id)| state.items.get(id));
    let full = concurrency(state, job) == Some(0);
    let mut shut: HashMap<&GateKey, Option<Timestamp>> = HashMap::new();
    let unpaid = state.is_closed(job);
    let mut opens = |key| {
        *shut.entry(key).or_insert_with(|| {
            let load = state.load(key, now);
            let closed = load.room(now, state.held_at(key)) == Some(0);
            closed.then(|| load.opens_at(now).unwrap_or_else(|| now.after(LOOK_AGAIN)))
        })
    };
    let mut next: Option<Timestamp> = None;
    for item in items.filter(|item| !(unpaid && item.gate.is_some())) {
        let Some(at) = item.claimable_at else { continue };
        let at = match item.gate.as_ref().and_then(&mut opens) {
            _ if at > now => at,
            Some(opens) => opens,
            None if full => now.after(LOOK_AGAIN),
            None => return Some(now),
        };
        next = Some(next.map_or(at, |next| next.min(at)));
    }
    next
}

/// Returns how many more units of a job may be held; `None` is without limit.
fn concurrency(state: &State, job: &Job) -> Option<usize> {
    let most = job.new.plan.plan.concurrency? as usize;
    let held = state.items_of(job).filter(|item| item.session.is_some());
    let held: BTreeSet<ItemId> = held.map(|item| item.unit.unwrap_or(item.record.id)).collect();
    Some(most.saturating_sub(held.len()))
}

/// Hands out the first `want` units of a job that are due.
fn serve(state: &mut State, session: SessionId, id: JobId, want: usize, now: Timestamp) -> Vec<Vec<Claimed>> {
    let Some(job) = state.jobs.get(&id).filter(|job| is_admitted(state, job, now)) else { return Vec::new() };
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
        state.items.get(&id).map(|item| Claimed { item: item.view(), token: item.token, first: item.token == Token(1) })
    };
    units.into_iter().map(|unit| unit.into_iter().filter_map(&mut hand_over).collect()).collect()
}

fn pick(state: &State, job: &Job, want: usize, now: Timestamp) -> Vec<Vec<ItemId>> {
    let want = concurrency(state, job).map_or(want, |left| want.min(left));
    let mut units: Vec<Vec<ItemId>> = Vec::new();
    let mut places: HashMap<ItemId, usize> = HashMap::new();
    let mut rooms: HashMap<GateKey, Option<u64>> = HashMap::new();
    let mut shared = false;
    // What waits behind a gate comes along when a mate is handed out that does not.
    let mut passed: Vec<(ItemId, ItemId)> = Vec::new();
    let unpaid = state.is_closed(job);
    let due = job.claimable.iter().filter_map(|(_, _, id)| state.items.get(id));
    for item in due.filter(|item| item.claimable_at.is_some_and(|at| at <= now)) {
        let id = item.record.id;
        let unit = item.unit.unwrap_or(id);
        if let Some(place) = places.get(&unit) {
            units.get_mut(*place).into_iter().for_each(|unit| unit.push(id));
            continue;
        }
        if units.len() >= want {
            // Nothing that comes later belongs to what is picked already.
            if !shared {
                break;
            }
            continue;
        }
        if unpaid && item.gate.is_some() {
            passed.push((unit, id));
            continue;
        }
        if let Some(key) = &item.gate {
            let room = rooms.entry(key.clone()).or_insert_with(|| state.load(key, now).room(now, state.held_at(key)));
            match room {
                Some(0) => {
                    passed.push((unit, id));
                    continue;
                }
                Some(left) => *left -= 1,
                None => {}
            }
        }
        shared |= item.unit.is_some();
        places.insert(unit, units.len());
        units.push(vec![id]);
    }
    for (unit, id) in passed {
        if let Some(unit) = places.get(&unit).and_then(|place| units.get_mut(*place)) {
            unit.push(id);
            unit.sort_by_key(|id| state.items.get(id).map(Item::place));
        }
    }
    units
}
