//! What must hold of the records of a job, whichever store keeps them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::executor::ItemMachine;
use crate::id::{CallId, ItemId, JobId, ResultId};
use crate::model::{Counts, ItemStatus, Money};

use super::item::StageTally;
use super::job::JobRecord;
use super::ledger::CallState;

/// Something recorded that contradicts something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Where: a kind of record and its id, the outer ones first.
    pub place: String,
    /// What is there, and what it should be.
    pub message: String,
}

impl Breach {
    /// Tells of a breach.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What an audit has read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Items read.
    pub items: u64,
    /// Results read.
    pub results: u64,
    /// Calls read.
    pub calls: u64,
    /// Events counted.
    pub events: u64,
    /// The first breaches, at most [`Audit::TOLD`].
    pub breaches: Vec<Breach>,
    /// How many more there are.
    pub further: u64,
}

impl Audit {
    /// So many breaches are told, the others only counted.
    pub const TOLD: usize = 100;

    /// Adds a breach.
    pub fn note(&mut self, breach: Breach) {
        if self.breaches.len() < Self::TOLD {
            self.breaches.push(breach);
        } else {
            self.further += 1;
        }
    }

    /// Adds what another audit has read and found.
    pub fn add(&mut self, other: Self) {
        self.items += other.items;
        self.results += other.results;
        self.calls += other.calls;
        self.events += other.events;
        self.further += other.further;
        other.breaches.into_iter().for_each(|breach| self.note(breach));
    }

    /// Tells whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }
}

/// An item as it is stored, for an audit.
#[derive(Clone, Debug)]
pub struct AuditedItem {
    /// Its id.
    pub id: ItemId,
    /// What the last commit said.
    pub status: ItemStatus,
    /// Whether a session holds it.
    pub held: bool,
    /// The leaves it counts for.
    pub leaves: u64,
    /// Its settled stages.
    pub steps: u64,
    /// Whether children took its place.
    pub replaced: bool,
    /// What its results cost.
    pub cost: Money,
    /// Its state.
    pub machine: ItemMachine,
    /// The results of the item it replaced a part of.
    pub inherited: Vec<ResultId>,
}

/// A result as it is stored, for an audit.
#[derive(Clone, Copy, Debug)]
pub struct AuditedResult<'a> {
    /// Its id.
    pub id: ResultId,
    /// The stage.
    pub stage: &'a str,
    /// How long the try took.
    pub took: Duration,
    /// What it cost.
    pub cost: Money,
}

/// A call as it is stored, for an audit.
#[derive(Clone, Copy, Debug)]
pub struct AuditedCall {
    /// Its id.
    pub id: CallId,
    /// Where it stands.
    pub state: CallState,
    /// Whether a time of its settlement is recorded.
    pub settled: bool,
    /// Whether a cost is recorded.
    pub priced: bool,
    /// How many items it names.
    pub named: u64,
    /// How many of those the job has.
    pub found: u64,
    /// By how many items it is found.
    pub indexed: u64,
}

/// The sequence of events of a job, as it is stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditedEvents {
    /// How many there are.
    pub count: u64,
    /// The first number.
    pub first: i64,
    /// The last number.
    pub last: i64,
}

/// Checks the records of one job as a store reads them: the one rule all stores share. Memory does not grow with the job,
/// but for results of ancestors beyond the parent.
#[derive(Debug)]
pub struct JobAuditor {
    job: JobId,
    audit: Audit,
    counts: Counts,
    steps: u64,
    cost: Money,
    tallies: BTreeMap<String, Tally>,
    unresolved: HashSet<ResultId>,
}

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    total: Duration,
    sum_squares: f64,
    cost: Money,
}

impl JobAuditor {
    /// Starts with a job.
    pub fn new(job: JobId) -> Self {
        Self {
            job,
            audit: Audit::default(),
            counts: Counts::default(),
            steps: 0,
            cost: Money::ZERO,
            tallies: BTreeMap::new(),
            unresolved: HashSet::new(),
        }
    }

