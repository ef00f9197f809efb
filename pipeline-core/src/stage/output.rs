//! What a stage gives back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::executor::Resume;
use crate::model::{Artifact, Money, Verdict};

/// What a stage made or found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Output fields by port name.
    pub fields: Map<String, Value>,
    /// Output files by port name.
    pub files: BTreeMap<String, Artifact>,
    /// What a check found.
    pub verdict: Option<Verdict>,
    /// Who made it.
    pub provider: Option<String>,
    /// This item's share of the cost.
    pub cost: Money,
}

impl Output {
    /// An output without anything in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a file.
    pub fn file(mut self, name: &str, artifact: Artifact) -> Self {
        self.files.insert(name.to_owned(), artifact);
        self
    }

    /// Sets the verdict.
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// Says who made it.
    pub fn by(mut self, provider: &str) -> Self {
        self.provider = Some(provider.to_owned());
        self
    }

    /// Says what this item's share cost.
    pub fn cost(mut self, cost: Money) -> Self {
        self.cost = cost;
        self
    }
}

/// How a run of a stage ended when it did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum StageEnd {
    /// It is done.
    Done(Output),
    /// The provider works on; the stage wants to be run again with `resume` after `poll_after`.
    Suspended {
        /// What it goes on from.
        resume: Resume,
        /// When to look again.
        poll_after: Duration,
    },
}

impl From<Output> for StageEnd {
    fn from(output: Output) -> Self {
        Self::Done(output)
    }
}
