//! Why an item is not good, in one line.

use pipeline_core::Result;
use pipeline_core::executor::{StageState, Stop, Wait};
use pipeline_core::model::Verdict;
use pipeline_core::pipeline::Plan;
use pipeline_core::storage::{BudgetKey, ItemRecord};
use pipeline_engine::Engine;

use super::budgets;

/// Returns why an item was stopped or waits, beginning with the stage; nothing when it was not.
pub(crate) async fn why(engine: &Engine, plan: &Plan, item: &ItemRecord) -> Result<String> {
    for (index, state) in item.machine.stages.iter().enumerate() {
        let stage = plan.stage(index).map(|stage| stage.name.as_str()).unwrap_or_default();
        match state {
            StageState::Stopped { stop, result } => {
                let recorded = match result {
                    Some(id) => engine.store().results(vec![*id]).await?.pop(),
                    None => None,
                };
                let verdict = recorded.and_then(|result| result.verdict);
                return Ok(format!("{stage}: {}", stopped(stop, verdict.as_ref())));
            }
            StageState::Waiting { on, .. } => return Ok(format!("{stage}: {}", waits(on))),
            _ => {}
        }
    }
    Ok(String::new())
}

/// Says how a stage ended an item's walk.
pub(crate) fn stopped(stop: &Stop, verdict: Option<&Verdict>) -> String {
    match stop {
        Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => failure.message.clone(),
        Stop::Cancelled => "the job was cancelled".to_owned(),
        Stop::Rejected | Stop::Undecided { failure: None } => {
            verdict.map_or_else(|| "no reason was recorded".to_owned(), reasons)
        }
    }
}

/// Says what a check found.
pub(crate) fn reasons(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Fail { reasons } => {
            reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
        }
        Verdict::Uncertain { reason } => reason.message.clone(),
    }
}

/// Says what a stage waits for.
pub(crate) fn waits(on: &Wait) -> String {
    match on {
        Wait::Until { at, reason } => format!("waits until {at}: {reason}"),
        Wait::Gate { key } => match BudgetKey::of_gate(key) {
            Some(budget) => format!("waits until the budget of {} is raised", budgets::named(&budget)),
            None => format!("waits for {key}"),
        },
        Wait::Call { call } => format!("waits for call {call}"),
        Wait::Person { reason, .. } => format!("waits for a person: {reason}"),
    }
}
