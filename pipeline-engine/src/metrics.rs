//! What an engine counts and measures, as Prometheus reads it; each engine has a registry of its own.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use pipeline_core::executor::{Event, Outcome, StageState, Wait};
use pipeline_core::id::JobId;
use pipeline_core::model::Verdict;
use pipeline_core::pipeline::PlannedStage;
use pipeline_core::storage::{
    CallState, Claimed, Claims, Commit, CommitReply, GatePass, GateRecord, QueueStatus, Refusal, SettleReply,
    Settlement, Store,
};
use pipeline_core::time::Timestamp;

/// A store that answers no sooner is left out of a page.
const PATIENCE: Duration = Duration::from_secs(5);

/// Seconds a store takes, from half a millisecond.
const STORE: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Seconds work takes or waits, from a hundredth to an hour.
const WORK: [f64; 15] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Commits that ride together.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    kind: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    provider: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Gate {
    gate: String,
}

/// What an engine has done since it was built. Always on: an event costs an atomic addition or two.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    claimed: Counter,
    claim_seconds: Histogram,
    late_seconds: Histogram,
    first_claim_seconds: Histogram,
    stage_seconds: Family<Kind, Histogram, fn() -> Histogram>,
    attempts: Family<Tried, Counter>,
    ended: Family<Status, Counter>,
    commits: Counter,
    batch: Histogram,
    commit_seconds: Histogram,
    leases_lost: Counter,
    superseded: Counter,
    refused: Family<Reason, Counter>,
    calls: Family<Called, Counter>,
    spend: Family<Provider, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("pipeline"),
            claimed: Counter::default(),
            claim_seconds: Histogram::new(STORE),
            late_seconds: Histogram::new(WORK),
            first_claim_seconds: Histogram::new(WORK),
            stage_seconds: Family::new_with_constructor(|| Histogram::new(WORK)),
            attempts: Family::default(),
            ended: Family::default(),
            commits: Counter::default(),
            batch: Histogram::new(BATCH),
            commit_seconds: Histogram::new(STORE),
            leases_lost: Counter::default(),
            superseded: Counter::default(),
            refused: Family::default(),
            calls: Family::default(),
            spend: Family::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("claimed_items", "Items handed to this process", self.claimed.clone());
        registry.register("claim_seconds", "How long the store took to hand out work", self.claim_seconds.clone());
        registry.register(
            "claim_delay_seconds",
            "How long after its time an item that waited was claimed",
            self.late_seconds.clone(),
        );
        registry.register(
            "first_claim_seconds",
            "From the submit of a job to the claim of its first item",
            self.first_claim_seconds.clone(),
        );
        registry.register("stage_seconds", "How long one try of a stage took", self.stage_seconds.clone());
        registry.register("attempts", "Tries of stages, by what they came to", self.attempts.clone());
        registry.register("items_ended", "Items this process brought to their end", self.ended.clone());
        registry.register("commits", "Transitions of items written", self.commits.clone());
        registry.register("commit_batch", "Transitions written in one transaction", self.batch.clone());
        registry.register("commit_seconds", "How long the store took to write a batch", self.commit_seconds.clone());
        registry.register("lease_losses", "Sessions the store has declared dead", self.leases_lost.clone());
        registry.register(
            "stale_writes_refused",
            "Transitions refused because the item had been taken over",
            self.superseded.clone(),
        );
        registry.register("intents_refused", "Calls that were not to be made", self.refused.clone());
        registry.register("calls", "Calls of providers that were settled", self.calls.clone());
        registry.register("spend_micros", "Millionths of a dollar spent", self.spend.clone());
        self
    }

    /// Counts what a claim that began at `began` has brought.
    pub(crate) fn claimed(&self, claims: &Claims, began: Option<Instant>, now: Timestamp) {
        self.claim_seconds.observe(began.map_or(0.0, |began| began.elapsed().as_secs_f64()));
        for Claimed { item, .. } in claims.units.iter().flatten() {
            self.claimed.inc();
            let due = item.machine.stages.iter().filter_map(|state| match state {
                StageState::Waiting { on: Wait::Until { at, .. }, .. } => Some(*at),
                _ => None,
            });
            if let Some(due) = due.min() {
                self.late_seconds.observe(now.since(due).as_secs_f64());
            }
            // Items are handed out in their order, so the first one is claimed first, and untouched only once.
            let untouched = item.machine.round == 1
                && item.parent.is_none()
                && item.machine.stages.iter().all(|state| {
                    matches!(state, StageState::Blocked | StageState::Ready { attempt: 1 } | StageState::Skipped { .. })
                });
            if let Some(submitted) = submitted_at(item.job).filter(|_| item.ordinal == 0 && untouched) {
                self.first_claim_seconds.observe(now.since(submitted).as_secs_f64());
            }
        }
    }

    /// Counts a batch that was written, with what became of each commit.
    pub(crate) fn committed<'a>(&self, batch: impl Iterator<Item = (&'a Commit, &'a CommitReply)>, took: Duration) {
        let mut size = 0_u32;
        for (commit, reply) in batch {
            size += 1;
            match reply {
                CommitReply::Applied => {
                    self.commits.inc();
                    if commit.status.is_terminal() && commit.machine.expanded.is_none() {
                        self.ended.get_or_create(&Status { status: commit.status.as_str() }).inc();
                    }
                }
                CommitReply::Superseded => {
                    self.superseded.inc();
                }
                CommitReply::Refused(refusal) => {
                    let reason = match refusal {
                        Refusal::Paused => "paused",
                        Refusal::Cancelled => "cancelled",
                        Refusal::Gate(_) => "gate",
                        Refusal::Budget(..) => "budget",
                        Refusal::Settled => "settled",
                    };
                    self.refused.get_or_create(&Reason { reason }).inc();
                }
            }
        }
        self.batch.observe(f64::from(size));
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Counts a lost lease.
    pub(crate) fn lease_lost(&self) {
        self.leases_lost.inc();
    }

    /// Counts one try of a stage.
    pub(crate) fn tried(&self, stage: Option<&PlannedStage>, took: Duration, event: &Event) {
        let kind = stage.map(|stage| stage.kind.clone()).unwrap_or_default();
        let outcome = match event {
            Event::Finished { outcome, .. } => match outcome {
                Outcome::Output { .. } => "done",
                Outcome::Judged { verdict, .. } => match verdict {
                    Verdict::Pass => "passed",
                    Verdict::Fail { .. } => "rejected",
                    Verdict::Uncertain { .. } => "undecided",
                },
                Outcome::Failure { .. } => "failed",
            },
            Event::Deferred { .. } => "deferred",
            Event::Suspended { .. } => "suspended",
            Event::Claimed | Event::Woke { .. } | Event::CancelRequested | Event::Decided { .. } => return,
        };
        self.stage_seconds.get_or_create(&Kind { kind: kind.clone() }).observe(took.as_secs_f64());
        self.attempts.get_or_create(&Tried { kind, outcome }).inc();
    }

    /// Counts a call, once: when its outcome was written.
    pub(crate) fn settled(&self, gate: Option<&GatePass>, settlement: &Settlement, reply: SettleReply) {
        if reply != SettleReply::Settled {
            return;
        }
        let gate = gate.map(|pass| pass.key.as_str()).unwrap_or_default();
        let provider = gate.strip_prefix("provider:").unwrap_or(gate).to_owned();
        let state = match settlement.state {
            CallState::Open => "open",
            CallState::Succeeded => "succeeded",
            CallState::Failed => "failed",
            CallState::Unknown => "unknown",
        };
        self.calls.get_or_create(&Called { provider: provider.clone(), state }).inc();
        let micros = u64::try_from(settlement.cost.as_micros()).unwrap_or(0);
        self.spend.get_or_create(&Provider { provider }).inc_by(micros);
    }

    /// Returns how many items this process has brought to their end.
    fn items_ended(&self) -> u64 {
        let ends = pipeline_core::model::ItemStatus::ALL.iter().filter(|status| status.is_terminal());
        ends.filter_map(|status| self.ended.get(&Status { status: status.as_str() }).map(|count| count.get())).sum()
    }
}

