//! The hooks, their lanes and their messages.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{EventSeq, HookId, JobId, MessageId, Token};
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, Hook, HookKeeper, LANE_GRACE, Lane, LaneReport, LaneStep, Lanes,
    NewHook,
};
use pipeline_core::time::Timestamp;

use super::state::State;
use super::store::MemoryStore;

/// How far a hook has heard of a job.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneState {
    cursor: EventSeq,
    token: i64,
    attempts: u32,
    due_at: Timestamp,
    lease_until: Timestamp,
}

impl State {
    /// Lets the hooks that match hear of a job from after an event on.
    pub(super) fn hear(&mut self, job: JobId, only: Option<HookId>) {
        let Some(found) = self.jobs.get(&job) else { return };
        let cursor = EventSeq(found.events.len() as i64);
        for hook in self.hooks.iter().filter(|hook| only.is_none_or(|only| only == hook.id)) {
            let pipeline = &found.new.plan.plan.pipeline;
            if hook.owner == found.new.owner && hook.spec.jobs.match_with(pipeline, &found.new.label) {
                self.lanes.insert((hook.id, job), LaneState { cursor, ..LaneState::default() });
            }
        }
    }

    /// Forgets what hooks have heard of a job.
    pub(super) fn unhear(&mut self, job: JobId) {
        self.lanes.retain(|(_, other), _| *other != job);
        self.deliveries.retain(|delivery| delivery.job != job);
    }

    fn hook_mut(&mut self, id: HookId) -> Result<&mut Hook> {
        self.hooks.iter_mut().find(|hook| hook.id == id).ok_or_else(|| missing(id))
    }

    /// Has what waits due at once.
    fn wake(&mut self, hook: HookId) {
        for lane in self.lanes.iter_mut().filter(|((other, _), _)| *other == hook).map(|(_, lane)| lane) {
            lane.due_at = Timestamp::EPOCH;
        }
    }

    /// Returns when the lane may be handed out, when there is something to deliver.
    fn ready_at(&self, hook: HookId, job: JobId, lane: &LaneState) -> Option<Timestamp> {
        let open = self.hooks.iter().any(|known| known.id == hook && known.paused.is_none());
        let more = self.jobs.get(&job).is_some_and(|job| job.events.len() as i64 > lane.cursor.0);
        (open && more).then_some(lane.due_at.max(lane.lease_until))
    }

    fn note(&mut self, report: &LaneReport, now: Timestamp) {
        let LaneStep::Tried { seq, kind, outcome } = &report.step else { return };
        let id = report.hook.message(report.job, *seq);
        match self.deliveries.iter_mut().find(|delivery| delivery.id == id) {
            Some(known) => known.tried(outcome, now),
            None => {
                let mut delivery = DeliveryRecord::new(report.hook, report.job, *seq, kind, now);
                delivery.tried(outcome, now);
                self.deliveries.push(delivery);
            }
        }
    }
}

fn missing(id: HookId) -> Error {
    Error::not_found("there is no such hook").with("hook", id)
}

