//! What a request would do, without doing it: items, stages, calls, estimated cost and time.

use std::time::Duration;

use serde::Serialize;

use pipeline_core::model::Money;
use pipeline_core::pipeline::{PlanWarning, Role};

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
    /// Provider calls, when as many items get there as in earlier jobs, and nothing is tried twice; those that are answered
    /// from the ledger among them.
    pub calls: u64,
    /// How many of them earlier jobs are likely to have the answers to.
    pub reused: u64,
    /// Tokens the calls read, where earlier jobs tell.
    pub input_tokens: Option<u64>,
    /// Tokens the calls write, where earlier jobs tell.
    pub output_tokens: Option<u64>,
    /// What the calls cost; `None` when a price is not known.
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
    /// What it costs when every item gets everywhere and no answer is used again.
    pub cost_at_most: Option<Money>,
    /// So many earlier jobs of the pipeline say how many items get how far; without one, all do.
    pub from_jobs: u32,
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
        let earlier = self.earlier(&plan.pipeline, self.owner_of(request)).await.map_err(SubmitError::Store)?;
        let roots = items.len() as u64;
        let planned = roots * u64::from(plan.leaves_per_item());
        let estimate = self.estimate(&plan, roots, request.parent, &earlier).await.map_err(SubmitError::Store)?;
        let mut stages = Vec::new();
        let mut busy = Duration::ZERO;
        let mut known = true;
        for stage in &plan.stages {
            let expected = estimate.stage(&stage.name);
            // A job whose items never reached a late stage says nothing about it; an older one may.
            let mean = earlier.iter().find_map(|earlier| earlier.mean(&stage.name));
            if let Some(expected) = expected {
                match mean {
                    Some(mean) => busy += mean * u32::try_from(expected.items).unwrap_or(u32::MAX),
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
                calls: expected.map_or(0, |expected| expected.calls),
                reused: expected.map_or(0, |expected| expected.reused),
                input_tokens: expected.and_then(|expected| expected.input_tokens),
                output_tokens: expected.and_then(|expected| expected.output_tokens),
                cost: expected.map_or(Some(Money::ZERO), |expected| expected.cost),
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
            cost: estimate.cost(),
            cost_at_most: estimate.most(),
            from_jobs: estimate.from_jobs,
            stages,
            duration_ms: duration,
            warnings: plan.warnings,
            out: out.map(|out| out.to_string_lossy().into_owned()),
        })
    }
}