/// A job's id begins with the time of its submit.
fn submitted_at(job: JobId) -> Option<Timestamp> {
    let (seconds, nanos) = job.as_uuid().get_timestamp()?.to_unix();
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    Some(Timestamp::from_micros(micros.checked_add(i64::from(nanos / 1_000))?))
}

/// What an engine has done, and how the queue of its store stands. `Display` prints the page Prometheus reads, in the
/// [text format 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/).
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// Items this engine has brought to their end.
    pub items_ended: u64,
    /// How much stands in the queue; `None` when the store did not say.
    pub queue: Option<QueueStatus>,
    page: String,
}

impl MetricsSnapshot {
    /// What the page is to be served as.
    pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

    pub(crate) async fn take(metrics: &Metrics, store: &dyn Store) -> Self {
        let stored = async { Ok((store.queue_status().await?, store.gates().await?, store.now().await?)) };
        let stored: Option<(QueueStatus, Vec<GateRecord>, Timestamp)> =
            match tokio::time::timeout(PATIENCE, stored).await {
                Ok(Ok(stored)) => Some(stored),
                Ok(Err(error)) => {
                    let error: pipeline_core::Error = error;
                    tracing::warn!(error = %pipeline_core::error::chain(&error), "the metrics are without the queue");
                    None
                }
                Err(_) => {
                    tracing::warn!("the store did not answer in time; the metrics are without the queue");
                    None
                }
            };
        let mut page = String::new();
        let told = prometheus_text::encode(&mut page, &metrics.registry)
            .and_then(|()| prometheus_text::encode(&mut page, &standing(stored.as_ref())));
        if told.is_err() {
            // Writing into a string cannot fail.
            page.clear();
        }
        Self { items_ended: metrics.items_ended(), queue: stored.map(|(queue, ..)| queue), page }
    }
}

