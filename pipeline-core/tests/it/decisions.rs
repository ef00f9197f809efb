//! A person's decisions: retry, approve, discard; and what is refused with its reason.

use pipeline_core::Retryability;
use pipeline_core::executor::{
    Decision, Event, ItemEvent, ItemMachine, Outcome, Retry, RetryRefused, StageState, Stop, Transition, Why,
};
use pipeline_core::expression::Condition;
use pipeline_core::model::{ItemStatus, Reason, Verdict};
use pipeline_core::pipeline::{OnFailure, Plan};
use pipeline_core::time::Timestamp;

use crate::plans::{check, facts, item, plan, result, work};
use crate::world::failure;

fn step(plan: &Plan, machine: &ItemMachine, event: &Event) -> Transition {
    machine.step(plan, &facts(), Timestamp::EPOCH, 0, event).unwrap()
}

fn refused(plan: &Plan, machine: &ItemMachine, decision: Decision) -> String {
    let event = Event::Decided { decision };
    machine.step(plan, &facts(), Timestamp::EPOCH, 0, &event).unwrap_err().to_string()
}

fn walk(plan: &Plan, machine: &ItemMachine, events: &[Event]) -> ItemMachine {
    events.iter().fold(machine.clone(), |machine, event| step(plan, &machine, event).next)
}

fn finished(stage: usize, outcome: Outcome) -> Event {
    Event::Finished { stage, attempt: 1, outcome }
}

fn done(stage: usize) -> Event {
    finished(stage, Outcome::Output { result: result() })
}

fn rejected(stage: usize) -> Event {
    let verdict = Verdict::Fail { reasons: vec![Reason::new("dark", "too dark")] };
    finished(stage, Outcome::Judged { result: result(), verdict })
}

fn retry(from: Option<usize>) -> Event {
    Event::Decided { decision: Decision::Retry(Retry::from(from)) }
}

const APPROVE: Event = Event::Decided { decision: Decision::Approve };
const DISCARD: Event = Event::Decided { decision: Decision::Discard };

/// make → judge → finish, rejected.
fn rejected_item() -> (Plan, ItemMachine) {
    let plan = plan(vec![work(&[]), check(&[0]), work(&[1])]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed, done(0), rejected(1)]);
    assert_eq!(machine.status(&plan), ItemStatus::Rejected);
    (plan, machine)
}

#[test]
fn an_approval_goes_on_after_the_check_and_keeps_what_it_found() {
    let (plan, machine) = rejected_item();
    let approved = step(&plan, &machine, &APPROVE);
    assert_eq!(approved.next.stages[1], StageState::Skipped { why: Why::Approved, result: Some(result()) });
    assert_eq!(approved.next.stages[2], StageState::Ready { attempt: 1 });
    assert_eq!((approved.next.round, approved.next.crashes), (2, 0));
    assert!(approved.effects.is_empty(), "a worker starts it, not the person");
    assert!(approved.events.contains(&ItemEvent::Decided { decision: Decision::Approve, round: 2 }));
    assert_eq!(approved.next.results().map(|(stage, _)| stage).collect::<Vec<_>>(), [0, 1]);
    let end = walk(&plan, &approved.next, &[Event::Claimed, done(2)]);
    assert_eq!(end.status(&plan), ItemStatus::Succeeded);
}

#[test]
fn an_approval_is_refused_where_no_check_stopped_the_item() {
    let (plan, machine) = rejected_item();
    let open = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed]);
    assert!(refused(&plan, &open, Decision::Approve).contains("not ended"));
    let failed = step(&plan, &open, &finished(0, failure(Retryability::Permanent))).next;
    assert!(refused(&plan, &failed, Decision::Approve).contains("by a check"));
    let good = walk(&plan, &step(&plan, &machine, &APPROVE).next, &[Event::Claimed, done(2)]);
    assert!(refused(&plan, &good, Decision::Approve).contains("neither rejected nor undecided"));
    let cancelled = ItemMachine { cancelled: true, ..machine };
    assert!(refused(&plan, &cancelled, Decision::Approve).contains("cancelled"));
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_no_check_to_approve() {
    let plan = plan(vec![work(&[]), work(&[0]).when("gone.go")]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed, done(0)]);
    assert_eq!(machine.status(&plan), ItemStatus::Undecided);
    assert!(refused(&plan, &machine, Decision::Approve).contains("by a check"));
    assert_eq!(machine.can_retry(&plan, &Retry::from(None)), Ok(1));
}

