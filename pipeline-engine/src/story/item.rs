//! The story of an item: what the event log, the results, the ledger and the reviews say of it, put in order.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use pipeline_core::Result;
use pipeline_core::error::Error;
use pipeline_core::executor::{Decision, ItemEvent, Stop};
use pipeline_core::id::{Digest, ItemId, JobId, StageName};
use pipeline_core::model::Money;
use pipeline_core::pipeline::Plan;
use pipeline_core::settings::Resolved;
use pipeline_core::storage::{
    CallQuery, CallRecord, EventBody, EventRecord, ItemRecord, JobPlan, ResultRecord, ReviewQuery, ReviewRecord,
    Reviewer,
};
use pipeline_core::time::Timestamp;

use crate::engine::Engine;

use super::outlook::{self, Ending, Next};
use super::step::{Step, StepKind, maybe_text};

/// How many reviews are asked for at once.
const PAGE: u32 = 200;

/// The story of an item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ItemStory {
    /// The item as it is.
    #[serde(skip)]
    pub item: ItemRecord,
    /// Its rounds, the first one first. What happened to the item it came out of stands at the beginning of the first.
    pub rounds: Vec<RoundStory>,
    /// Why it is what it is.
    pub ending: Ending,
    /// What its calls have cost so far, whoever else they served.
    #[serde(rename = "called_micros")]
    pub called: Money,
    /// What can be done next, and what cannot, with the reason.
    pub next: Vec<Next>,
}

/// One round of an item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundStory {
    /// From 1.
    pub round: u32,
    /// When it began, when that was recorded.
    #[serde(serialize_with = "maybe_text")]
    pub at: Option<Timestamp>,
    /// How.
    #[serde(flatten)]
    pub began: Began,
    /// Which of the job's settings it has; 0 are those of the submit.
    pub revision: u32,
    /// Their hash.
    pub settings_hash: Digest,
    /// What they have otherwise than those of the submit.
    pub changed: Vec<Changed>,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

/// How a round began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "began", rename_all = "snake_case")]
pub enum Began {
    /// With the job.
    Submit {
        /// Whose it is.
        owner: String,
    },
    /// Somebody wanted it again.
    Retry {
        /// From this stage on.
        from: Option<StageName>,
        /// Only these stages.
        only: Vec<StageName>,
        /// Without these.
        skip: Vec<StageName>,
        /// Who, and why.
        by: Option<Reviewer>,
    },
    /// Somebody let it pass the check.
    Approve {
        /// Who, and why.
        by: Option<Reviewer>,
    },
}

/// A setting that differs from that of the submit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// `stage.key`.
    pub setting: String,
    /// What it was.
    pub was: Value,
    /// What it is.
    pub is: Value,
}

impl Engine {
    /// Tells the story of an item.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn story(&self, id: ItemId) -> Result<ItemStory> {
        let store = &self.shared.store;
        let item = store.item(id).await?;
        let job = store.job(item.job).await?;
        let mut teller = Teller::begin(self, &item, job.owner, job.created_at).await?;
        let mut parents = VecDeque::new();
        let mut parent = item.parent;
        while let Some(id) = parent {
            let record = store.item(id).await?;
            parent = record.parent;
            parents.push_front(record.id);
        }
        for parent in parents {
            teller.tell(self, parent, true).await?;
        }
        let history = teller.tell(self, id, false).await?;
        let plan = &teller.settings(self, item.machine.revision).await?.plan;
        let ending = outlook::ending(plan, &item, &history);
        let next = outlook::next(self, plan, &item).await?;
        let mut rounds = teller.rounds;
        rounds.push(teller.current);
        Ok(ItemStory { ending, next, called: teller.called, rounds, item })
    }
}

/// Puts the story in order.
struct Teller {
    job: JobId,
    /// The job's settings, by revision.
    revisions: HashMap<u32, JobPlan>,
    /// Rounds that are over.
    rounds: Vec<RoundStory>,
    /// The one that is told.
    current: RoundStory,
    called: Money,
}

/// What is known of one item, while its events are walked through.
struct Known {
    of_parent: bool,
    history: Vec<ResultRecord>,
    /// Not told yet, oldest first.
    calls: VecDeque<CallRecord>,
    reviews: Vec<ReviewRecord>,
}

