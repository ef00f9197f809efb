//! What a caller wants done: a pipeline, its inputs, and settings over the pipeline's own.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use pipeline_core::settings::{Layer, Origin, Problem, Problems};

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
    pub(crate) owner: String,
    pub(crate) priority: i32,
    pub(crate) out: Option<PathBuf>,
    pub(crate) layers: Vec<Layer>,
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
            owner: "system".to_owned(),
            priority: 0,
            out: None,
            layers: Vec::new(),
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
        self.owner = owner.into();
        self
    }

    /// Higher is served first; 0 unless said otherwise.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
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
}
