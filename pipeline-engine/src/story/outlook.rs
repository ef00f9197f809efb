//! Why an item is what it is, and what can be done next.

use serde::Serialize;

use pipeline_core::Result;
use pipeline_core::executor::{Retry, StageState, Stop, Wait, Why};
use pipeline_core::id::StageName;
use pipeline_core::model::{ItemStatus, Reason, Verdict};
use pipeline_core::pipeline::Plan;
use pipeline_core::storage::{BudgetKey, ItemRecord, ResultRecord, Reviewer};

use crate::engine::Engine;
use crate::review::{RetryRequest, Wish};
use crate::submit::SubmitError;

use super::step::Explained;

/// Why an item is what it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ending {
    /// What it is.
    pub status: ItemStatus,
    /// The stage that decided.
    pub stage: Option<StageName>,
    /// Why that could not be done.
    pub failure: Option<Explained>,
    /// What the check found.
    pub reasons: Vec<Reason>,
    /// The condition that kept the item out.
    pub condition: Option<String>,
}

/// What can be done about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Begin another round.
    Retry,
    /// Let it go on after the check.
    Approve,
    /// Mark it as not wanted.
    Discard,
    /// Make a new job from its job.
    Rerun,
    /// Decide about the call it waits for.
    ResolveCall,
    /// Open the gate it waits for, or wait until it opens.
    OpenGate,
    /// Raise the budget it waits for.
    RaiseBudget,
    /// Nothing: it goes on by itself.
    Wait,
}

/// Something that can be done, or why it cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What.
    pub action: Action,
    /// Whether it can.
    pub can: bool,
    /// Why it cannot; or with what: the stage a retry begins at, the call, the gate, the time.
    pub detail: String,
}

/// Says why an item is what it is, from its machine and the results this refers to.
pub(super) fn ending(plan: &Plan, item: &ItemRecord, history: &[ResultRecord]) -> Ending {
    let mut ending = Ending { status: item.status, stage: None, failure: None, reasons: Vec::new(), condition: None };
    if let Some((index, stop)) = item.machine.stop() {
        ending.stage = plan.stage(index).map(|stage| stage.name.clone());
        match stop {
            Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => {
                ending.failure = Some(failure.into());
            }
            Stop::Rejected | Stop::Undecided { failure: None } => {
                let result = item.machine.results().find(|(at, _)| *at == index).map(|(_, id)| id);
                let found = history.iter().find(|one| Some(one.id) == result).and_then(|one| one.verdict.as_ref());
                ending.reasons = found.map(reasons).unwrap_or_default();
            }
            Stop::Cancelled => {}
        }
    } else if item.status == ItemStatus::Filtered {
        let kept_out = |state: &StageState| matches!(state, StageState::Skipped { why: Why::Condition, .. });
        if let Some(stage) = item.machine.stages.iter().position(kept_out).and_then(|index| plan.stage(index)) {
            ending.stage = Some(stage.name.clone());
            ending.condition = stage.when.as_ref().map(|when| when.source().to_owned());
        }
    }
    ending
}

fn reasons(verdict: &Verdict) -> Vec<Reason> {
    match verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Fail { reasons } => reasons.clone(),
        Verdict::Uncertain { reason } => vec![reason.clone()],
    }
}

/// Asks the executor what can be done about an item.
pub(super) async fn next(engine: &Engine, plan: &Plan, item: &ItemRecord) -> Result<Vec<Next>> {
    let mut next = Vec::new();
    if !item.status.is_terminal() {
        for state in &item.machine.stages {
            if let StageState::Waiting { on, .. } = state {
                next.push(waiting(on));
            }
        }
        if next.is_empty() && item.machine.expanded.is_none() {
            let detail = "a worker goes on with it, as soon as there is one".to_owned();
            next.push(Next { action: Action::Wait, can: true, detail });
        }
        return Ok(next);
    }
    let by = Reviewer { actor: String::new(), reason: None };
    for (action, wish) in [
        (Action::Retry, Wish::Retry(RetryRequest::default())),
        (Action::Approve, Wish::Approve),
        (Action::Discard, Wish::Discard),
    ] {
        let asked = engine.review(item.job, std::slice::from_ref(item), &wish, &by, true).await;
        let outcome = match asked {
            Ok(mut reviewed) => reviewed.pop().map_or(Ok(item.machine.round), |one| one.outcome),
            Err(SubmitError::Store(error) | SubmitError::Input(error)) => Err(error),
            Err(SubmitError::Definition(problems)) => Err(pipeline_core::Error::invalid(problems.to_string())),
        };
        next.push(match outcome {
            Ok(round) => Next { action, can: true, detail: possible(action, plan, item, round) },
            Err(error) => Next { action, can: false, detail: error.message().to_owned() },
        });
    }
    let kept = engine.shared.store.plan(item.job).await?.recipe.is_some();
    let detail = if kept {
        "a new job does all of it again".to_owned()
    } else {
        "an older version stored the job, without what it was made from".to_owned()
    };
    next.push(Next { action: Action::Rerun, can: kept, detail });
    Ok(next)
}

fn possible(action: Action, plan: &Plan, item: &ItemRecord, round: u32) -> String {
    match action {
        Action::Retry => {
            let from = item.machine.can_retry(plan, &Retry::default()).ok().and_then(|index| plan.stage(index));
            let from = from.map(|stage| stage.name.to_string()).unwrap_or_default();
            format!("round {round} of {}, from `{from}` on", plan.max_rounds)
        }
        Action::Approve => format!("round {round}, after the check"),
        _ => "its state stays".to_owned(),
    }
}

fn waiting(on: &Wait) -> Next {
    let (action, detail) = match on {
        Wait::Until { at, reason } => (Action::Wait, format!("until {at}: {reason}")),
        Wait::Gate { key } => match BudgetKey::of_gate(key) {
            Some(_) => (Action::RaiseBudget, key.clone()),
            None => (Action::OpenGate, key.clone()),
        },
        Wait::Call { call } => (Action::Wait, format!("for call {call}, which somebody else has open")),
        Wait::Person { reason, .. } => (Action::ResolveCall, reason.clone()),
    };
    Next { action, can: true, detail }
}