impl Teller {
    async fn begin(engine: &Engine, item: &ItemRecord, owner: String, at: Timestamp) -> Result<Self> {
        let submitted = engine.shared.store.revision(item.job, 0).await?;
        let current = RoundStory {
            round: 1,
            at: Some(at),
            began: Began::Submit { owner },
            revision: 0,
            settings_hash: submitted.plan.hash,
            changed: Vec::new(),
            steps: Vec::new(),
        };
        let revisions = HashMap::from([(0, submitted)]);
        Ok(Self { job: item.job, revisions, rounds: Vec::new(), current, called: Money::ZERO })
    }

    async fn settings(&mut self, engine: &Engine, revision: u32) -> Result<&JobPlan> {
        if !self.revisions.contains_key(&revision) {
            let stored = engine.shared.store.revision(self.job, revision).await?;
            self.revisions.insert(revision, stored);
        }
        self.revisions.get(&revision).ok_or_else(|| Error::unexpected("a revision is missing"))
    }

    async fn begin_round(
        &mut self,
        engine: &Engine,
        round: u32,
        at: Option<Timestamp>,
        began: Began,
        revision: u32,
    ) -> Result<()> {
        let submitted = self.settings(engine, 0).await?.settings.clone();
        let stored = self.settings(engine, revision).await?;
        let settings_hash = stored.plan.hash;
        let changed = if revision == 0 { Vec::new() } else { changed(&submitted, &stored.settings)? };
        let next = RoundStory { round, at, began, revision, settings_hash, changed, steps: Vec::new() };
        self.rounds.push(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// Tells what happened to one item, and returns what its stages recorded.
    async fn tell(&mut self, engine: &Engine, id: ItemId, of_parent: bool) -> Result<Vec<ResultRecord>> {
        let store = &engine.shared.store;
        let calls = store.calls(CallQuery { item: Some(id), limit: u32::MAX, ..CallQuery::default() }).await?;
        for call in &calls {
            self.called += call.cost.unwrap_or_default();
        }
        let history = store.history(id).await?;
        let mut known = Known { of_parent, history, calls: calls.into(), reviews: reviews(engine, id).await? };
        for event in store.events_of(id).await? {
            let EventBody::Item { what, .. } = &event.body else { continue };
            known.call_before(&mut self.current.steps, event.at);
            if let ItemEvent::Decided { decision, round } = what {
                self.decided(engine, &known, &event, decision, *round).await?;
            } else {
                let (round, revision) = (self.current.round, self.current.revision);
                let plan = &self.settings(engine, revision).await?.plan;
                let (stage, what) = known.step(plan, round, what);
                let step = Step { at: event.at, stage, of_parent, what };
                self.current.steps.push(step);
            }
        }
        known.call_before(&mut self.current.steps, Timestamp::from_micros(i64::MAX));
        Ok(known.history)
    }

    async fn decided(
        &mut self,
        engine: &Engine,
        known: &Known,
        event: &EventRecord,
        decision: &Decision,
        round: u32,
    ) -> Result<()> {
        let review = known.reviews.iter().find(|review| {
            review.round == round
                && review.decision == *decision
                && (*decision != Decision::Discard || review.at == event.at)
        });
        let by = review.map(|review| review.by.clone());
        let before = self.current.revision;
        let (began, revision) = match decision {
            Decision::Discard => {
                let step =
                    Step { at: event.at, stage: None, of_parent: known.of_parent, what: StepKind::Discarded { by } };
                self.current.steps.push(step);
                return Ok(());
            }
            Decision::Approve => (Began::Approve { by }, before),
            Decision::Retry(retry) => {
                let plan = &self.settings(engine, retry.revision).await?.plan;
                let name = |index: &usize| plan.stage(*index).map(|stage| stage.name.clone());
                let began = Began::Retry {
                    from: retry.from.as_ref().and_then(name),
                    only: retry.only.iter().filter_map(name).collect(),
                    skip: retry.skip.iter().filter_map(name).collect(),
                    by,
                };
                (began, retry.revision)
            }
        };
        self.begin_round(engine, round, Some(event.at), began, revision).await
    }
}

impl Known {
    /// Tells of the calls that were sent no later than `until`.
    fn call_before(&mut self, steps: &mut Vec<Step>, until: Timestamp) {
        while self.calls.front().is_some_and(|call| call.opened_at <= until) {
            let Some(call) = self.calls.pop_front() else { return };
            steps.push(Step {
                at: call.opened_at,
                stage: Some(call.stage),
                of_parent: self.of_parent,
                what: StepKind::Call {
                    call: call.id,
                    provider: call.provider,
                    attempt: call.attempt,
                    state: call.state,
                    reserved: call.reserved,
                    cost: call.cost,
                    items: call.items.len(),
                    task: call.external_id,
                    settled_at: call.settled_at,
                    failure: call.failure.as_ref().map(Into::into),
                    resolution: call.resolution,
                },
            });
        }
    }

    fn step(&self, plan: &Plan, round: u32, what: &ItemEvent) -> (Option<StageName>, StepKind) {
        match what {
            ItemEvent::Condition { stage, answer, saw } => {
                let planned = plan.index_of(stage.as_str()).and_then(|index| plan.stage(index));
                let condition = planned.and_then(|stage| stage.when.as_ref()).map(|when| when.source().to_owned());
                let what = StepKind::Condition { condition, answer: *answer, saw: saw.clone() };
                (Some(stage.clone()), what)
            }
            ItemEvent::StageDone { stage, attempt, result } => {
                let made = self.history.iter().find(|one| one.id == *result);
                (Some(stage.clone()), recorded(made, *attempt, None))
            }
            ItemEvent::StageStopped { stage, stop } => {
                let judged = matches!(stop, Stop::Rejected | Stop::Undecided { failure: None });
                let mut made = self.history.iter().rev().filter(|one| one.stage == *stage && one.round == round);
                let what = match made.next().filter(|_| judged) {
                    Some(made) => recorded(Some(made), made.attempt, Some(stop.clone())),
                    None => StepKind::Stopped { stop: stop.clone(), failure: failure(stop) },
                };
                (Some(stage.clone()), what)
            }
            ItemEvent::StageSkipped { stage, why, failure } => {
                (Some(stage.clone()), StepKind::Skipped { why: *why, failure: failure.as_ref().map(Into::into) })
            }
            ItemEvent::StageRetrying { stage, attempt, at, failure } => {
                let what = StepKind::Retrying { attempt: *attempt, again_at: *at, failure: failure.into() };
                (Some(stage.clone()), what)
            }
            ItemEvent::StageWaiting { stage, reason } => {
                (Some(stage.clone()), StepKind::Waited { reason: reason.clone() })
            }
            ItemEvent::Recovered { crashes } => (None, StepKind::Recovered { crashes: *crashes }),
            ItemEvent::Expanded { stage, children } => {
                (Some(stage.clone()), StepKind::Expanded { children: *children })
            }
            ItemEvent::Ended { status } => (None, StepKind::Ended { status: *status }),
            // A decision begins a round, or is told as a mark.
            ItemEvent::Decided { .. } => (None, StepKind::Discarded { by: None }),
        }
    }
}

fn failure(stop: &Stop) -> Option<super::step::Explained> {
    match stop {
        Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => Some(failure.into()),
        Stop::Rejected | Stop::Undecided { failure: None } | Stop::Cancelled => None,
    }
}

fn recorded(made: Option<&ResultRecord>, attempt: u32, stop: Option<Stop>) -> StepKind {
    StepKind::Result {
        attempt,
        took: made.map(|made| made.ended_at.since(made.started_at)).unwrap_or_default(),
        cost: made.map(|made| made.cost).unwrap_or_default(),
        provider: made.and_then(|made| made.provider.clone()),
        verdict: made.and_then(|made| made.verdict.clone()),
        files: made.map_or_else(BTreeMap::new, |made| made.files.clone()),
        stop,
    }
}

fn changed(submitted: &Value, revised: &Value) -> Result<Vec<Changed>> {
    let read = |settings: &Value| {
        serde_json::from_value::<Resolved>(settings.clone())
            .map_err(|error| Error::corrupt("the job's settings cannot be read").because(error))
    };
    let differences = read(submitted)?.differences(&read(revised)?);
    Ok(differences.into_iter().map(|(setting, was, is)| Changed { setting, was, is }).collect())
}

async fn reviews(engine: &Engine, item: ItemId) -> Result<Vec<ReviewRecord>> {
    let mut found: Vec<ReviewRecord> = Vec::new();
    loop {
        let skip = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let query = ReviewQuery { item: Some(item), skip, limit: PAGE, ..ReviewQuery::default() };
        let page = engine.shared.store.reviews(query).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}
