//! What people decide about items that have ended: retry, approve, discard.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde_json::Value;

use pipeline_core::error::{Error, ErrorKind};
use pipeline_core::executor::{Decision, Event, ItemMachine, Retry};
use pipeline_core::expression::Facts;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::pipeline::{Plan, StageIndex};
use pipeline_core::settings::{Layer, Problem, Problems, Resolved};
use pipeline_core::storage::{ItemRecord, JobPlan, Reviewer, Ruling, RulingReply};
use pipeline_core::time::Timestamp;

use crate::definition;
use crate::engine::Engine;
use crate::request::JobRequest;
use crate::submit::SubmitError;
use crate::worker::{JobContext, inputs};

/// So many items are decided about in one transaction.
const BATCH: usize = 500;

/// What a retry does again, by the names of stages, and with which settings.
#[derive(Clone, Debug, Default)]
pub struct RetryRequest {
    /// The first stage of the new round; `None` takes the pipeline's.
    pub from: Option<String>,
    /// Of what is done, only these stages are done again.
    pub only: Vec<String>,
    /// These are left as they are.
    pub skip: Vec<String>,
    /// Settings over those of the submit, for the new round.
    pub layers: Vec<Layer>,
}

/// What is wanted of items that have ended.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Another round.
    Retry(RetryRequest),
    /// Going on after the check that stopped them.
    Approve,
    /// A mark that they are not wanted; their state stays.
    Discard,
}

/// What became of one item.
#[derive(Debug)]
pub struct Reviewed {
    /// The item.
    pub item: ItemId,
    /// The round that begins, or that is marked; or why nothing changed.
    pub outcome: Result<u32, Error>,
}

/// A wish in terms of a job's plan.
struct Prepared {
    decision: Decision,
    /// The settings of the new round, when they are others.
    plan: Option<JobPlan>,
}

impl Engine {
    /// Decides about items of a job, in batches; what cannot be done is told item by item and changes nothing. With `try_only`
    /// nothing is stored, and the answer is what would have become of each.
    ///
    /// # Errors
    /// [`SubmitError`]: no such job or stage, or settings that are wrong or cannot change in a retry; then nothing was
    /// stored. The store's: what was decided before stays.
    pub async fn review(
        &self,
        job: JobId,
        items: &[ItemRecord],
        wish: &Wish,
        by: &Reviewer,
        try_only: bool,
    ) -> Result<Vec<Reviewed>, SubmitError> {
        let mut prepared = self.prepare_review(job, wish).await?;
        let control = self.shared.store.job(job).await.map_err(SubmitError::Store)?.control;
        let mut contexts: HashMap<u32, Arc<JobContext>> = HashMap::new();
        if let Some(plan) = prepared.plan.take() {
            let revised = JobContext::new(job, plan.plan.clone(), &self.shared.stages, &self.shared.bindings);
            let number = match (&mut prepared.decision, try_only) {
                (Decision::Retry(retry), false) => {
                    retry.revision = self.shared.store.revise(job, plan).await.map_err(SubmitError::Store)?;
                    retry.revision
                }
                _ => 0,
            };
            contexts.insert(number, Arc::new(revised));
        }
        let mut reviewed = Vec::with_capacity(items.len());
        for batch in items.chunks(BATCH) {
            let decided = self.decide(job, control, batch, &prepared.decision, &mut contexts).await;
            let mut rulings = Vec::new();
            for (item, ruling) in batch.iter().zip(decided.map_err(SubmitError::Store)?) {
                let outcome = ruling.map(|ruling| {
                    let round = ruling.machine.round;
                    rulings.push((reviewed.len(), ruling));
                    round
                });
                reviewed.push(Reviewed { item: item.id, outcome });
            }
            if try_only || rulings.is_empty() {
                continue;
            }
            let (places, rulings): (Vec<usize>, Vec<Ruling>) = rulings.into_iter().unzip();
            let replies = self.shared.store.rule(by.clone(), rulings).await.map_err(SubmitError::Store)?;
            for (place, reply) in places.into_iter().zip(replies) {
                if let (Some(refused), Some(one)) = (refusal(reply), reviewed.get_mut(place)) {
                    one.outcome = Err(refused.with("item", one.item));
                }
            }
        }
        self.shared.bell.notify_waiters();
        Ok(reviewed)
    }

    async fn prepare_review(&self, job: JobId, wish: &Wish) -> Result<Prepared, SubmitError> {
        let request = match wish {
            Wish::Approve => return Ok(Prepared { decision: Decision::Approve, plan: None }),
            Wish::Discard => return Ok(Prepared { decision: Decision::Discard, plan: None }),
            Wish::Retry(request) => request,
        };
        let submitted = self.shared.store.plan(job).await.map_err(SubmitError::Store)?;
        let index = |name: &String| stage(&submitted.plan, name.as_str());
        let indexes = |names: &[String]| names.iter().map(index).collect::<Result<Vec<_>, _>>();
        let retry = Retry {
            from: request.from.as_ref().map(index).transpose()?,
            only: indexes(&request.only)?,
            skip: indexes(&request.skip)?,
            revision: 0,
        };
        let plan = match request.layers.as_slice() {
            [] => None,
            layers => Some(self.revised(job, &submitted, layers)?),
        };
        Ok(Prepared { decision: Decision::Retry(retry), plan })
    }

