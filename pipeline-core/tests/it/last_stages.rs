//! How an item's status follows from what its stages are.

use pipeline_core::executor::{ItemMachine, StageState, Stop, Wait, Why};
use pipeline_core::id::HoldId;
use pipeline_core::model::{Failure, FailureCode, ItemStatus};
use pipeline_core::time::Timestamp;

use crate::plans::{item, plan, result, work};

fn done() -> StageState {
    StageState::Done { result: result() }
}

fn skipped(why: Why) -> StageState {
    StageState::Skipped { why, result: None }
}

fn stopped(stop: Stop) -> StageState {
    StageState::Stopped { stop, result: None }
}

fn with(plan: &pipeline_core::pipeline::Plan, stages: Vec<StageState>) -> ItemMachine {
    ItemMachine { stages, ..ItemMachine::new(item(), plan) }
}

/// Every way a branch can end, strongest first, with the status it asks for.
fn ends() -> Vec<(StageState, ItemStatus)> {
    let failure = Failure::permanent(FailureCode::OutcomeUnknown, "gone");
    vec![
        (stopped(Stop::Failed { failure: failure.clone() }), ItemStatus::Failed),
        (stopped(Stop::Undecided { failure: Some(failure) }), ItemStatus::Undecided),
        (stopped(Stop::Rejected), ItemStatus::Rejected),
        (stopped(Stop::Cancelled), ItemStatus::Cancelled),
        (done(), ItemStatus::Succeeded),
        (skipped(Why::Condition), ItemStatus::Filtered),
    ]
}

#[test]
fn branches_that_disagree_follow_the_table_for_every_pair_and_triple() {
    let plan = plan(vec![work(&[]), work(&[]), work(&[])]);
    let ends = ends();
    for one in 0..ends.len() {
        for two in 0..ends.len() {
            for three in 0..ends.len() {
                let stages = [one, two, three].map(|end| ends[end].0.clone()).to_vec();
                let strongest = ends[one.min(two).min(three)].1;
                assert_eq!(with(&plan, stages).status(&plan), strongest, "{one} {two} {three}");
            }
        }
    }
}

#[test]
fn a_stage_that_is_off_or_skipped_on_failure_leaves_the_end_to_the_one_before() {
    let line = plan(vec![work(&[]), work(&[0])]);
    let fork = plan(vec![work(&[]), work(&[0]), work(&[0])]);
    for absent in [Why::Disabled, Why::Failure] {
        let status = |stages| with(&line, stages).status(&line);
        assert_eq!(status(vec![done(), skipped(absent)]), ItemStatus::Succeeded);
        assert_eq!(status(vec![skipped(absent), done()]), ItemStatus::Succeeded);
        assert_eq!(status(vec![skipped(Why::Condition), skipped(absent)]), ItemStatus::Filtered);
        assert_eq!(status(vec![skipped(absent), skipped(absent)]), ItemStatus::Succeeded);
        // Of the two last stages one is not there, and a condition kept the item from the other.
        let stages = vec![done(), skipped(absent), skipped(Why::Condition)];
        assert_eq!(with(&fork, stages).status(&fork), ItemStatus::Filtered);
    }
}

#[test]
fn a_last_stage_whose_input_was_used_or_that_a_person_let_pass_is_done() {
    let fork = plan(vec![work(&[]), work(&[0]), work(&[0])]);
    for through in [Why::InputUsed, Why::Approved, Why::NotRepeated] {
        let stages = vec![done(), skipped(through), skipped(Why::Condition)];
        assert_eq!(with(&fork, stages).status(&fork), ItemStatus::Succeeded, "{through:?}");
    }
}

#[test]
fn a_stage_that_is_off_in_the_middle_does_not_make_the_one_before_the_last() {
    let line = plan(vec![work(&[]), work(&[0]), work(&[1])]);
    let stages = vec![done(), skipped(Why::Disabled), skipped(Why::Condition)];
    assert_eq!(with(&line, stages).status(&line), ItemStatus::Filtered);
}

#[test]
fn an_open_item_is_running_before_pending_before_waiting() {
    let plan = plan(vec![work(&[]), work(&[]), work(&[]).expand(2)]);
    let running = || StageState::Running { attempt: 1, resume: None };
    let ready = || StageState::Ready { attempt: 1 };
    let until = |at| {
        let on = Wait::Until { at: Timestamp::from_micros(at), reason: "later".to_owned() };
        StageState::Waiting { attempt: 1, on, resume: None }
    };
    let gate = || StageState::Waiting { attempt: 1, on: Wait::Gate { key: "g".to_owned() }, resume: None };
    let person = || {
        let on = Wait::Person { hold: HoldId::from_uuid(uuid::Uuid::from_u128(7)), reason: "unknown".to_owned() };
        StageState::Waiting { attempt: 1, on, resume: None }
    };
    let now = Timestamp::from_micros(1);
    let at = |micros| Some(Timestamp::from_micros(micros));
    let failed = ends()[0].0.clone();
    for (stages, status, due) in [
        (vec![running(), gate(), ready()], ItemStatus::Running, at(1)),
        (vec![running(), failed.clone(), done()], ItemStatus::Running, at(1)),
        (vec![ready(), gate(), StageState::Blocked], ItemStatus::Pending, at(1)),
        (vec![StageState::Blocked, done(), done()], ItemStatus::Pending, at(1)),
        (vec![StageState::Blocked, gate(), done()], ItemStatus::Waiting, at(1)),
        (vec![done(), gate(), ready()], ItemStatus::Waiting, at(1)),
        (vec![until(9), until(5), gate()], ItemStatus::Waiting, at(1)),
        (vec![until(9), until(5), done()], ItemStatus::Waiting, at(5)),
        (vec![person(), done(), done()], ItemStatus::Waiting, None),
        (vec![failed.clone(), until(9), done()], ItemStatus::Waiting, at(9)),
        (vec![failed, done(), done()], ItemStatus::Failed, None),
    ] {
        let machine = with(&plan, stages);
        assert_eq!((machine.status(&plan), machine.due(&plan, now)), (status, due), "{:?}", machine.stages);
    }
}

#[test]
fn only_an_item_whose_process_ended_while_it_ran_is_suspect() {
    let plan = plan(vec![work(&[])]);
    let fresh = ItemMachine::new(item(), &plan);
    assert!(!fresh.is_suspect());
    assert!(ItemMachine { crashes: 1, ..fresh.clone() }.is_suspect());
    assert!(with(&plan, vec![StageState::Running { attempt: 1, resume: None }]).is_suspect());
    assert!(!with(&plan, vec![done()]).is_suspect());
}
