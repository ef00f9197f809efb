//! A new job made from an old one: linked to it, executed from the beginning.

use serde_json::json;

use pipeline_core::error::{Error, ErrorKind};
use pipeline_core::id::JobId;
use pipeline_core::settings::{Cache, JOB_SECTION, Layer, Origin};
use pipeline_core::storage::{JobKey, JobRecord};

use crate::definition;
use crate::engine::Engine;
use crate::presets;
use crate::request::{JobRequest, PipelineSource};
use crate::review::pinned;
use crate::submit::SubmitError;

/// Whose settings a rerun has where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RerunSettings {
    /// Those of the old job, each value as it was resolved then.
    #[default]
    AsRun,
    /// What the pipeline and its defaults say today, under what the old job's request said itself (`--set`, or the program).
    /// A preset is taken as it is now, a pipeline file as it was.
    Current,
}

/// What a rerun does otherwise than the old job.
#[derive(Clone, Debug, Default)]
pub struct RerunRequest {
    /// Whose settings.
    pub settings: RerunSettings,
    /// Settings over those.
    pub layers: Vec<Layer>,
    /// Lets the new job take turns with others of this key; otherwise the old job's.
    pub key: Option<JobKey>,
    /// Takes the answers that the owner's earlier jobs have to the same requests, instead of making calls; the seed is the
    /// old job's then.
    pub reuse: bool,
    /// Makes a repeated rerun of the same job with the same key find the job of the first one.
    pub idempotency_key: Option<String>,
    /// Names the new job; otherwise it has the old job's label.
    pub label: Option<String>,
}

impl Engine {
    /// Submits a job made from another one: the same pipeline, inputs and budget, with its `parent`. Everything is done again, and,
    /// unless a setting fixes the seed, chance falls otherwise; but for [`RerunRequest::reuse`].
    ///
    /// # Errors
    /// [`SubmitError`], as [`Engine::submit`]; `Unsupported` when the old job was stored by a version that did not keep what
    /// it was made from.
    pub async fn rerun(&self, job: JobId, request: &RerunRequest) -> Result<JobRecord, SubmitError> {
        self.submit(self.rerun_request(job, request).await?).await
    }

    /// Returns what [`Engine::rerun`] would submit.
    ///
    /// # Errors
    /// As [`Engine::rerun`].
    pub async fn rerun_request(&self, job: JobId, request: &RerunRequest) -> Result<JobRequest, SubmitError> {
        let old = self.shared.store.job(job).await.map_err(SubmitError::Store)?;
        let stored = self.shared.store.plan(job).await.map_err(SubmitError::Store)?;
        let recipe = stored.recipe.as_ref().ok_or_else(|| {
            let text = "an older version stored this job, without what it was made from";
            SubmitError::Input(
                Error::new(ErrorKind::Unsupported, text).with("job", job).with("accepted", "a new `run`"),
            )
        })?;
        let today = request.settings == RerunSettings::Current;
        let preset = recipe.preset.as_ref().filter(|name| today && presets::find(name).is_some());
        let source = preset.map_or_else(|| definition::source(recipe), |name| PipelineSource::Preset(name.clone()));
        let mut new = JobRequest::new(source).owner(old.owner).priority(old.priority);
        new.layers = pinned(&stored.settings).map_err(SubmitError::Store)?;
        if today {
            new.layers.retain(|layer| matches!(layer.origin, Origin::Argument | Origin::Program));
        }
        // Whatever the old job did: answers are used again by those who ask for it.
        let cache = if request.reuse { Cache::Exact } else { Cache::Off };
        if request.reuse || !stored.plan.cache.is_off() {
            new.layers.push(Layer::new(Origin::Program, json!({ JOB_SECTION: { "cache": cache } })));
        }
        new.layers.extend_from_slice(&request.layers);
        if request.reuse {
            new.seed = Some(stored.plan.seed);
        }
        new.inputs.clone_from(&recipe.inputs);
        new.count = recipe.count;
        new.label = Some(request.label.clone().unwrap_or(old.label));
        new.key = request.key.clone().or(old.key);
        new.budget = old.budget.map(|budget| budget.amount);
        new.idempotency_key = request.idempotency_key.as_ref().map(|key| format!("{key} {job}"));
        new.parent = Some(job);
        Ok(new)
    }
}
