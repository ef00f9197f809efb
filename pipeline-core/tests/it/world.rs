//! A small driver with a store in memory: it walks items by random choices and keeps a record of every step.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::executor::{Decision, Event, ItemMachine, Outcome, Resume, Retry, StageState, Transition, Wait};
use pipeline_core::expression::Facts;
use pipeline_core::id::{CallId, HoldId, ItemId};
use pipeline_core::model::{Counts, Failure, FailureCode, Reason, Verdict};
use pipeline_core::pipeline::{Plan, Role};
use pipeline_core::time::Timestamp;
use pipeline_core::{ErrorKind, Retryability};

use crate::plans::{facts, item, result};

/// No walk may take more turns than this; the longest take a few hundred.
const BOUND: usize = 1_000;

/// One committed step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) item: ItemId,
    pub(crate) before: ItemMachine,
    pub(crate) now: Timestamp,
    pub(crate) draw: u64,
    pub(crate) event: Event,
    pub(crate) transition: Transition,
    /// Leaves of the whole job by state, after the step.
    pub(crate) counts: Counts,
    /// Σ settled stages × leaves of the whole job, after the step.
    pub(crate) steps: u64,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    /// What is durable.
    pub(crate) store: BTreeMap<ItemId, ItemMachine>,
    /// Every machine as it was first stored.
    pub(crate) first: BTreeMap<ItemId, ItemMachine>,
    pub(crate) log: Vec<Step>,
    /// Whether everything ended within the bound.
    pub(crate) ended: bool,
    choices: std::vec::IntoIter<u16>,
    fates: std::vec::IntoIter<u8>,
    now: Timestamp,
}

impl std::fmt::Debug for World {
    /// The plan and what happened, in order; the states between follow from them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events: Vec<_> = self.log.iter().take(100).map(|step| &step.event).collect();
        write!(f, "{:?}\n{events:?}", self.plan.stages)
    }
}

impl World {
    /// Walks one root item. When the choices are used up, everything goes well, so that the walk ends.
    ///
    /// `fates` say what becomes of each commit: 1 it is lost and tried again, 2 its acknowledgement is lost and the
    /// item reloaded, anything else it is acknowledged.
    pub(crate) fn walk(plan: Plan, choices: Vec<u16>, fates: Vec<u8>) -> Self {
        let root = ItemMachine::new(item(), &plan);
        let store = BTreeMap::from([(root.id, root)]);
        let mut world = Self {
            plan,
            facts: facts(),
            first: store.clone(),
            store,
            log: Vec::new(),
            ended: false,
            choices: choices.into_iter(),
            fates: fates.into_iter(),
            now: Timestamp::EPOCH,
        };
        for _ in 0..BOUND {
            let open: Vec<ItemId> = world.store.values().filter(|m| !m.is_ended()).map(|m| m.id).collect();
            let left = world.choices.len() > 0;
            if open.is_empty() && !left {
                world.ended = true;
                break;
            }
            let any: Vec<ItemId> = world.store.keys().copied().collect();
            let decide = world.pick(12) == 11;
            let from = if open.is_empty() || decide { &any } else { &open };
            let chosen = from[world.pick(from.len())];
            if let Some(event) = world.event(chosen) {
                world.deliver(chosen, event);
            }
        }
        world
    }

