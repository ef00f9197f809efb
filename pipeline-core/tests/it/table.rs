//! The transition table: every state of a stage against every event, for an item of one work stage.

use std::fmt::Write as _;

use pipeline_core::Retryability;
use pipeline_core::executor::{Effect, Event, ItemMachine, Outcome, Resume, StageState, Stop, Wait, Why};
use pipeline_core::model::{Reason, Verdict};
use pipeline_core::time::Timestamp;

use crate::plans::{facts, item, plan, result, work};
use crate::world::failure;

const NOW: Timestamp = Timestamp::from_micros(10_000_000);

fn states() -> Vec<(&'static str, StageState)> {
    let until = |seconds: i64| Wait::Until { at: Timestamp::from_micros(seconds * 1_000_000), reason: "r".to_owned() };
    let waiting = |on, resume| StageState::Waiting { attempt: 1, on, resume };
    let task = || Some(Resume("task".to_owned()));
    let gate = || Wait::Gate { key: "g".to_owned() };
    vec![
        ("blocked", StageState::Blocked),
        ("ready", StageState::Ready { attempt: 1 }),
        ("running", StageState::Running { attempt: 1, resume: None }),
        ("running on", StageState::Running { attempt: 1, resume: task() }),
        ("last try", StageState::Running { attempt: 2, resume: None }),
        ("wait over", waiting(until(10), None)),
        ("wait", waiting(until(11), None)),
        ("gate", waiting(gate(), None)),
        ("suspended", waiting(until(10), task())),
        ("done", StageState::Done { result: result() }),
        ("skipped", StageState::Skipped { why: Why::Condition, result: None }),
        ("stopped", StageState::Stopped { stop: Stop::Rejected, result: None }),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let finished = |attempt, outcome| Event::Finished { stage: 0, attempt, outcome };
    let judged = Outcome::Judged { result: result(), verdict: Verdict::Fail { reasons: vec![Reason::new("a", "b")] } };
    vec![
        ("claimed", Event::Claimed),
        ("output 1", finished(1, Outcome::Output { result: result() })),
        ("output 2", finished(2, Outcome::Output { result: result() })),
        ("verdict 1", finished(1, judged)),
        ("transient 1", finished(1, failure(Retryability::Transient))),
        ("transient 2", finished(2, failure(Retryability::Transient))),
        ("throttled 1", finished(1, failure(Retryability::Throttled { after: None }))),
        ("refused 1", finished(1, failure(Retryability::Refused))),
        ("deferred 1", Event::Deferred { stage: 0, attempt: 1, wait: Wait::Gate { key: "g".to_owned() } }),
        ("suspended 1", Event::Suspended { stage: 0, attempt: 1, resume: Resume("more".to_owned()), poll_at: NOW }),
        ("woke", Event::Woke { released: false }),
        ("released", Event::Woke { released: true }),
        ("cancel", Event::CancelRequested),
    ]
}

fn show(state: &StageState) -> String {
    match state {
        StageState::Blocked => "blocked".to_owned(),
        StageState::Ready { attempt } => format!("ready {attempt}"),
        StageState::Running { attempt, resume } => {
            format!("running {attempt}{}", resume.as_ref().map(|r| format!(" on {}", r.0)).unwrap_or_default())
        }
        StageState::Waiting { attempt, on, resume } => {
            let on = match on {
                Wait::Until { at, .. } => format!("+{}s", at.since(NOW).as_secs()),
                Wait::Gate { key } => key.clone(),
                Wait::Call { .. } | Wait::Person { .. } => "?".to_owned(),
            };
            format!("waiting {attempt} {on}{}", resume.as_ref().map(|r| format!(" on {}", r.0)).unwrap_or_default())
        }
        StageState::Done { .. } => "done".to_owned(),
        StageState::Skipped { why, .. } => format!("skipped {why:?}"),
        StageState::Stopped { stop: Stop::Rejected, .. } => "rejected".to_owned(),
        StageState::Stopped { stop: Stop::Undecided { .. }, .. } => "undecided".to_owned(),
        StageState::Stopped { stop: Stop::Failed { failure }, .. } => format!("failed {:?}", failure.retry),
        StageState::Stopped { stop: Stop::Cancelled, .. } => "cancelled".to_owned(),
    }
}

fn rows(cancelled: bool) -> String {
    let plan = plan(vec![work(&[])]);
    let mut text = String::new();
    for (name, state) in states() {
        for (event_name, event) in events() {
            let machine = ItemMachine { stages: vec![state.clone()], cancelled, ..ItemMachine::new(item(), &plan) };
            let cell = match machine.step(&plan, &facts(), NOW, 500_000, &event) {
                Err(_) => "illegal".to_owned(),
                Ok(transition) if transition.ignored => "-".to_owned(),
                Ok(transition) => {
                    let mut cell = show(&transition.next.stages[0]);
                    for effect in transition.effects {
                        cell.push_str(match effect {
                            Effect::Run { .. } => ", run",
                            Effect::Abort { .. } => ", abort",
                        });
                    }
                    cell
                }
            };
            writeln!(text, "{name:<11}| {event_name:<12}| {cell}").unwrap();
        }
    }
    text
}

#[test]
fn every_state_answers_every_event_as_the_table_says() {
    assert_eq!(rows(false), include_str!("fixtures/table.txt"), "\n{}", rows(false));
}

#[test]
fn after_a_cancellation_every_state_answers_every_event_as_the_table_says() {
    assert_eq!(rows(true), include_str!("fixtures/table_cancelled.txt"), "\n{}", rows(true));
}

#[test]
fn an_item_of_another_plan_or_a_newer_format_is_refused() {
    let plan_of_one = plan(vec![work(&[])]);
    let machine = ItemMachine::new(item(), &plan(vec![work(&[]), work(&[])]));
    let step = |machine: &ItemMachine| machine.step(&plan_of_one, &facts(), NOW, 0, &Event::Claimed);
    assert!(step(&machine).unwrap_err().reason.contains("another"));
    let machine = ItemMachine { format: 2, ..ItemMachine::new(item(), &plan_of_one) };
    assert!(step(&machine).unwrap_err().reason.contains("format 2"));
}