impl fmt::Display for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page)
    }
}

/// Writes down how the queue stands.
fn standing(stored: Option<&(QueueStatus, Vec<GateRecord>, Timestamp)>) -> Registry {
    let mut registry = Registry::with_prefix("pipeline");
    let up: Gauge = Gauge::default();
    up.set(i64::from(stored.is_some()));
    registry.register("store_up", "Whether the store answers", up);
    let Some((queue, gates, now)) = stored else { return registry };
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let items: Family<Place, Gauge> = Family::default();
    for (state, number) in [("due", queue.depth.due), ("waiting", queue.depth.waiting), ("held", queue.depth.held)] {
        items.get_or_create(&Place { state }).set(count(number));
    }
    registry.register("queue_items", "Items that have not ended", items);
    let jobs: Family<Status, Gauge> = Family::default();
    for (status, number) in &queue.jobs {
        jobs.get_or_create(&Status { status: status.as_str() }).set(count(*number));
    }
    registry.register("queue_jobs", "Jobs that have not ended", jobs);
    let oldest = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
    oldest.set(queue.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()));
    registry.register(
        "queue_oldest_seconds",
        "Since when the longest-waiting job that could be worked on has not been served",
        oldest,
    );
    let paused: Gauge = Gauge::default();
    paused.set(i64::from(queue.paused));
    registry.register("queue_paused", "Whether all work is paused", paused);
    let (closed, open, waiting): (Family<Gate, Gauge>, Family<Gate, Gauge>, Family<Gate, Gauge>) = Default::default();
    for gate in gates {
        let label = Gate { gate: gate.key.as_str().to_owned() };
        closed.get_or_create(&label).set(i64::from(gate.closed_until.is_some()));
        open.get_or_create(&label).set(count(gate.open_calls));
        waiting.get_or_create(&label).set(count(gate.waiting));
    }
    registry.register("gate_closed", "Whether a gate is closed", closed);
    registry.register("gate_open_calls", "Calls that have passed a gate and are not settled", open);
    registry.register("gate_waiting_items", "Items that come to a gate next", waiting);
    registry
}
