//! What a job is expected to do and to cost, as it was said before it began.

use serde::{Deserialize, Serialize};

use crate::id::StageName;

use super::Money;

/// What is expected of one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageEstimate {
    /// The stage.
    pub stage: StageName,
    /// How many items get there.
    pub items: u64,
    /// Provider calls, those of local providers too.
    pub calls: u64,
    /// Those of them that the ledger keeps, with the ones that are answered from it.
    pub kept: u64,
    /// Those of them that earlier jobs have the answers to.
    pub reused: u64,
    /// Tokens read, where earlier jobs tell.
    pub input_tokens: Option<u64>,
    /// Tokens written, where earlier jobs tell.
    pub output_tokens: Option<u64>,
    /// What its calls cost; `None` when nobody knows.
    pub cost: Option<Money>,
    /// What they cost when every item gets there and no answer is reused.
    pub most: Option<Money>,
}

/// What a job is expected to do and to cost. Nothing is counted that is tried twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The stages that run, in order.
    pub stages: Vec<StageEstimate>,
    /// So many earlier jobs of the pipeline say how many items get how far; without one, all do.
    pub from_jobs: u32,
}

impl Estimate {
    /// Returns what is expected of a stage.
    pub fn stage(&self, name: &StageName) -> Option<&StageEstimate> {
        self.stages.iter().find(|stage| stage.stage == *name)
    }

    /// Returns how many calls are to be made and kept in the ledger.
    pub fn calls(&self) -> u64 {
        self.stages.iter().map(|stage| stage.kept.saturating_sub(stage.reused)).sum()
    }

    /// Returns Σ cost; `None` when that of a stage is not known.
    pub fn cost(&self) -> Option<Money> {
        self.stages.iter().try_fold(Money::ZERO, |sum, stage| Some(sum + stage.cost?))
    }

    /// Returns what it costs at most, nothing tried twice.
    pub fn most(&self) -> Option<Money> {
        self.stages.iter().try_fold(Money::ZERO, |sum, stage| Some(sum + stage.most?))
    }
}
