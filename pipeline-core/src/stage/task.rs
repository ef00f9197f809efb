//! One try of one stage for one item.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::executor::Resume;
use crate::id::{Digest, ItemId};
use crate::model::Artifact;

/// What a stage reads: its ports, and every ancestor's fields for templates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Bound field ports by name.
    pub fields: Map<String, Value>,
    /// Bound file ports by name.
    pub files: BTreeMap<String, Artifact>,
    /// What templates see: the source's fields and the bound fields at the top, every ancestor's fields under its name.
    pub variables: Map<String, Value>,
}

/// One try of one stage for one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The item.
    pub item: ItemId,
    /// The place of its root item in the job.
    pub ordinal: u32,
    /// Its place among its siblings.
    pub slot: u32,
    /// For people.
    pub name: String,
    /// What the source planned for it.
    pub input: Map<String, Value>,
    /// The round, from 1.
    pub round: u32,
    /// The try, from 1.
    pub attempt: u32,
    /// The job's seed.
    pub job_seed: u64,
    /// The complete, frozen settings of the stage.
    pub settings: Arc<Value>,
    /// What it reads.
    pub inputs: Inputs,
    /// What a suspended stage goes on from.
    pub resume: Option<Resume>,
}

impl Task {
    /// Returns the typed settings.
    ///
    /// # Errors
    /// `Invalid` when the settings do not fit the type; the plan was then made with another version of the stage.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(self.settings.as_ref())
            .map_err(|error| Error::invalid("the stored settings do not fit this version of the stage").because(error))
    }

    /// Returns a seed that depends on the job's seed, the item's place and `purpose`, and on the round.
    ///
    /// The same job, place, round and purpose give the same seed in every run.
    pub fn seed(&self, purpose: &str) -> u64 {
        let text = format!("{}/{}/{}/{}/{purpose}", self.job_seed, self.ordinal, self.slot, self.round);
        Digest::of(text.as_bytes()).to_u64()
    }

    /// Returns a file input.
    ///
    /// # Errors
    /// `NotFound` when no ancestor made it.
    pub fn file(&self, port: &str) -> Result<&Artifact> {
        self.inputs
            .files
            .get(port)
            .ok_or_else(|| Error::not_found("no earlier stage made this input").with("input", port))
    }

    /// Returns a field input as text, when it is there.
    pub fn text(&self, port: &str) -> Option<&str> {
        self.inputs.fields.get(port).and_then(Value::as_str)
    }
}
