//! What a job would do and cost, from its plan, its providers' prices and what earlier jobs of the pipeline came to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use pipeline_core::id::{JobId, StageName};
use pipeline_core::model::{Capability, Estimate, JobStatus, Money, StageEstimate};
use pipeline_core::pipeline::{Plan, PlannedStage};
use pipeline_core::provider::{Price, Repeat};
use pipeline_core::stage::Providers as _;
use pipeline_core::storage::{CallQuery, CallState, JobQuery, JobRecord, SpendBy, SpendQuery, StageTally};
use pipeline_core::{ErrorKind, Result};

use crate::engine::Engine;

/// So many jobs of the pipeline are enough.
const JOBS: u32 = 5;

/// So many calls of a stage are enough to tell how many tokens one takes.
const CALLS: u32 = 50;

/// An earlier job of the same pipeline and owner that has ended.
#[derive(Debug)]
pub(crate) struct Earlier {
    job: JobRecord,
    plan: Plan,
    tallies: Vec<StageTally>,
}

impl Earlier {
    /// Returns how long a stage took for one item, on average.
    pub(crate) fn mean(&self, stage: &StageName) -> Option<Duration> {
        let tally = self.tallies.iter().find(|tally| tally.stage == *stage && tally.count > 0)?;
        Some(tally.total / u32::try_from(tally.count).unwrap_or(u32::MAX))
    }
}

/// What stands before the provider of a stage.
struct Bought {
    price: Option<Price>,
    /// The most units a call may ask for.
    at_once: u64,
    /// Whether the ledger keeps its calls.
    kept: bool,
}

impl Engine {
    /// Returns the newest jobs of a pipeline and owner that have ended, with what their stages came to. One that cannot be read
    /// tells nothing: it may have been removed meanwhile, or be of another version.
    pub(crate) async fn earlier(&self, pipeline: &str, owner: &str) -> Result<Vec<Earlier>> {
        let (pipeline, owner) = (Some(pipeline.to_owned()), Some(owner.to_owned()));
        let statuses = JobStatus::ALL.iter().copied().filter(|status| status.is_terminal()).collect();
        let query = JobQuery { pipeline, owner, statuses, limit: JOBS, ..JobQuery::default() };
        let mut found = Vec::new();
        for job in self.shared.store.jobs(query).await? {
            let plan = match self.shared.store.plan(job.id).await {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Unsupported) =>
                {
                    continue;
                }
                stored => stored?.plan,
            };
            let tallies = self.shared.store.tallies(job.id).await?;
            found.push(Earlier { job, plan, tallies });
        }
        Ok(found)
    }

    /// Returns what a job over so many root items is expected to do; its parent's answers may serve it again.
    pub(crate) async fn estimate(
        &self,
        plan: &Plan,
        roots: u64,
        parent: Option<JobId>,
        earlier: &[Earlier],
    ) -> Result<Estimate> {
        let answers = if plan.cache.is_off() { None } else { self.answers(plan, parent, earlier).await? };
        let mut carried = roots;
        let mut stages = Vec::new();
        for stage in plan.stages.iter().filter(|stage| stage.enabled) {
            let before = carried;
            carried *= u64::from(stage.expand.unwrap_or(1));
            let share = share(earlier, &stage.name);
            let expected = |count: u64| (count as f64 * share).round() as u64;
            let mut made = StageEstimate {
                stage: stage.name.clone(),
                items: expected(carried),
                calls: 0,
                kept: 0,
                reused: 0,
                input_tokens: None,
                output_tokens: None,
                cost: Some(Money::ZERO),
                most: Some(Money::ZERO),
            };
            for (capability, name) in &stage.providers {
                let Bought { price, at_once, kept } = self.bought(*capability, name, plan.max_cost);
                let calls = calls(stage, before, carried, at_once);
                let cost = |calls: u64, units: u64| price.map(|price| price.per_call * calls + price.per_unit * units);
                made.calls += expected(calls);
                made.most = made.most.zip(cost(calls, carried)).map(|(sum, cost)| sum + cost);
                let mut paid = (expected(calls), expected(carried));
                if kept {
                    made.kept += expected(calls);
                    let reused = answers.as_ref().map_or(0, |answers| answers.get(&stage.name).copied().unwrap_or(0));
                    let reused = reused.min(paid.0);
                    made.reused += reused;
                    paid = (paid.0 - reused, paid.1 * (paid.0 - reused) / paid.0.max(1));
                    if matches!(capability, Capability::Text | Capability::Vision | Capability::Embed) {
                        let (read, written) = self.tokens(&stage.name, earlier).await?;
                        let times = |tokens: Option<f64>| tokens.map(|tokens| (tokens * paid.0 as f64).round() as u64);
                        (made.input_tokens, made.output_tokens) = (times(read), times(written));
                    }
                }
                made.cost = made.cost.zip(cost(paid.0, paid.1)).map(|(sum, cost)| sum + cost);
            }
            stages.push(made);
        }
        Ok(Estimate { stages, from_jobs: u32::try_from(earlier.len()).unwrap_or(u32::MAX) })
    }

    fn bought(&self, capability: Capability, name: &str, max_cost: Option<Money>) -> Bought {
        let info = self.shared.bindings.info(capability, name);
        let kept = info.as_ref().is_some_and(|info| info.repeat != Repeat::Free);
        let bound = info.as_ref().and_then(|info| info.max_cost).or(max_cost);
        let price = info.and_then(|info| info.price);
        let price = price.or_else(|| bound.map(|bound| Price { per_call: bound, per_unit: Money::ZERO }));
        let at_once = match capability {
            Capability::GenerateImage => {
                let generator = self.shared.bindings.image_generator(name);
                generator.map_or(1, |generator| u64::from(generator.capabilities().max_per_call.max(1)))
            }
            _ => u64::MAX,
        };
        Bought { price, at_once, kept }
    }

    /// Returns the mean tokens read and written by a call of a stage in the newest job that tells.
    async fn tokens(&self, stage: &StageName, earlier: &[Earlier]) -> Result<(Option<f64>, Option<f64>)> {
        for earlier in earlier {
            let query = CallQuery {
                job: Some(earlier.job.id),
                stage: Some(stage.clone()),
                states: vec![CallState::Succeeded],
                limit: CALLS,
                ..CallQuery::default()
            };
            let calls = self.shared.store.calls(query).await?;
            let mean = |name: &str| {
                let told = |response: &Value| response.get("usage")?.get(name)?.as_u64();
                let told: Vec<u64> = calls.iter().filter_map(|call| told(call.response.as_ref()?)).collect();
                (!told.is_empty()).then(|| told.iter().sum::<u64>() as f64 / told.len() as f64)
            };
            let means = (mean("input_tokens"), mean("output_tokens"));
            if means != (None, None) {
                return Ok(means);
            }
        }
        Ok((None, None))
    }

    /// Returns how many calls of each stage earlier answers are likely to serve: those of the job it is made from, or else
    /// of the newest one with the same seed, as far as nothing that the requests are made of has changed.
    async fn answers(
        &self,
        plan: &Plan,
        parent: Option<JobId>,
        earlier: &[Earlier],
    ) -> Result<Option<BTreeMap<StageName, u64>>> {
        let (job, old) = match parent {
            Some(parent) => (parent, self.shared.store.plan(parent).await?.plan),
            None => match earlier.iter().find(|earlier| earlier.plan.seed == plan.seed) {
                Some(earlier) => (earlier.job.id, earlier.plan.clone()),
                None => return Ok(None),
            },
        };
        if old.seed != plan.seed {
            return Ok(None);
        }
        let made = self.shared.store.spend(SpendQuery { job: Some(job), ..SpendQuery::by(SpendBy::Stage) }).await?;
        let reused = self.shared.store.reused(job).await?;
        let mut answers = BTreeMap::new();
        for (index, stage) in plan.stages.iter().enumerate() {
            let same =
                plan.stages.iter().zip(ancestors(plan, index)).all(|(stage, above)| !above || is_in(stage, &old));
            if same {
                let made = made.iter().find(|sum| sum.key == stage.name.as_str()).map_or(0, |sum| sum.calls);
                answers.insert(stage.name.clone(), made + reused.get(&stage.name).copied().unwrap_or(0));
            }
        }
        Ok(Some(answers))
    }
}