    fn pick(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, usize::from) % of
    }

    fn event(&mut self, id: ItemId) -> Option<Event> {
        let machine = self.store[&id].clone();
        if machine.is_ended() {
            return self.decision();
        }
        match self.pick(24) {
            20 => return Some(Event::CancelRequested),
            21 => return Some(Event::Claimed),
            22 => return self.log.last().filter(|step| step.item == id).map(|step| step.event.clone()),
            _ => {}
        }
        let running: Vec<(usize, u32)> = (0..machine.stages.len())
            .filter_map(|index| match machine.stages[index] {
                StageState::Running { attempt, .. } => Some((index, attempt)),
                _ => None,
            })
            .collect();
        if !running.is_empty() {
            let (stage, attempt) = running[self.pick(running.len())];
            return Some(self.report(stage, attempt));
        }
        if machine.stages.iter().any(|state| matches!(state, StageState::Waiting { .. })) {
            return Some(match self.pick(4) {
                0 => {
                    self.now = self.now.max(machine.wake_at().unwrap_or(self.now));
                    Event::Woke { released: true }
                }
                1 => Event::Woke { released: true },
                2 => Event::Woke { released: false },
                _ => Event::Claimed,
            });
        }
        Some(Event::Claimed)
    }

    fn decision(&mut self) -> Option<Event> {
        let count = self.plan.stages.len();
        let decision = match self.pick(6) {
            1 => Decision::Retry(Retry::from(None)),
            2 => Decision::Retry(Retry::from(Some(self.pick(count + 1)))),
            3 => Decision::Approve,
            4 => Decision::Discard,
            5 => return Some(Event::Woke { released: true }),
            _ => return None,
        };
        Some(Event::Decided { decision })
    }

    fn report(&mut self, stage: usize, attempt: u32) -> Event {
        let judges = self.plan.stages[stage].role == Role::Check;
        let good = if judges {
            Outcome::Judged { result: result(), verdict: Verdict::Pass }
        } else {
            Outcome::Output { result: result() }
        };
        let reason = Reason::new("grey", "grey");
        let outcome = match self.pick(16) {
            4 if judges => Outcome::Judged { result: result(), verdict: Verdict::Fail { reasons: vec![reason] } },
            5 if judges => Outcome::Judged { result: result(), verdict: Verdict::Uncertain { reason } },
            6 | 7 => failure(Retryability::Transient),
            8 => failure(Retryability::Permanent),
            9 => failure([Retryability::Refused, Retryability::Indeterminate, Retryability::Exhausted][self.pick(3)]),
            10 => failure(Retryability::Throttled { after: Some(Duration::from_secs(3)) }),
            11 => failure(Retryability::Throttled { after: None }),
            12 => return Event::Deferred { stage, attempt, wait: self.wait() },
            13 | 14 => {
                let poll_at = self.now.after(Duration::from_secs(5));
                return Event::Suspended { stage, attempt, resume: Resume(format!("task {attempt}")), poll_at };
            }
            15 if attempt > 1 => {
                return Event::Finished { stage, attempt: attempt - 1, outcome: good };
            }
            _ => good,
        };
        Event::Finished { stage, attempt, outcome }
    }

    fn wait(&mut self) -> Wait {
        match self.pick(4) {
            0 => Wait::Until { at: self.now.after(Duration::from_secs(2)), reason: "later".to_owned() },
            1 => Wait::Gate { key: "breaker".to_owned() },
            2 => Wait::Call { call: CallId::from_uuid(item().as_uuid()) },
            _ => Wait::Person { hold: HoldId::from_uuid(item().as_uuid()), reason: "unknown outcome".to_owned() },
        }
    }

    fn deliver(&mut self, id: ItemId, event: Event) {
        let before = self.store[&id].clone();
        let draw = self.log.len() as u64 * 7_919;
        loop {
            let Ok(transition) = before.step(&self.plan, &self.facts, self.now, draw, &event) else { return };
            let fate = self.fates.next().unwrap_or(0);
            if fate == 1 {
                assert_eq!(self.store[&id], before, "a lost commit leaves the stored state as it was");
                continue;
            }
            self.store.insert(id, transition.next.clone());
            for child in &transition.children {
                assert!(self.store.insert(child.id, child.machine.clone()).is_none(), "a child is made once");
                self.first.insert(child.id, child.machine.clone());
            }
            if fate == 2 {
                assert_eq!(self.store[&id], transition.next, "reloading shows what was committed");
            }
            let (counts, steps) = self.totals();
            self.log.push(Step { item: id, before, now: self.now, draw, event, transition, counts, steps });
            return;
        }
    }

    pub(crate) fn totals(&self) -> (Counts, u64) {
        let mut counts = Counts::default();
        let mut steps = 0;
        for machine in self.store.values() {
            counts.add(machine.status(&self.plan), u64::from(machine.leaves));
            steps += u64::from(machine.steps()) * u64::from(machine.leaves);
        }
        (counts, steps)
    }
}

pub(crate) fn failure(retry: Retryability) -> Outcome {
    let code = FailureCode::Port(ErrorKind::Unavailable);
    Outcome::Failure { failure: Failure { code, retry, message: "down".to_owned() } }
}