    /// Checks an item with all of its results.
    pub fn item(&mut self, item: &AuditedItem, results: &[AuditedResult<'_>]) {
        self.audit.items += 1;
        self.audit.results += results.len() as u64;
        self.counts.add(if item.held { ItemStatus::Running } else { item.status }, item.leaves);
        self.steps += item.steps.saturating_mul(item.leaves);
        self.cost += item.cost;
        let machine = &item.machine;
        let mut wrong = |what: &str, is: &dyn fmt::Display, should: &dyn fmt::Display| {
            let place = format!("job {}, item {}", self.job, item.id);
            self.audit.note(Breach::new(place, format!("{what} {is}, and should be {should}")));
        };
        if machine.id != item.id {
            wrong("its machine is that of item", &machine.id, &item.id);
        }
        if u64::from(machine.leaves) != item.leaves {
            wrong("its leaves are", &item.leaves, &machine.leaves);
        }
        if u64::from(machine.steps()) != item.steps {
            wrong("its settled stages are", &item.steps, &machine.steps());
        }
        if machine.expanded.is_some() != item.replaced {
            wrong("that children took its place is", &item.replaced, &machine.expanded.is_some());
        }
        let cost = results.iter().fold(Money::ZERO, |sum, result| sum + result.cost);
        if cost != item.cost {
            wrong("its cost is", &item.cost, &cost);
        }
        for result in results {
            if !self.tallies.contains_key(result.stage) {
                self.tallies.insert(result.stage.to_owned(), Tally::default());
            }
            if let Some(tally) = self.tallies.get_mut(result.stage) {
                tally.count += 1;
                tally.total += result.took;
                tally.sum_squares += result.took.as_secs_f64() * result.took.as_secs_f64();
                tally.cost += result.cost;
            }
        }
        for (_, id) in machine.results() {
            if !results.iter().any(|result| result.id == id) && !item.inherited.contains(&id) {
                self.unresolved.insert(id);
            }
        }
    }

    /// Checks a call.
    pub fn call(&mut self, call: &AuditedCall) {
        self.audit.calls += 1;
        let mut wrong = |message: String| {
            self.audit.note(Breach::new(format!("job {}, call {}", self.job, call.id), message));
        };
        let open = call.state == CallState::Open;
        if open == call.settled {
            wrong(format!("it is {:?}, and a time of settlement is {}", call.state, told(call.settled)));
        }
        if !open && !call.priced {
            wrong(format!("it is {:?}, and its cost is {}", call.state, told(call.priced)));
        }
        if call.found != call.named {
            wrong(format!("it serves {} items, and the job has {} of them", call.named, call.found));
        }
        if call.indexed != call.named {
            wrong(format!("it serves {} items, and is found by {}", call.named, call.indexed));
        }
    }

    /// Returns the results that items refer to and that are neither their own nor of the item they replaced a part of.
    /// The store looks for them by id.
    pub fn unresolved(&self) -> Vec<ResultId> {
        self.unresolved.iter().copied().collect()
    }

    /// Says which of the unresolved results are there.
    pub fn resolved(&mut self, found: impl IntoIterator<Item = ResultId>) {
        for id in found {
            self.unresolved.remove(&id);
        }
    }

    /// Compares the sums, once everything was read.
    pub fn end(mut self, record: &JobRecord, tallies: &[StageTally], events: AuditedEvents) -> Audit {
        let job = format!("job {}", self.job);
        let mut lost: Vec<ResultId> = self.unresolved.iter().copied().collect();
        lost.sort_unstable();
        for id in lost {
            self.audit.note(Breach::new(format!("{job}, result {id}"), "an item refers to it, and it is not there"));
        }
        let mut wrong = |what: &str, is: &dyn fmt::Debug, should: &dyn fmt::Debug| {
            self.audit.note(Breach::new(job.clone(), format!("{what} {is:?}, and should be {should:?}")));
        };
        if record.counts != self.counts {
            wrong("its counts are", &record.counts, &self.counts);
        }
        if record.steps_done != self.steps {
            wrong("its settled stages are", &record.steps_done, &self.steps);
        }
        if record.cost != self.cost {
            wrong("its cost is", &record.cost, &self.cost);
        }
        let gapless = events.count == 0 || (events.first == 1 && u64::try_from(events.last) == Ok(events.count));
        if !gapless {
            let numbers = format!("{} to {}", events.first, events.last);
            wrong("the number of its events is", &events.count, &numbers);
        }
        if u64::try_from(record.last_event.0) != Ok(events.count) {
            wrong("its last event is", &record.last_event.0, &events.count);
        }
        self.audit.events += events.count;
        for tally in tallies {
            let sums = self.tallies.remove(tally.stage.as_str()).unwrap_or_default();
            // The order of a sum changes its last digits.
            let near = (tally.sum_squares - sums.sum_squares).abs() <= 1e-6 * sums.sum_squares.abs().max(1e-6);
            if (tally.count, tally.total, tally.cost) != (sums.count, sums.total, sums.cost) || !near {
                let place = format!("job {}, stage {}", self.job, tally.stage);
                let message = format!(
                    "its sums are {} results, {:?}, {}, and should be {} results, {:?}, {}",
                    tally.count, tally.total, tally.cost, sums.count, sums.total, sums.cost
                );
                self.audit.note(Breach::new(place, message));
            }
        }
        for (stage, sums) in self.tallies {
            let place = format!("job {}, stage {stage}", self.job);
            self.audit.note(Breach::new(place, format!("it has no sums, and {} results", sums.count)));
        }
        self.audit
    }
}

const fn told(there: bool) -> &'static str {
    if there { "there" } else { "missing" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(state: CallState) -> AuditedCall {
        let id = CallId::from_uuid(uuid::Uuid::nil());
        let open = state == CallState::Open;
        AuditedCall { id, state, settled: !open, priced: !open, named: 2, found: 2, indexed: 2 }
    }

    fn breaches(call: AuditedCall) -> Vec<String> {
        let mut auditor = JobAuditor::new(JobId::from_uuid(uuid::Uuid::nil()));
        auditor.call(&call);
        auditor.audit.breaches.iter().map(|breach| breach.message.clone()).collect()
    }

    #[test]
    fn a_call_is_settled_exactly_when_it_says_so_and_found_by_the_items_it_serves() {
        for state in [CallState::Open, CallState::Succeeded, CallState::Failed, CallState::Unknown] {
            assert_eq!(breaches(call(state)), Vec::<String>::new());
            assert_eq!(breaches(AuditedCall { settled: state == CallState::Open, ..call(state) }).len(), 1);
            assert_eq!(breaches(AuditedCall { found: 1, ..call(state) }).len(), 1);
            assert_eq!(breaches(AuditedCall { indexed: 3, ..call(state) }).len(), 1);
        }
        assert_eq!(breaches(AuditedCall { priced: false, ..call(CallState::Failed) }).len(), 1);
    }

    #[test]
    fn many_breaches_are_counted_and_some_told() {
        let mut audit = Audit::default();
        for number in 0..250 {
            audit.note(Breach::new(format!("job {number}"), "wrong"));
        }
        let mut sum = audit.clone();
        sum.add(audit);
        assert_eq!((sum.breaches.len(), sum.further), (Audit::TOLD, 400));
        assert!(!sum.is_clean());
    }
}