/// Returns the share of what may come to a stage that has come to it in earlier jobs.
fn share(earlier: &[Earlier], stage: &StageName) -> f64 {
    let (mut came, mut may) = (0, 0);
    for Earlier { job, plan, tallies } in earlier {
        let mut carried = job.counts.planned / u64::from(plan.leaves_per_item());
        for planned in plan.stages.iter().filter(|stage| stage.enabled) {
            carried *= u64::from(planned.expand.unwrap_or(1));
            if planned.name == *stage {
                may += carried;
                came += tallies.iter().find(|tally| tally.stage == *stage).map_or(0, |tally| tally.count).min(carried);
            }
        }
    }
    if may == 0 { 1.0 } else { came as f64 / may as f64 }
}

/// Returns how many calls serve what comes to a stage.
fn calls(stage: &PlannedStage, before: u64, carried: u64, at_once: u64) -> u64 {
    match (stage.group, stage.expand) {
        (Some(group), Some(each)) => before * u64::from(each).div_ceil(at_once.min(u64::from(group.max)).max(1)),
        (Some(_), None) => before,
        (None, _) => carried,
    }
}

/// Returns, for each stage, whether it is the one at `index` or stands above it.
fn ancestors(plan: &Plan, index: usize) -> Vec<bool> {
    let mut above = vec![false; plan.stages.len()];
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        if let Some(mark) = above.get_mut(next).filter(|mark| !**mark) {
            *mark = true;
            open.extend(plan.stages.get(next).into_iter().flat_map(|stage| &stage.needs));
        }
    }
    above
}

/// Tells whether a plan has the same stage.
fn is_in(stage: &PlannedStage, plan: &Plan) -> bool {
    plan.stages.iter().any(|other| {
        other.name == stage.name
            && (&other.kind, other.enabled, other.expand) == (&stage.kind, stage.enabled, stage.expand)
            && (&other.settings, &other.providers) == (&stage.settings, &stage.providers)
    })
}
