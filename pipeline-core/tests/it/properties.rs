//! What holds for every walk, over random plans, outcomes, orders, crashes, cancellations and decisions.

use pipeline_core::Retryability;
use pipeline_core::executor::{
    Decision, Effect, Event, IllegalTransition, ItemEvent, ItemMachine, Outcome, Resume, Retry, StageState, Stop, Wait,
    Why,
};
use pipeline_core::model::{FailureCode, ItemStatus};
use pipeline_core::time::Timestamp;
use proptest::prelude::*;

use crate::plans::{any_plan, result};
use crate::world::{Step, World, failure};

fn any_choices() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..160)
}

fn any_walk() -> impl Strategy<Value = World> {
    (any_plan(), any_choices()).prop_map(|(plan, choices)| {
        let world = World::walk(plan, choices, Vec::new());
        assert!(world.ended, "the walk does not end: {world:?}");
        world
    })
}

fn runs(step: &Step) -> impl Iterator<Item = (usize, u32, bool)> + '_ {
    step.transition.effects.iter().filter_map(|effect| match effect {
        Effect::Run { stage, attempt, resume } => Some((*stage, *attempt, resume.is_some())),
        Effect::Abort { .. } => None,
    })
}

fn passed(state: &StageState) -> bool {
    match state {
        StageState::Done { .. } => true,
        StageState::Skipped { why, .. } => why.passes(),
        _ => false,
    }
}

fn kept_out(state: &StageState) -> bool {
    matches!(state, StageState::Skipped { why: Why::Condition | Why::Upstream, .. })
}

fn any_event() -> impl Strategy<Value = Event> {
    let stage = 0_usize..9;
    let outcome = prop_oneof![
        Just(Outcome::Output { result: result() }),
        Just(Outcome::Judged { result: result(), verdict: pipeline_core::model::Verdict::Pass }),
        Just(failure(Retryability::Transient)),
        Just(failure(Retryability::Permanent)),
    ];
    prop_oneof![
        Just(Event::Claimed),
        Just(Event::CancelRequested),
        any::<bool>().prop_map(|released| Event::Woke { released }),
        (stage.clone(), 0_u32..5, outcome).prop_map(|(stage, attempt, outcome)| Event::Finished {
            stage,
            attempt,
            outcome
        }),
        (stage.clone(), 0_u32..5).prop_map(|(stage, attempt)| {
            Event::Deferred { stage, attempt, wait: Wait::Gate { key: "gate".to_owned() } }
        }),
        (stage.clone(), 0_u32..5).prop_map(|(stage, attempt)| {
            Event::Suspended { stage, attempt, resume: Resume("task".to_owned()), poll_at: Timestamp::EPOCH }
        }),
        proptest::option::of(stage).prop_map(|from| Event::Decided { decision: Decision::Retry(Retry::from(from)) }),
        Just(Event::Decided { decision: Decision::Approve }),
        Just(Event::Decided { decision: Decision::Discard }),
    ]
}