#[test]
fn a_failed_branch_beside_the_check_cannot_be_approved() {
    let plan = plan(vec![check(&[]), work(&[])]);
    let events = [Event::Claimed, rejected(0), finished(1, failure(Retryability::Permanent))];
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &events);
    assert_eq!(machine.status(&plan), ItemStatus::Failed);
    assert!(refused(&plan, &machine, Decision::Approve).contains("by a check"));
}

#[test]
fn a_person_can_approve_when_no_retries_are_left() {
    let (mut plan, machine) = rejected_item();
    plan.max_rounds = 1;
    assert_eq!(machine.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::NoRoundsLeft { rounds: 1 }));
    assert_eq!(step(&plan, &machine, &APPROVE).next.round, 2);
}

#[test]
fn a_discard_marks_the_item_and_changes_nothing() {
    let (plan, machine) = rejected_item();
    let discarded = step(&plan, &machine, &DISCARD);
    assert_eq!(discarded.next, machine);
    assert_eq!(discarded.events, vec![ItemEvent::Decided { decision: Decision::Discard, round: 1 }]);
    let open = ItemMachine::new(item(), &plan);
    assert!(refused(&plan, &open, Decision::Discard).contains("not ended"));
}

#[test]
fn a_retry_starts_from_the_named_stage_and_does_not_repeat_checks_before_it() {
    let (plan, machine) = rejected_item();
    let again = step(&plan, &machine, &retry(Some(2))).next;
    assert_eq!(again.stages[0], StageState::Done { result: result() });
    assert_eq!(again.stages[1], StageState::Skipped { why: Why::NotRepeated, result: Some(result()) });
    assert_eq!(again.stages[2], StageState::Ready { attempt: 1 });
    let named = step(&plan, &machine, &retry(Some(1))).next;
    assert_eq!(named.stages[1], StageState::Ready { attempt: 1 });
    assert_eq!(named.stages[2], StageState::Blocked);
}

#[test]
fn a_retry_without_a_stage_takes_the_pipelines_then_the_one_that_stopped_then_the_first() {
    let (mut plan, machine) = rejected_item();
    assert_eq!(machine.can_retry(&plan, &Retry::from(None)), Ok(1));
    plan.retry_from = Some(0);
    assert_eq!(machine.can_retry(&plan, &Retry::from(None)), Ok(0));
    plan.retry_from = None;
    let good = walk(&plan, &step(&plan, &machine, &APPROVE).next, &[Event::Claimed, done(2)]);
    assert_eq!(good.can_retry(&plan, &Retry::from(None)), Ok(0));
    // What the pipeline's stage needs is not there: the failed stage goes first.
    plan.retry_from = Some(2);
    let failed = [Event::Claimed, finished(0, failure(Retryability::Permanent))];
    let failed = walk(&plan, &ItemMachine::new(item(), &plan), &failed);
    assert_eq!(failed.can_retry(&plan, &Retry::from(None)), Ok(0));
}

#[test]
fn a_retry_is_refused_with_the_reason() {
    let (plan, machine) = rejected_item();
    let open = ItemMachine::new(item(), &plan);
    assert_eq!(open.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::NotEnded));
    assert_eq!(machine.can_retry(&plan, &Retry::from(Some(3))), Err(RetryRefused::NoSuchStage(3)));
    let cancelled = walk(&plan, &open, &[Event::CancelRequested]);
    assert_eq!(cancelled.status(&plan), ItemStatus::Cancelled);
    assert_eq!(cancelled.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::Cancelled));
    let failed = walk(&plan, &open, &[Event::Claimed, finished(0, failure(Retryability::Permanent))]);
    let missing = RetryRefused::MissingInput { stage: "s1".to_owned(), need: "s0".to_owned() };
    assert_eq!(failed.can_retry(&plan, &Retry::from(Some(1))), Err(missing));
    assert!(refused(&plan, &failed, Decision::Retry(Retry::from(Some(1)))).contains("`s1` needs `s0`"));
    let last = ItemMachine { round: 3, ..machine.clone() };
    assert_eq!(last.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::NoRoundsLeft { rounds: 3 }));
    let one_left = ItemMachine { round: 2, ..machine };
    assert_eq!(one_left.can_retry(&plan, &Retry::from(None)), Ok(1));
}

