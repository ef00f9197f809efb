//! How the stages of a job stand: counts, times, tries, what they cost and why they failed.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::Result;
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{FailureCode, Money};
use pipeline_core::pipeline::{PlannedStage, Role};
use pipeline_core::storage::{JobRecord, SpendBy, SpendQuery, StageTimes};

use crate::engine::Engine;

/// How the stages of a job stand, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStages {
    /// In the order of the plan.
    pub stages: Vec<StageProfile>,
    /// The jobs made from this one, oldest first.
    pub reruns: Vec<JobId>,
}

/// How one stage of a job stands.
#[derive(Clone, Debug, PartialEq)]
pub struct StageProfile {
    /// Its name.
    pub stage: StageName,
    /// Its kind.
    pub kind: String,
    /// Work or check.
    pub role: Role,
    /// Off means: passed over.
    pub enabled: bool,
    /// Why it is off, when it is; or its condition.
    pub note: Option<String>,
    /// Leaves by what the stage is for them; together all that are planned. What a cancelled job has not done is `cancelled`.
    pub states: BTreeMap<String, u64>,
    /// Results it has given, over all rounds.
    pub results: u64,
    /// Tries that were made, over all rounds: results, and failures of which the stage itself is the cause.
    pub attempts: u64,
    /// How long its results took; of a large job as many of them as are looked at.
    pub times: Option<StageTimes>,
    /// How long they took together.
    pub total: Duration,
    /// The items' shares of what its results cost.
    pub cost: Money,
    /// How many calls it made.
    pub calls: u64,
    /// What those with a known outcome have cost.
    pub spent: Money,
    /// What those without one may cost at most.
    pub reserved: Money,
    /// Why it could not be done, the most frequent first.
    pub failures: Vec<FailureCount>,
}

/// How often a stage failed with one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCount {
    /// The code.
    pub code: FailureCode,
    /// How often.
    pub count: u64,
    /// An item it happened to.
    pub example: ItemId,
}

impl Engine {
    /// Returns how the stages of a job stand.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn stages(&self, job: &JobRecord) -> Result<JobStages> {
        let store = &self.shared.store;
        let plan = store.plan(job.id).await?.plan;
        let profile = store.profile(job.id).await?;
        let tallies = store.tallies(job.id).await?;
        let of_job = SpendQuery { job: Some(job.id), ..SpendQuery::by(SpendBy::Stage) };
        let sums = self.store().spend(of_job).await?;
        let mut stages = Vec::with_capacity(plan.stages.len());
        for (index, planned) in plan.stages.iter().enumerate() {
            let mut states: BTreeMap<String, u64> = BTreeMap::new();
            for ((_, word), leaves) in profile.states.iter().filter(|((stage, _), _)| *stage == index) {
                *states.entry(of_ended(job, word)).or_default() += leaves;
            }
            states.retain(|_, leaves| *leaves > 0);
            let failures: Vec<FailureCount> = profile
                .failures
                .iter()
                .filter(|failures| failures.stage == planned.name)
                .map(|failures| FailureCount { code: failures.code, count: failures.count, example: failures.example })
                .collect();
            let times = profile.times.iter().find(|times| times.stage == planned.name).cloned();
            let tried = failures.iter().filter(|failures| is_a_try(failures.code)).map(|failures| failures.count);
            let tally = tallies.iter().find(|tally| tally.stage == planned.name);
            let sum = sums.iter().find(|sum| sum.key == planned.name.as_str()).cloned().unwrap_or_default();
            let results = tally.map_or(0, |tally| tally.count);
            stages.push(StageProfile {
                stage: planned.name.clone(),
                kind: planned.kind.clone(),
                role: planned.role,
                enabled: planned.enabled,
                note: note(planned),
                states,
                results,
                attempts: results + tried.sum::<u64>(),
                times,
                total: tally.map(|tally| tally.total).unwrap_or_default(),
                cost: tally.map(|tally| tally.cost).unwrap_or_default(),
                calls: sum.calls + sum.unsettled,
                spent: sum.spent,
                reserved: sum.reserved,
                failures,
            });
        }
        Ok(JobStages { stages, reruns: profile.reruns })
    }
}

/// What is open of a job that has ended will never be done.
fn of_ended(job: &JobRecord, word: &str) -> String {
    let open = matches!(word, "blocked" | "ready" | "running" | "waiting");
    if open && job.status.is_terminal() { "cancelled".to_owned() } else { word.to_owned() }
}

/// Crashes are counted apart from tries, and a condition is asked before one.
const fn is_a_try(code: FailureCode) -> bool {
    match code {
        FailureCode::CrashLoop | FailureCode::ConditionError => false,
        FailureCode::Port(_) | FailureCode::OutcomeUnknown => true,
    }
}

fn note(stage: &PlannedStage) -> Option<String> {
    match (&stage.disabled_because, &stage.when) {
        (Some(reason), _) => Some(format!("off: {reason}")),
        (None, Some(when)) => Some(format!("when {}", when.source())),
        (None, None) => None,
    }
}