proptest! {
    #[test]
    fn every_walk_ends(plan in any_plan(), choices in any_choices()) {
        let world = World::walk(plan, choices, Vec::new());
        prop_assert!(world.ended);
        prop_assert_eq!(world.totals().0.open(), 0);
    }

    #[test]
    fn an_ended_item_changes_only_by_a_decision(world in any_walk()) {
        for step in world.log.iter().filter(|step| step.before.is_ended()) {
            if !matches!(step.event, Event::Decided { .. }) {
                prop_assert!(step.transition.ignored);
            }
            if step.transition.ignored || matches!(step.event, Event::Decided { decision: Decision::Discard }) {
                prop_assert_eq!(&step.before, &step.transition.next);
                prop_assert!(step.transition.effects.is_empty() && step.transition.children.is_empty());
            }
        }
    }

    #[test]
    fn attempts_stay_within_the_policy(world in any_walk()) {
        for step in &world.log {
            for (stage, attempt, _) in runs(step) {
                prop_assert!((1..=world.plan.stages[stage].policy.max_attempts).contains(&attempt));
            }
        }
    }

    #[test]
    fn only_a_failed_try_uses_up_an_attempt(world in any_walk()) {
        for step in &world.log {
            for (stage, attempt, _) in runs(step) {
                let failed = world.log.iter().take_while(|other| !std::ptr::eq(*other, step)).filter(|other| {
                    other.item == step.item && other.before.round == step.before.round && other.transition.events.iter()
                        .any(|e| matches!(e, ItemEvent::StageRetrying { stage: name, .. } if *name == world.plan.stages[stage].name))
                });
                let inherited = match world.first[&step.item].stages[stage] {
                    StageState::Ready { attempt } if world.first[&step.item].round == step.before.round => attempt - 1,
                    _ => 0,
                };
                prop_assert_eq!(attempt, 1 + inherited + failed.count() as u32);
            }
        }
    }

    #[test]
    fn the_third_crash_in_a_round_is_a_dead_letter(world in any_walk()) {
        for step in &world.log {
            let interrupted = step.before.stages.iter().any(|s| matches!(s, StageState::Running { .. }));
            let crash = interrupted && step.event == Event::Claimed;
            let next = &step.transition.next;
            if next.round == step.before.round {
                prop_assert_eq!(next.crashes, step.before.crashes + u32::from(crash));
            } else {
                prop_assert_eq!(next.crashes, 0);
            }
            prop_assert!(next.crashes <= 3);
            let dead = next.stages.iter().any(|state| matches!(state, StageState::Stopped {
                stop: Stop::Failed { failure }, .. } if failure.code == FailureCode::CrashLoop));
            if crash {
                prop_assert_eq!(dead, next.crashes == 3);
            }
            for child in &step.transition.children {
                prop_assert_eq!(child.machine.crashes, 0);
            }
        }
    }

    #[test]
    fn replaying_the_log_gives_the_live_machines(world in any_walk()) {
        let mut replayed = world.first.clone();
        for step in &world.log {
            let machine = &replayed[&step.item];
            let again = machine.step(&world.plan, &world.facts, step.now, step.draw, &step.event);
            prop_assert_eq!(again.as_ref(), Ok(&step.transition));
            replayed.insert(step.item, again.unwrap().next);
        }
        prop_assert_eq!(replayed, world.store);
    }

    #[test]
    fn counts_reconcile_and_planned_never_changes(world in any_walk()) {
        let planned = u64::from(world.plan.leaves_per_item());
        for step in &world.log {
            prop_assert!(step.counts.reconciles());
            prop_assert_eq!(step.counts.planned, planned);
        }
    }

    #[test]
    fn children_take_all_leaves_of_their_parent(world in any_walk()) {
        for step in world.log.iter().filter(|step| !step.transition.children.is_empty()) {
            let children = &step.transition.children;
            prop_assert_eq!(step.transition.next.leaves, 0);
            prop_assert_eq!(step.transition.next.expanded, Some(children.len() as u32));
            prop_assert_eq!(children.iter().map(|c| c.machine.leaves).sum::<u32>(), step.before.leaves);
            for (slot, child) in children.iter().enumerate() {
                prop_assert_eq!((child.slot as usize, child.machine.slot() as usize), (slot, slot));
                prop_assert_eq!(child.id, child.machine.id);
                prop_assert_eq!(child.machine.steps(), step.transition.next.steps());
            }
        }
    }

    #[test]
    fn a_lost_commit_or_acknowledgement_changes_nothing(
        plan in any_plan(),
        choices in proptest::collection::vec(any::<u16>(), 0..120),
        fates in proptest::collection::vec(0_u8..4, 0..120),
    ) {
        let smooth = World::walk(plan.clone(), choices.clone(), Vec::new());
        let rough = World::walk(plan, choices, fates);
        prop_assert_eq!(smooth.store, rough.store);
        prop_assert_eq!(smooth.log, rough.log);
    }

    #[test]
    fn nothing_starts_after_a_stop(world in any_walk()) {
        for step in &world.log {
            let next = &step.transition.next;
            if next.stop().is_some() || next.cancelled {
                prop_assert!(runs(step).all(|(_, _, resumed)| resumed));
                prop_assert!(step.transition.children.is_empty());
                for state in &next.stages {
                    let startable = matches!(
                        state,
                        StageState::Blocked | StageState::Ready { .. } | StageState::Waiting { resume: None, .. }
                    );
                    prop_assert!(!startable, "{:?}", state);
                }
            }
        }
    }

    #[test]
    fn a_stage_starts_only_when_its_needs_are_passed(world in any_walk()) {
        for step in &world.log {
            for (stage, _, _) in runs(step) {
                let stages = &step.transition.next.stages;
                let resumed_after_stop = step.transition.next.stop().is_some();
                prop_assert!(resumed_after_stop || world.plan.stages[stage].needs.iter().all(|n| passed(&stages[*n])));
                prop_assert!(world.plan.stages[stage].enabled);
            }
        }
    }

    #[test]
    fn a_condition_keeps_out_all_that_follows_and_a_disabled_stage_nothing(world in any_walk()) {
        for machine in world.store.values() {
            for (state, stage) in machine.stages.iter().zip(&world.plan.stages) {
                let follows = stage.needs.iter().any(|need| kept_out(&machine.stages[*need]));
                prop_assert_eq!(matches!(state, StageState::Skipped { why: Why::Upstream, .. }) && !follows, false);
                if follows {
                    prop_assert!(!passed(state), "{:?}", state);
                }
                if matches!(state, StageState::Skipped { why: Why::Disabled, .. }) {
                    prop_assert!(!stage.enabled && stage.needs.iter().all(|need| passed(&machine.stages[*need])));
                }
            }
        }
    }

    #[test]
    fn a_machine_survives_json(world in any_walk()) {
        for machine in world.log.iter().map(|step| &step.transition.next).chain(world.store.values()) {
            let text = serde_json::to_string(machine).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ItemMachine>(&text).unwrap(), machine);
        }
    }

    #[test]
    fn an_event_survives_json(event in any_event()) {
        let text = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }

    #[test]
    fn progress_never_goes_back_within_a_round(world in any_walk()) {
        let mut last = 0;
        for step in &world.log {
            if step.transition.next.round == step.before.round {
                prop_assert!(step.transition.next.steps() >= step.before.steps());
                prop_assert!(step.steps >= last);
            }
            last = step.steps;
        }
    }

    #[test]
    fn max_rounds_bounds_the_retries(world in any_walk()) {
        for step in &world.log {
            let began = step.transition.next.round - step.before.round;
            match step.event {
                Event::Decided { decision: Decision::Retry(_) } => {
                    prop_assert_eq!(began, 1);
                    prop_assert!(step.transition.next.round <= world.plan.max_rounds);
                }
                Event::Decided { decision: Decision::Approve } => prop_assert_eq!(began, 1),
                _ => prop_assert_eq!(began, 0),
            }
        }
    }

    #[test]
    fn any_event_in_any_state_is_answered_the_same_way_twice(world in any_walk(), events in proptest::collection::vec(any_event(), 1..8)) {
        for machine in world.log.iter().map(|step| &step.transition.next).chain(world.first.values()) {
            for event in &events {
                let step = || machine.step(&world.plan, &world.facts, Timestamp::EPOCH, 3, event);
                let (one, two) = (step(), step());
                prop_assert_eq!(&one, &two);
                if let Err(IllegalTransition { reason, .. }) = one {
                    prop_assert!(!reason.is_empty());
                }
            }
        }
    }

    #[test]
    fn what_a_suspended_try_goes_on_from_is_never_lost_by_waiting(world in any_walk()) {
        for step in &world.log {
            let (stage, waits) = match &step.event {
                Event::Deferred { stage, .. } => (*stage, true),
                Event::Finished { stage, outcome: Outcome::Failure { failure }, .. } => {
                    (*stage, matches!(failure.retry, Retryability::Throttled { .. }))
                }
                _ => continue,
            };
            if let StageState::Running { resume: Some(kept), attempt } = &step.before.stages[stage]
                && waits && !step.transition.ignored
            {
                let next = &step.transition.next.stages[stage];
                let same = matches!(next, StageState::Waiting { resume: Some(r), attempt: a, .. } if r == kept && a == attempt);
                prop_assert!(same, "{:?}", next);
            }
        }
    }

    #[test]
    fn an_open_item_is_due_or_waits_for_something_outside(world in any_walk()) {
        for step in &world.log {
            let machine = &step.transition.next;
            let due = machine.due(&world.plan, step.now);
            if machine.is_ended() {
                prop_assert_eq!(due, None);
                continue;
            }
            let status = machine.status(&world.plan);
            if status == ItemStatus::Waiting {
                let gated = machine.stages.iter().any(|state| {
                    matches!(state, StageState::Waiting { on: Wait::Gate { .. }, .. })
                });
                // The store knows when a gate opens; time is not in the way.
                prop_assert_eq!(due, if gated { Some(step.now) } else { machine.wake_at() });
                let outside = machine.stages.iter().any(|state| matches!(state, StageState::Waiting {
                    on: Wait::Gate { .. } | Wait::Call { .. } | Wait::Person { .. }, .. }));
                prop_assert!(due.is_some() || outside);
            } else {
                prop_assert_eq!(due, Some(step.now));
            }
        }
    }

    #[test]
    fn the_end_is_told_once_for_each_round(world in any_walk()) {
        for step in &world.log {
            let next = &step.transition.next;
            let newly = !step.before.is_ended() || next.round != step.before.round;
            let ends = newly && next.is_ended() && next.expanded.is_none();
            let told: Vec<_> = step.transition.events.iter().filter_map(|event| match event {
                ItemEvent::Ended { status } => Some(*status),
                _ => None,
            }).collect();
            prop_assert_eq!(told, if ends { vec![next.status(&world.plan)] } else { Vec::new() });
        }
    }

    #[test]
    fn an_ignored_event_changes_and_tells_nothing(world in any_walk()) {
        for step in world.log.iter().filter(|step| step.transition.ignored) {
            prop_assert_eq!(&step.before, &step.transition.next);
            prop_assert!(step.transition.effects.is_empty() && step.transition.events.is_empty());
        }
    }
}
