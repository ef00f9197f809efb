//! Replacing an item by its children.

use pipeline_core::executor::{
    Decision, Effect, Event, ItemMachine, Outcome, Retry, RetryRefused, StageState, Transition, Why,
};
use pipeline_core::pipeline::Plan;
use pipeline_core::time::Timestamp;

use crate::plans::{facts, item, plan, result, work};

fn step(plan: &Plan, machine: &ItemMachine, event: &Event) -> Transition {
    machine.step(plan, &facts(), Timestamp::EPOCH, 0, event).unwrap()
}

fn done(stage: usize) -> Event {
    Event::Finished { stage, attempt: 1, outcome: Outcome::Output { result: result() } }
}

#[test]
fn an_item_expands_before_the_expanding_stage_runs() {
    let plan = plan(vec![work(&[]), work(&[0]).expand(3)]);
    let root = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed).next;
    assert_eq!((root.leaves, root.slot()), (3, 0));
    let expanded = step(&plan, &root, &done(0));
    assert!(expanded.effects.is_empty());
    assert_eq!((expanded.next.leaves, expanded.next.expanded), (0, Some(3)));
    let child = &expanded.children[2];
    assert_eq!((child.slot, child.machine.slot(), child.machine.leaves), (2, 2, 1));
    assert_eq!(child.id, item().child("s1", 2));
    let run = step(&plan, &child.machine, &Event::Claimed);
    assert_eq!(run.effects, vec![Effect::Run { stage: 1, attempt: 1, resume: None }]);
}

#[test]
fn an_expanded_item_never_expands_again() {
    let plan = plan(vec![work(&[]).expand(2)]);
    let expanded = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed).next;
    for event in [Event::Claimed, Event::Woke { released: true }, Event::CancelRequested, done(0)] {
        let again = step(&plan, &expanded, &event);
        assert!(again.ignored && again.children.is_empty(), "{event:?}");
    }
    for decision in [Decision::Approve, Decision::Discard, Decision::Retry(Retry::from(None))] {
        let event = Event::Decided { decision };
        assert!(expanded.step(&plan, &facts(), Timestamp::EPOCH, 0, &event).is_err(), "{event:?}");
    }
    assert_eq!(expanded.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::Expanded));
    assert_eq!(expanded.due(&plan, Timestamp::EPOCH), None);
}

#[test]
fn two_expanding_branches_multiply_instead_of_waiting_for_each_other() {
    let plan = plan(vec![work(&[]), work(&[0]).expand(2), work(&[0]).expand(3)]);
    let root = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed).next;
    let outer = step(&plan, &root, &done(0));
    assert_eq!(outer.children.len(), 2);
    let child = step(&plan, &outer.children[0].machine, &Event::Claimed);
    let inner = step(&plan, &child.next, &done(1));
    assert_eq!(inner.children.len(), 3);
    assert!(inner.children.iter().all(|child| child.machine.leaves == 1 && child.machine.slots.len() == 2));
}

#[test]
fn an_expanding_stage_waits_for_the_branches_beside_it() {
    let plan = plan(vec![work(&[]), work(&[0]).expand(2), work(&[0])]);
    let root = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed).next;
    let beside = step(&plan, &root, &done(0));
    assert!(beside.children.is_empty());
    assert_eq!(beside.effects, vec![Effect::Run { stage: 2, attempt: 1, resume: None }]);
    let expanded = step(&plan, &beside.next, &done(2));
    assert_eq!(expanded.children.len(), 2);
    assert_eq!(expanded.children[0].machine.stages[2], StageState::Done { result: result() });
}

#[test]
fn an_expansion_into_one_is_none() {
    let plan = plan(vec![work(&[]).expand(1)]);
    let run = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed);
    assert!(run.children.is_empty());
    assert_eq!(run.effects.len(), 1);
}

#[test]
fn a_child_does_not_inherit_the_crashes_of_its_parent() {
    let plan = plan(vec![work(&[]), work(&[0]).expand(2)]);
    let mut machine = ItemMachine::new(item(), &plan);
    for _ in 0..3 {
        machine = step(&plan, &machine, &Event::Claimed).next;
    }
    assert_eq!(machine.crashes, 2);
    assert_eq!(step(&plan, &machine, &done(0)).children[0].machine.crashes, 0);
}

#[test]
fn a_child_is_retried_from_the_stage_that_made_it_and_not_from_before() {
    let plan = plan(vec![work(&[]), work(&[0]).expand(2), work(&[1])]);
    let root = step(&plan, &ItemMachine::new(item(), &plan), &Event::Claimed).next;
    let mut child = step(&plan, &root, &done(0)).children[1].machine.clone();
    for event in [Event::Claimed, done(1), done(2)] {
        child = step(&plan, &child, &event).next;
    }
    assert_eq!(child.can_retry(&plan, &Retry::from(None)), Ok(1));
    assert_eq!(child.can_retry(&plan, &Retry::from(Some(2))), Ok(2));
    assert_eq!(child.can_retry(&plan, &Retry::from(Some(0))), Err(RetryRefused::BeforeExpansion("s0".to_owned())));
    let again = step(&plan, &child, &Event::Decided { decision: Decision::Retry(Retry::from(Some(1))) });
    assert!(again.children.is_empty() && again.effects.is_empty());
    assert_eq!(again.next.stages[1], StageState::Ready { attempt: 1 });
}

#[test]
fn an_expanding_stage_that_is_off_neither_expands_nor_counts() {
    let plan = plan(vec![work(&[]).expand(4).off(), work(&[0]).expand(2)]);
    let root = ItemMachine::new(item(), &plan);
    assert_eq!(root.leaves, 2);
    let expanded = step(&plan, &root, &Event::Claimed);
    assert_eq!(expanded.children.len(), 2);
    assert_eq!(expanded.children[0].machine.stages[0], StageState::Skipped { why: Why::Disabled, result: None });
}