#[test]
fn a_retry_of_single_stages_keeps_what_is_done_after_them() {
    let plan = plan(vec![work(&[]), work(&[0]), work(&[1])]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed, done(0), done(1), done(2)]);
    let again = |only: &[usize]| Retry { only: only.to_vec(), ..Retry::default() };
    assert_eq!(machine.can_retry(&plan, &again(&[1])), Ok(1));
    let event = Event::Decided { decision: Decision::Retry(again(&[1])) };
    let middle = step(&plan, &machine, &event).next;
    let kept = StageState::Done { result: result() };
    assert_eq!(middle.stages, [kept.clone(), StageState::Ready { attempt: 1 }, kept.clone()]);
    let end = walk(&plan, &middle, &[Event::Claimed, done(1)]);
    assert_eq!((end.status(&plan), end.round), (ItemStatus::Succeeded, 2));
    // What stands between two is done again with them.
    let event = Event::Decided { decision: Decision::Retry(again(&[2, 0])) };
    let both = step(&plan, &machine, &event).next;
    assert_eq!(both.stages, [StageState::Ready { attempt: 1 }, StageState::Blocked, StageState::Blocked]);
    let failed = [Event::Claimed, finished(0, failure(Retryability::Permanent))];
    let failed = walk(&plan, &ItemMachine::new(item(), &plan), &failed);
    let missing = RetryRefused::MissingInput { stage: "s1".to_owned(), need: "s0".to_owned() };
    assert_eq!(failed.can_retry(&plan, &again(&[1])), Err(missing));
    assert_eq!(failed.can_retry(&plan, &again(&[0, 1])), Ok(0));
    assert_eq!(machine.can_retry(&plan, &again(&[3])), Err(RetryRefused::NoSuchStage(3)));
    let both = Retry { from: Some(0), ..again(&[1]) };
    assert_eq!(machine.can_retry(&plan, &both), Err(RetryRefused::FromAndOnly));
}

#[test]
fn a_stage_that_is_left_out_stays_done_or_is_passed_over() {
    let (plan, machine) = rejected_item();
    let skipping = |skip: &[usize]| Event::Decided {
        decision: Decision::Retry(Retry { skip: skip.to_vec(), revision: 3, ..Retry::from(Some(0)) }),
    };
    let again = step(&plan, &machine, &skipping(&[1])).next;
    assert_eq!(again.stages[1], StageState::Skipped { why: Why::NotRepeated, result: Some(result()) });
    assert_eq!((again.stages[0].clone(), again.revision), (StageState::Ready { attempt: 1 }, 3));
    let end = walk(&plan, &again, &[Event::Claimed, done(0), done(2)]);
    assert_eq!((end.status(&plan), end.revision), (ItemStatus::Succeeded, 3));
    let kept = step(&plan, &end, &skipping(&[2])).next;
    assert_eq!(kept.stages[2], StageState::Done { result: result() });
    let never = step(&plan, &machine, &skipping(&[2])).next;
    assert_eq!(never.stages[2], StageState::Skipped { why: Why::NotRepeated, result: None });
    let nothing = Retry { skip: vec![3], ..Retry::default() };
    assert_eq!(machine.can_retry(&plan, &nothing), Err(RetryRefused::NoSuchStage(3)));
}

#[test]
fn a_decision_expands_nothing_the_next_claim_does() {
    let plan = plan(vec![check(&[]), work(&[0]).expand(2)]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed, rejected(0)]);
    let approved = step(&plan, &machine, &APPROVE);
    assert!(approved.children.is_empty());
    assert_eq!((approved.next.expanded, approved.next.status(&plan)), (None, ItemStatus::Pending));
    let claimed = step(&plan, &approved.next, &Event::Claimed);
    assert_eq!((claimed.children.len(), claimed.next.expanded), (2, Some(2)));
}