    /// Compiles the settings of a job again with further layers; what nobody touches stays as it was resolved.
    fn revised(&self, job: JobId, submitted: &JobPlan, layers: &[Layer]) -> Result<JobPlan, SubmitError> {
        let recipe = submitted.recipe.as_ref().ok_or_else(|| {
            let old = Error::new(
                ErrorKind::Unsupported,
                "an older version stored this job, without what its settings were made from",
            );
            SubmitError::Input(
                old.with("job", job).with("accepted", "a retry with the job's own settings, or a new job"),
            )
        })?;
        let mut request = JobRequest::new(definition::source(recipe));
        request.layers = pinned(&submitted.settings).map_err(SubmitError::Store)?;
        request.layers.extend_from_slice(layers);
        request.seed = Some(submitted.plan.seed);
        let compiled = self.compile(&request)?;
        let shape =
            |plan: &Plan| plan.stages.iter().map(|stage| (stage.name.clone(), stage.expand)).collect::<Vec<_>>();
        if shape(&compiled.plan) != shape(&submitted.plan) {
            let problem = Problem::new("", "a retry cannot change how many items there are");
            return Err(Problems::from(problem.hint("make a new job from this one, with `jobs rerun`")).into());
        }
        let settings = serde_json::to_value(&compiled.resolved);
        let settings = settings
            .map_err(|error| SubmitError::Store(Error::unexpected("cannot write the settings down").because(error)))?;
        Ok(JobPlan { plan: compiled.plan, settings, recipe: None, estimate: None })
    }

    /// Lets each item take the decision, and returns what is to be stored, or why not.
    async fn decide(
        &self,
        job: JobId,
        control: Control,
        items: &[ItemRecord],
        decision: &Decision,
        contexts: &mut HashMap<u32, Arc<JobContext>>,
    ) -> Result<Vec<Result<Ruling, Error>>, Error> {
        let revision_of = |item: &ItemRecord| match decision {
            Decision::Retry(retry) => retry.revision,
            Decision::Approve | Decision::Discard => item.machine.revision,
        };
        for number in items.iter().map(revision_of) {
            if let Entry::Vacant(place) = contexts.entry(number) {
                place.insert(self.shared.job(job, number).await?);
            }
        }
        let machines: Vec<&ItemMachine> = items.iter().map(|item| &item.machine).collect();
        let conditional = contexts.values().any(|context| context.conditional);
        let results = if conditional { inputs::load(&self.shared, &machines).await? } else { HashMap::new() };
        let now = self.shared.store.now().await?;
        let mut decided = Vec::with_capacity(items.len());
        for item in items {
            let context = contexts.get(&revision_of(item)).ok_or_else(|| Error::unexpected("a revision is missing"))?;
            let none = inputs::Results::new();
            let facts = inputs::facts(&context.plan, &item.input, results.get(&item.id).unwrap_or(&none));
            let ruling = if item.job != job {
                Err(Error::not_found("the job has no such item").with("job", job))
            } else if control == Control::Cancel || item.status == ItemStatus::Cancelled {
                Err(cancelled())
            } else {
                self.ruling(context, item, decision, &facts, now)
            };
            decided.push(ruling.map_err(|error| error.with("item", item.id)));
        }
        Ok(decided)
    }

    fn ruling(
        &self,
        context: &JobContext,
        item: &ItemRecord,
        decision: &Decision,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Ruling, Error> {
        if item.status == ItemStatus::Running {
            return Err(Error::conflict("a worker holds the item"));
        }
        let event = Event::Decided { decision: decision.clone() };
        let step = item.machine.step(&context.plan, facts, now, self.shared.draw(), &event);
        let next = step.map_err(|error| Error::conflict(error.reason))?;
        let machine = next.next;
        Ok(Ruling {
            job: context.id,
            item: item.id,
            expected: item.machine.clone(),
            status: if machine == item.machine { item.status } else { machine.status(&context.plan) },
            claimable_at: machine.due(&context.plan, now),
            unit: context.unit_of(&machine, item.parent),
            gate: context.gate_of(&machine),
            decision: decision.clone(),
            events: next.events,
            machine,
        })
    }
}

pub(crate) fn stage(plan: &Plan, name: &str) -> Result<StageIndex, SubmitError> {
    plan.index_of(name).ok_or_else(|| {
        let known = plan.stages.iter().map(|stage| stage.name.as_str());
        let problem = Problem::new("", format!("the job has no stage `{name}`"));
        Problems::from(problem.suggest(name, known)).into()
    })
}

/// Returns what was resolved as layers, each value with its origin, so that no default of today takes its place.
pub(crate) fn pinned(settings: &Value) -> Result<Vec<Layer>, Error> {
    let resolved: Resolved = serde_json::from_value(settings.clone())
        .map_err(|error| Error::corrupt("the job's settings cannot be read").because(error))?;
    let mut layers = Vec::new();
    for (section, settings) in resolved.iter() {
        for (key, setting) in settings.iter() {
            layers.push(Layer::new(setting.origin.clone(), serde_json::json!({ section: { key: setting.value } })));
        }
    }
    Ok(layers)
}

fn refusal(reply: RulingReply) -> Option<Error> {
    match reply {
        RulingReply::Applied => None,
        RulingReply::Changed => Some(Error::conflict("somebody else has decided about the item meanwhile")),
        RulingReply::Cancelled => Some(cancelled()),
    }
}

fn cancelled() -> Error {
    Error::conflict("the job was cancelled; make a new job from it instead")
}
