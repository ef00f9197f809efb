//! The compiled plan: a validated DAG with frozen settings, in topological order. This is what a job stores and the
//! executor walks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expression::Condition;
use crate::id::{Digest, StageName};
use crate::model::{Capability, Money};
pub use crate::settings::{Cache, OnFailure};

/// The number of this plan layout; every older one needs a fixture.
pub const PLAN_FORMAT: u32 = 1;

/// A stage's place in [`Plan::stages`].
pub type StageIndex = usize;

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Makes something; when it cannot, the item has failed.
    Work,
    /// Judges something; when it cannot, the item is undecided.
    Check,
}

/// How often and how long a stage is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Tries in all, from 1.
    pub max_attempts: u32,
    /// The longest one try may take.
    pub timeout: Option<Duration>,
    /// What to do when it cannot be done.
    pub on_failure: OnFailure,
    /// The first back-off's upper bound.
    pub backoff_base: Duration,
    /// Every back-off's upper bound.
    pub backoff_cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            timeout: None,
            on_failure: OnFailure::Fail,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(2),
        }
    }
}

/// Which items one call may serve together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The children of one parent.
    Siblings,
    /// Any items of the job.
    Job,
}

/// Which items, and at most how many, one call may serve together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// At most this many.
    pub max: u32,
    /// Of which kin.
    pub by: GroupBy,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStage {
    /// Its name.
    pub name: StageName,
    /// Its kind, for example `image.qc`.
    pub kind: String,
    /// Work or check.
    pub role: Role,
    /// Off means: passed over, what needs it goes on.
    pub enabled: bool,
    /// Why it is off, when it is.
    pub disabled_because: Option<String>,
    /// The stages it waits for; all stand before it.
    pub needs: Vec<StageIndex>,
    /// Runs only when this holds.
    pub when: Option<Condition>,
    /// For each input port, the ancestors that make it, nearest first.
    pub inputs: BTreeMap<String, Vec<StageIndex>>,
    /// The complete, frozen settings of its kind.
    pub settings: Value,
    /// How often and how long it is tried.
    pub policy: Policy,
    /// Into how many children it expands its item; the item is not expanded when this is 1 or absent.
    pub expand: Option<u32>,
    /// Which items one call may serve.
    pub group: Option<Group>,
    /// The providers it uses.
    pub providers: Vec<(Capability, String)>,
}

/// Something a person should know before running a plan, for example an inert setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanWarning {
    /// `stage.key`.
    pub setting: String,
    /// Why it is not applied.
    pub reason: String,
}

/// A pipeline compiled with settings: everything that decides what a job does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// The hash of the pipeline definition and the frozen settings.
    pub hash: Digest,
    /// The job's seed; every random choice follows from it.
    pub seed: u64,
    /// In topological order.
    pub stages: Vec<PlannedStage>,
    /// Where a retry starts unless told otherwise.
    pub retry_from: Option<StageIndex>,
    /// How many rounds an item may have.
    pub max_rounds: u32,
    /// How many items may run at once; `None` leaves it to the engine.
    pub concurrency: Option<u32>,
    /// What a call of unknown price costs at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Money>,
    /// Whether answers of earlier jobs are used again.
    #[serde(default, skip_serializing_if = "Cache::is_off")]
    pub cache: Cache,
    /// Settings that have no effect here.
    pub warnings: Vec<PlanWarning>,
}

impl Plan {
    /// Returns the stage at `index`.
    pub fn stage(&self, index: StageIndex) -> Option<&PlannedStage> {
        self.stages.get(index)
    }

    /// Returns the place of the stage of this name.
    pub fn index_of(&self, name: &str) -> Option<StageIndex> {
        self.stages.iter().position(|stage| stage.name.as_str() == name)
    }

    /// Returns, for each stage, whether no other stage needs it.
    pub fn sinks(&self) -> Vec<bool> {
        let mut sinks = vec![true; self.stages.len()];
        for stage in &self.stages {
            for need in &stage.needs {
                if let Some(sink) = sinks.get_mut(*need) {
                    *sink = false;
                }
            }
        }
        sinks
    }

    /// Returns, for each stage, whether it is `from` or comes after it.
    pub fn suffix(&self, from: StageIndex) -> Vec<bool> {
        let mut inside = vec![false; self.stages.len()];
        for (index, stage) in self.stages.iter().enumerate() {
            let reached = index == from || stage.needs.iter().any(|need| inside.get(*need) == Some(&true));
            if let Some(slot) = inside.get_mut(index) {
                *slot = reached;
            }
        }
        inside
    }

    /// Returns how many leaves one root item carries.
    pub fn leaves_per_item(&self) -> u32 {
        self.stages.iter().filter(|stage| stage.enabled).filter_map(|stage| stage.expand).product::<u32>().max(1)
    }
}
