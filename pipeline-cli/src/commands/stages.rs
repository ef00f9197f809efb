//! The stages of a job as `jobs show` prints them.

use serde_json::{Value, json};

use pipeline_engine::StageProfile;

use crate::output::{Failure, Output, Table, duration, money};

use super::errors::named;

/// So many causes of failures are shown for each stage.
const CAUSES: usize = 3;

/// In which order people read states.
const STATES: [&str; 10] =
    ["done", "running", "waiting", "ready", "blocked", "skipped", "rejected", "undecided", "failed", "cancelled"];

/// Prints a table of the stages, and one of what failed.
pub(super) fn print(stages: &[StageProfile], output: &mut Output<'_>) -> Result<(), Failure> {
    let mut table = Table::new(&["stage", "kind", "items", "tries", "p50", "p95", "total", "spent", "note"]);
    for stage in stages {
        let dash = || "-".to_owned();
        table.cells([
            stage.stage.to_string(),
            stage.kind.clone(),
            states(stage),
            stage.attempts.to_string(),
            stage.times.as_ref().map_or_else(dash, |times| duration(times.median)),
            stage.times.as_ref().map_or_else(dash, |times| duration(times.p95)),
            if stage.total.is_zero() && stage.times.is_none() { dash() } else { duration(stage.total) },
            spent(stage),
            stage.note.clone().unwrap_or_default(),
        ]);
    }
    output.text("\n")?;
    output.table(&table)?;
    let mut table = Table::new(&["stage", "failed with", "times", "example", "what helps"]);
    let mut any = false;
    for stage in stages {
        for failure in stage.failures.iter().take(CAUSES) {
            any = true;
            let advice = failure.code.advice();
            table.cells([
                stage.stage.to_string(),
                named(&advice),
                failure.count.to_string(),
                failure.example.to_string(),
                advice.next.to_owned(),
            ]);
        }
    }
    if any {
        output.text("\n")?;
        output.table(&table)?;
    }
    Ok(())
}

fn states(stage: &StageProfile) -> String {
    let told = STATES.iter().filter_map(|word| Some(format!("{} {word}", stage.states.get(*word)?)));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

fn spent(stage: &StageProfile) -> String {
    match (stage.calls, stage.reserved.as_micros()) {
        (0, _) => "-".to_owned(),
        (_, 0) => money(stage.spent),
        _ => format!("{}, {} reserved", money(stage.spent), stage.reserved),
    }
}

/// Returns what machines get of a stage.
pub(super) fn value(stage: &StageProfile) -> Value {
    let failures = stage.failures.iter().map(|failure| {
        let advice = failure.code.advice();
        json!({
            "code": advice.code, "support_id": advice.support, "count": failure.count, "example": failure.example,
            "what_helps": advice.next,
        })
    });
    let times = stage.times.as_ref();
    json!({
        "name": stage.stage, "kind": stage.kind, "role": stage.role, "enabled": stage.enabled,
        "states": stage.states,
        "attempts": stage.attempts,
        "results": stage.results,
        "total_ms": stage.total.as_millis() as u64,
        "median_ms": times.map(|times| times.median.as_secs_f64() * 1e3),
        "p95_ms": times.map(|times| times.p95.as_secs_f64() * 1e3),
        "longest_ms": times.map(|times| times.longest.as_secs_f64() * 1e3),
        "cost_micros": stage.cost.as_micros(),
        "calls": stage.calls,
        "spent_micros": stage.spent.as_micros(),
        "reserved_micros": stage.reserved.as_micros(),
        "failures": failures.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use pipeline_core::executor::{StageState, Stop, Wait, Why};
    use pipeline_core::id::ResultId;
    use pipeline_core::storage::stage_word;
    use pipeline_core::time::Timestamp;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_state_of_a_stage_has_a_column_for_people() {
        let until = Wait::Until { at: Timestamp::EPOCH, reason: String::new() };
        let states = [
            StageState::Blocked,
            StageState::Ready { attempt: 1 },
            StageState::Running { attempt: 1, resume: None },
            StageState::Waiting { attempt: 1, on: until, resume: None },
            StageState::Done { result: ResultId::from_uuid(Uuid::nil()) },
            StageState::Skipped { why: Why::Disabled, result: None },
            StageState::Stopped { stop: Stop::Rejected, result: None },
            StageState::Stopped { stop: Stop::Undecided { failure: None }, result: None },
            StageState::Stopped { stop: Stop::Cancelled, result: None },
        ];
        assert!(states.iter().all(|state| STATES.contains(&stage_word(state))));
    }
}
