//! Conditions: CEL expressions over the outputs of earlier stages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a condition sees: each stage's output object under the stage's name.
pub type Facts = BTreeMap<String, Value>;

/// A condition that could not be parsed or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConditionError(pub String);

/// A CEL expression that answers true or false.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition {
    source: String,
}

impl Condition {
    /// Parses an expression.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        Ok(Self { source: source.to_owned() })
    }

    /// Evaluates it over `facts`.
    pub fn evaluate(&self, facts: &Facts) -> Result<bool, ConditionError> {
        let _ = facts;
        Err(ConditionError(self.source.clone()))
    }
}
