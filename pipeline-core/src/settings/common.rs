//! The settings every stage has, and those of a whole job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Money;

use super::StageSettings;

/// The reserved section of a whole job.
pub const JOB_SECTION: &str = "job";

/// What happens when a stage cannot be done and its attempts are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The item ends: failed after a work stage, undecided after a check.
    #[default]
    Fail,
    /// The item goes on as if the stage were not there.
    Skip,
    /// The stage's input counts as its output.
    UseInput,
}

/// Whether answers of earlier jobs are used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Every call is made.
    #[default]
    Off,
    /// A call whose request is the same in everything is answered from the ledger.
    Exact,
}

impl Cache {
    /// Tells whether it is off.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// The settings every stage has beside those of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CommonSettings {
    /// Whether the stage runs; off means that items pass it by.
    pub enabled: bool,
    /// What happens when the stage cannot be done.
    pub on_failure: OnFailure,
    /// How often the stage is tried in all.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
    /// The longest one try may take, in seconds.
    #[schemars(range(min = 0.001, max = 86400.0))]
    pub timeout_seconds: Option<f64>,
}

impl Default for CommonSettings {
    fn default() -> Self {
        Self { enabled: true, on_failure: OnFailure::Fail, max_attempts: 6, timeout_seconds: None }
    }
}

impl StageSettings for CommonSettings {}

/// The settings of a whole job, in the section `job`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobSettings {
    /// The number every random choice follows from; absent means that the engine draws one.
    pub seed: Option<u64>,
    /// How many items may be in work at once (pictures that one call makes count as one); absent leaves it to the engine.
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: Option<u32>,
    /// Whether answers that other jobs of the same owner have are used again; absent or `off` means that every call is made.
    /// Takes effect where a request is the same in everything, the seed included: see `job.seed`.
    pub cache: Cache,
    /// What a call costs at most whose provider does not say its price, in dollars; absent means that a job with a budget
    /// cannot make such calls.
    #[schemars(range(min = 0.000_001, max = 1_000_000.0))]
    pub max_cost: Option<f64>,
    /// How many items a job may have.
    #[schemars(range(min = 1))]
    pub max_items: u64,
    /// How many rounds an item may have, the first one counted.
    #[schemars(range(min = 1, max = 100))]
    pub max_rounds: u32,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { seed: None, concurrency: None, cache: Cache::Off, max_cost: None, max_items: 10_000, max_rounds: 3 }
    }
}

impl JobSettings {
    /// Returns what a call of unknown price costs at most.
    pub fn max_cost(&self) -> Option<Money> {
        self.max_cost.map(|dollars| Money::from_micros((dollars * 1e6).round() as i64))
    }
}

impl StageSettings for JobSettings {}