#[test]
fn a_filtered_item_is_not_retried() {
    let plan = plan(vec![work(&[]).when("no.go")]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed]);
    assert_eq!(machine.status(&plan), ItemStatus::Filtered);
    assert_eq!(machine.can_retry(&plan, &Retry::from(None)), Err(RetryRefused::Filtered));
}

#[test]
fn a_retry_also_walks_what_failed_or_never_started_beside_it() {
    let plan = plan(vec![work(&[]), work(&[]), work(&[1]), work(&[0]).when("no.go"), work(&[0])]);
    let events = [Event::Claimed, done(0), finished(1, failure(Retryability::Permanent)), done(4)];
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &events);
    assert_eq!(machine.status(&plan), ItemStatus::Failed);
    let again = step(&plan, &machine, &retry(Some(4)));
    assert_eq!(again.next.stages[1], StageState::Ready { attempt: 1 });
    assert_eq!(again.next.stages[2], StageState::Blocked);
    assert_eq!(again.next.stages[3], StageState::Skipped { why: Why::Condition, result: None });
    assert_eq!(again.next.stages[4], StageState::Ready { attempt: 1 });
}

#[test]
fn a_round_that_ends_at_once_says_so() {
    let mut plan = plan(vec![work(&[]), work(&[0]).when("yes.go")]);
    let machine = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed, done(0), done(1)]);
    plan.stages[1].when = Some(Condition::parse("gone.go").unwrap());
    let again = step(&plan, &machine, &retry(Some(1)));
    assert_eq!(again.events.last(), Some(&ItemEvent::Ended { status: ItemStatus::Undecided }));
}

#[test]
fn skip_and_use_input_tell_in_the_record_what_was_done_and_why() {
    for (policy, why) in [(OnFailure::Skip, Why::Failure), (OnFailure::UseInput, Why::InputUsed)] {
        let plan = plan(vec![work(&[]).on_failure(policy), work(&[0])]);
        let open = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed]);
        let passed = step(&plan, &open, &finished(0, failure(Retryability::Refused)));
        assert_eq!(passed.next.stages[0], StageState::Skipped { why, result: None });
        assert_eq!(passed.next.stages[1], StageState::Running { attempt: 1, resume: None });
        let told = passed.events.iter().any(|event| {
            matches!(event, ItemEvent::StageSkipped { failure: Some(failure), .. } if failure.message == "down")
        });
        assert!(told, "{:?}", passed.events);
    }
}

#[test]
fn a_check_that_could_not_be_made_is_undecided_and_one_that_cannot_tell_keeps_its_result() {
    let plan = plan(vec![check(&[])]);
    let open = walk(&plan, &ItemMachine::new(item(), &plan), &[Event::Claimed]);
    let outage = step(&plan, &open, &finished(0, failure(Retryability::Permanent))).next;
    assert!(matches!(
        &outage.stages[0],
        StageState::Stopped { stop: Stop::Undecided { failure: Some(_) }, result: None }
    ));
    let verdict = Verdict::Uncertain { reason: Reason::new("grey", "grey") };
    let unsure = step(&plan, &open, &finished(0, Outcome::Judged { result: result(), verdict })).next;
    let kept = StageState::Stopped { stop: Stop::Undecided { failure: None }, result: Some(result()) };
    assert_eq!(unsure.stages[0], kept);
}

#[test]
fn a_last_try_that_fails_in_passing_after_a_stop_is_no_verdict() {
    for retry in [Retryability::Transient, Retryability::Throttled { after: None }] {
        let plan = plan(vec![check(&[]), work(&[]).attempts(1)]);
        let events = [Event::Claimed, rejected(0), finished(1, failure(retry))];
        let machine = walk(&plan, &ItemMachine::new(item(), &plan), &events);
        assert_eq!(machine.stages[1], StageState::Skipped { why: Why::ItemStopped, result: None });
        assert_eq!(machine.status(&plan), ItemStatus::Rejected);
    }
}