#[async_trait]
impl HookKeeper for MemoryStore {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        let now = self.time();
        self.with(|state| {
            if state.hooks.iter().any(|known| known.owner == hook.owner && known.name == hook.name) {
                return Err(Error::conflict("there is a hook of this name already").with("name", hook.name));
            }
            let NewHook { id, owner, name, spec } = hook;
            let hook = Hook { id, owner, name, spec, created_at: now, paused: None };
            state.hooks.push(hook.clone());
            state.hooks.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
            for job in state.jobs.keys().copied().collect::<Vec<_>>() {
                state.hear(job, Some(id));
            }
            Ok(hook)
        })
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        self.with(|state| Ok(state.hooks.clone()))
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        self.with(|state| {
            let found = state.hook_mut(hook)?;
            found.paused = reason.map(str::to_owned);
            let found = found.clone();
            if reason.is_none() {
                state.wake(hook);
            }
            Ok(found)
        })
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.with(|state| {
            state.hook_mut(hook)?;
            state.wake(hook);
            Ok(())
        })
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        self.with(|state| {
            state.hook_mut(hook)?;
            state.hooks.retain(|known| known.id != hook);
            state.lanes.retain(|(other, _), _| *other != hook);
            state.deliveries.retain(|delivery| delivery.hook != hook);
            Ok(())
        })
    }

    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        let now = self.time();
        self.with(|state| {
            let mut ready: Vec<(Timestamp, Timestamp, (HookId, JobId))> = state
                .lanes
                .iter()
                .filter(|((hook, _), _)| only.is_none_or(|only| only == *hook))
                .filter_map(|((hook, job), lane)| {
                    Some((state.ready_at(*hook, *job, lane)?, lane.lease_until, (*hook, *job)))
                })
                .collect();
            ready.sort_by_key(|(_, served, key)| (*served, *key));
            let (due, later): (Vec<_>, Vec<_>) = ready.into_iter().partition(|(at, _, _)| *at <= now);
            let left = due.iter().skip(limit as usize).chain(&later).map(|(at, _, _)| *at);
            let next_at = left.min();
            let mut lanes = Vec::new();
            for (_, _, key) in due.iter().take(limit as usize) {
                lanes.extend(take(state, *key, now));
            }
            Ok(Lanes { lanes, next_at, hooks: state.hooks.iter().any(|hook| hook.paused.is_none()) })
        })
    }

    async fn report_lane(&self, report: LaneReport) -> Result<bool> {
        let now = self.time();
        self.with(|state| {
            let timeout = state.hooks.iter().find(|hook| hook.id == report.hook).map(|hook| hook.spec.policy.timeout);
            let known = state.jobs.contains_key(&report.job);
            let lane = state.lanes.get_mut(&(report.hook, report.job)).filter(|lane| lane.token == report.token.0);
            let (Some(timeout), Some(lane), true) = (timeout, lane, known) else { return Ok(false) };
            match &report.step {
                LaneStep::Passed(seq) => lane.cursor = (*seq).max(lane.cursor),
                LaneStep::Tried { outcome: DeliveryOutcome::Waiting { wait, .. }, .. } => {
                    lane.attempts += 1;
                    lane.due_at = now.after(*wait);
                }
                LaneStep::Tried { seq, .. } => {
                    lane.cursor = *seq;
                    lane.attempts = 0;
                    lane.due_at = Timestamp::EPOCH;
                }
            }
            lane.lease_until = if report.hold { now.after(timeout + LANE_GRACE) } else { now };
            state.note(&report, now);
            Ok(true)
        })
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let before = query.before.map(|id| state.deliveries.iter().position(|known| known.id == id).unwrap_or(0));
            let some = state.deliveries.iter().take(before.unwrap_or(usize::MAX)).rev();
            let wanted = some.filter(|known| {
                query.hook.is_none_or(|hook| known.hook == hook)
                    && query.job.is_none_or(|job| known.job == job)
                    && query.id.is_none_or(|id| known.id == id)
                    && query.state.is_none_or(|wanted| known.state == wanted)
                    && state.jobs.contains_key(&known.job)
            });
            Ok(wanted.take(limit as usize).cloned().collect())
        })
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        let now = self.time();
        self.with(|state| {
            let known = state.deliveries.iter_mut().find(|delivery| delivery.id == message);
            let known = known.ok_or_else(|| no_message(message))?;
            known.tried(&outcome, now);
            Ok(known.clone())
        })
    }
}

fn no_message(id: MessageId) -> Error {
    Error::not_found("there is no such message").with("message", id)
}

fn take(state: &mut State, (hook, job): (HookId, JobId), now: Timestamp) -> Option<Lane> {
    let timeout = state.hooks.iter().find(|known| known.id == hook)?.spec.policy.timeout;
    let new = &state.jobs.get(&job)?.new;
    let (label, pipeline, owner) = (new.label.clone(), new.plan.plan.pipeline.clone(), new.owner.clone());
    let lane = state.lanes.get_mut(&(hook, job))?;
    lane.token += 1;
    lane.lease_until = now.after(timeout + LANE_GRACE);
    let (token, after, attempts) = (Token(lane.token), lane.cursor, lane.attempts);
    Some(Lane { hook, job, label, pipeline, owner, token, after, attempts })
}
