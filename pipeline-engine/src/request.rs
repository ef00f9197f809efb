//! What a caller wants done: a pipeline, its inputs, and settings over the pipeline's own.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use pipeline_core::id::{Digest, JobId};
use pipeline_core::model::Money;
use pipeline_core::settings::{Cache, JOB_SECTION, Layer, Origin, Problem, Problems};
use pipeline_core::storage::{Idempotency, JobKey};
use pipeline_core::time::Timestamp;

/// Where a pipeline's definition comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineSource {
    /// One that comes with the engine.
    Preset(String),
    /// TOML text; `name` is what problems are reported with, normally the file's path.
    Toml {
        /// What problems are reported with.
        name: String,
        /// The definition.
        text: String,
    },
    /// JSON text of the same shape.
    Json {
        /// What problems are reported with.
        name: String,
        /// The definition.
        text: String,
    },
}

/// A job to be submitted.
#[derive(Clone, Debug)]
pub struct JobRequest {
    pub(crate) pipeline: PipelineSource,
    pub(crate) inputs: Vec<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) count: Option<u32>,
    pub(crate) label: Option<String>,
    /// Whose it is; otherwise the engine's.
    pub(crate) owner: Option<String>,
    pub(crate) priority: i32,
    pub(crate) out: Option<PathBuf>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) key: Option<JobKey>,
    pub(crate) start_at: Option<Timestamp>,
    pub(crate) start_asked: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) budget: Option<Money>,
    /// The job it is made from.
    pub(crate) parent: Option<JobId>,
    /// The seed where the settings name none.
    pub(crate) seed: Option<u64>,
}

impl JobRequest {
    /// Wants a pipeline done.
    pub fn new(pipeline: PipelineSource) -> Self {
        Self {
            pipeline,
            inputs: Vec::new(),
            keywords: Vec::new(),
            count: None,
            label: None,
            owner: None,
            priority: 0,
            out: None,
            layers: Vec::new(),
            key: None,
            start_at: None,
            start_asked: None,
            idempotency_key: None,
            parent: None,
            seed: None,
            budget: None,
        }
    }

    /// Wants a pipeline done that comes with the engine, for example `factory`.
    pub fn preset(name: &str) -> Self {
        Self::new(PipelineSource::Preset(name.to_owned()))
    }

    /// Wants a pipeline done that is defined in TOML.
    pub fn toml(name: &str, text: &str) -> Self {
        Self::new(PipelineSource::Toml { name: name.to_owned(), text: text.to_owned() })
    }

    /// Adds an input: a path for `source.files`, a keyword file for `source.keywords`.
    pub fn input(mut self, path: impl Into<String>) -> Self {
        self.inputs.push(path.into());
        self
    }

    /// Gives keywords directly; the same as the setting `list` of the `source.keywords` stage.
    pub fn keywords<S: Into<String>>(mut self, keywords: impl IntoIterator<Item = S>) -> Self {
        self.keywords.extend(keywords.into_iter().map(Into::into));
        self
    }

    /// Says how many items the source plans.
    pub fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Names the job for people.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says whose it is.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Higher is served first; 0 unless said otherwise.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Lets jobs with the same key take turns: at most `limit` of them are in work at once.
    pub fn key(mut self, name: impl Into<String>, limit: u32) -> Self {
        self.key = Some(JobKey { name: name.into(), limit: limit.max(1) });
        self
    }

    /// Leaves the job alone until then.
    pub fn start_at(mut self, at: Timestamp) -> Self {
        (self.start_at, self.start_asked) = (Some(at), None);
        self
    }

    /// As [`JobRequest::start_at`], for a time that was asked for in words whose meaning depends on the moment, for example
    /// `22:00`: a repeated submit is compared by the words, and the job of the first one keeps its time.
    pub fn start_when(mut self, asked: impl Into<String>, at: Timestamp) -> Self {
        (self.start_at, self.start_asked) = (Some(at), Some(asked.into()));
        self
    }

    /// Makes a repeated submit with the same key find the job of the first one. The same key with another request is a
    /// conflict.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Says what its calls may cost. A call that would pass that is not made; what needs one waits until the budget is
    /// raised ([`crate::Engine::set_budget`]).
    pub fn budget(mut self, amount: Money) -> Self {
        self.budget = Some(amount);
        self
    }

    /// Takes the answers that the owner's earlier jobs have to exactly the same requests, instead of making calls. The same as
    /// the setting `job.cache`; requests with a seed are the same only where `job.seed` is.
    pub fn reuse(mut self) -> Self {
        self.layers.push(Layer::new(Origin::Program, json!({ JOB_SECTION: { "cache": Cache::Exact } })));
        self
    }

    /// Publishes finished files into this folder.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = Some(folder.into());
        self
    }

    /// Sets one setting, `stage.key`; checked with all others at submit.
    ///
    /// # Errors
    /// [`Problems`] when `name` is not of the form `stage.key`, or the value cannot be written as JSON.
    pub fn set(mut self, name: &str, value: impl Serialize) -> Result<Self, Problems> {
        let wrong = || {
            let problem = Problem::new("", format!("`{name}` does not name a setting"));
            Problems::from(problem.hint("expected stage.key, for example generate.variations"))
        };
        let (stage, key) = name.split_once('.').ok_or_else(wrong)?;
        let value: Value = serde_json::to_value(value).map_err(|_| wrong())?;
        self.layers.push(Layer::new(Origin::Program, json!({ stage: { key: value } })));
        Ok(self)
    }

    /// Adds a layer of settings over the ones before.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Returns what a repeated submit is compared by: everything asked for, with `recipe` for pipeline and settings.
    pub(crate) fn idempotency(&self, recipe: Digest) -> Option<Idempotency> {
        let start = match &self.start_asked {
            Some(words) => json!(words),
            None => json!(self.start_at.map(Timestamp::as_micros)),
        };
        let mut asked = vec![json!([
            recipe.to_hex(),
            self.inputs,
            self.keywords,
            self.count,
            self.label,
            self.priority,
            self.key,
            start,
        ])];
        // Only when there is one: what was asked before there were budgets compares as it did.
        asked.extend(self.budget.map(|budget| json!(budget)));
        let asked = if let [only] = asked.as_slice() { only.clone() } else { Value::from(asked) };
        let body = Digest::of(asked.to_string().as_bytes());
        self.idempotency_key.clone().map(|key| Idempotency { key, body })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_repeated_submit_is_compared_by_the_time_that_was_asked_for() {
        let body = |request: JobRequest| request.idempotency_key("k").idempotency(Digest::of(b"recipe")).unwrap().body;
        let request = || JobRequest::preset("factory");
        let (today, tomorrow) = (Timestamp::EPOCH, Timestamp::EPOCH.after(Duration::from_hours(24)));
        let evening = body(request().start_when("22:00", today));
        assert_eq!(evening, body(request().start_when("22:00", tomorrow)));
        assert_eq!(body(request().start_at(today)), body(request().start_when("22:00", tomorrow).start_at(today)));
        for other in [
            request(),
            request().start_at(today),
            request().start_when("22:01", today),
            request().start_when("22:00", today).priority(1),
        ] {
            assert_ne!(evening, body(other));
        }
    }
}
