//! What a request would do, without doing it: items, stages, calls, estimated cost and time.

use std::time::Duration;

use serde::Serialize;

use pipeline_core::model::Money;
use pipeline_core::pipeline::{PlanWarning, Role};
use pipeline_core::storage::{JobQuery, StageTally};

use crate::engine::Engine;
use crate::request::JobRequest;
use crate::submit::{Prepared, SubmitError};

/// One stage of a preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StagePreview {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Work or check.
    pub role: Role,
    /// Whether it will run.
    pub enabled: bool,
    /// Why not.
    pub disabled_because: Option<String>,
    /// Its condition.
    pub when: Option<String>,
    /// The providers it uses.
    pub providers: Vec<String>,
    /// Provider calls at most, when every item gets there and nothing is tried twice.
    pub calls: u64,
    /// What they cost at most; `None` when a price is not known.
    pub cost: Option<Money>,
    /// How long the stage took for one item, on average, in the last jobs of this pipeline.
    pub mean_ms: Option<u64>,
}

/// What a request would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// The pipeline.
    pub pipeline: String,
    /// The hash of pipeline and settings.
    pub plan_hash: String,
    /// Items the source plans.
    pub items: u64,
    /// Leaves: what `planned` will be.
    pub planned: u64,
    /// The stages in order.
    pub stages: Vec<StagePreview>,
    /// Σ cost; `None` when a price is not known.
    pub cost: Option<Money>,
    /// Estimated duration, from the last jobs of this pipeline; `None` before the first.
    pub duration_ms: Option<u64>,
    /// Settings that have no effect.
    pub warnings: Vec<PlanWarning>,
    /// Where finished files would go.
    pub out: Option<String>,
}

impl Engine {
    /// Says what a request would do; spends nothing and stores nothing.
    ///
    /// # Errors
    /// The same as [`Engine::submit`] for a wrong request.
    pub async fn preview(&self, request: &JobRequest) -> Result<Preview, SubmitError> {
        let Prepared { compiled, items, out } = self.prepare(request).await?;
        let plan = compiled.plan;
        let tallies = self.last_tallies(&plan.pipeline).await.map_err(SubmitError::Store)?;
        let roots = items.len() as u64;
        let planned = roots * u64::from(plan.leaves_per_item());
        let mut carried = roots;
        let mut stages = Vec::new();
        let mut busy = Duration::ZERO;
        let mut known = true;
        for stage in &plan.stages {
            let mut calls = 0;
            let mut cost = Some(Money::ZERO);
            let grouped = if stage.group.is_some() { carried } else { 0 };
            if stage.enabled {
                carried *= u64::from(stage.expand.unwrap_or(1));
                for (capability, name) in &stage.providers {
                    let per_call = if grouped > 0 { grouped } else { carried };
                    calls += per_call;
                    let price = self.shared.bindings.info(*capability, name).and_then(|info| info.price);
                    cost =
                        cost.zip(price).map(|(sum, price)| sum + price.per_call * per_call + price.per_unit * carried);
                }
            }
            let tally = tallies.iter().find(|tally| tally.stage == stage.name && tally.count > 0);
            let mean = tally.map(|tally| tally.total / u32::try_from(tally.count).unwrap_or(u32::MAX));
            if stage.enabled {
                match mean {
                    Some(mean) => busy += mean * u32::try_from(carried).unwrap_or(u32::MAX),
                    None => known = false,
                }
            }
            stages.push(StagePreview {
                name: stage.name.to_string(),
                kind: stage.kind.clone(),
                role: stage.role,
                enabled: stage.enabled,
                disabled_because: stage.disabled_because.clone(),
                when: stage.when.as_ref().and_then(|when| serde_json::to_value(when).ok()?.as_str().map(str::to_owned)),
                providers: stage.providers.iter().map(|(_, name)| name.clone()).collect(),
                calls,
                cost,
                mean_ms: mean.map(|mean| u64::try_from(mean.as_millis()).unwrap_or(u64::MAX)),
            });
        }
        let at_once = u64::from(plan.concurrency.unwrap_or(self.shared.tuning.concurrency)).clamp(1, planned.max(1));
        let duration = known.then(|| u64::try_from(busy.as_millis()).unwrap_or(u64::MAX) / at_once);
        Ok(Preview {
            pipeline: plan.pipeline.clone(),
            plan_hash: plan.hash.to_hex(),
            items: roots,
            planned,
            cost: stages.iter().map(|stage| stage.cost).try_fold(Money::ZERO, |sum, cost| Some(sum + cost?)),
            stages,
            duration_ms: duration,
            warnings: plan.warnings,
            out: out.map(|out| out.to_string_lossy().into_owned()),
        })
    }

    async fn last_tallies(&self, pipeline: &str) -> pipeline_core::Result<Vec<StageTally>> {
        let jobs = self.shared.store.jobs(JobQuery { limit: 50, ..JobQuery::default() }).await?;
        // A job whose items never reached a late stage says nothing about it; an older one may.
        let mut found: Vec<StageTally> = Vec::new();
        for job in jobs.into_iter().filter(|job| job.pipeline == pipeline && job.status.is_terminal()).take(5) {
            for tally in self.shared.store.tallies(job.id).await? {
                if !found.iter().any(|known| known.stage == tally.stage) {
                    found.push(tally);
                }
            }
        }
        Ok(found)
    }
}
