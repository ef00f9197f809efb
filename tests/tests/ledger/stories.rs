//! The story of an item and the table of the stages agree with what happened.

use pipeline::core::executor::Retry;
use pipeline::core::model::{FailureCode, ItemStatus, Money};
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{CallState, Reviewer};
use pipeline::engine::story::{Action, Began, ItemStory, StepKind};
use pipeline::engine::{RetryRequest, Wish};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, pictures, run};

on_both_stores!(
    a_story_tells_rounds_conditions_calls_and_what_can_be_done,
    a_failure_is_told_with_its_code_and_what_helps,
);

const SPLIT: &str = r#"
name = "split"

[stages.keywords]
kind = "source.keywords"

[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]

[stages.generate]
kind = "image.generate"
needs = ["prompt"]
when = "prompt.prompt.contains('heron')"

[stages.process]
kind = "image.process"
needs = ["generate"]
"#;

/// The steps of a round as words.
fn words(story: &ItemStory, round: usize) -> Vec<String> {
    let word = |what: &StepKind| match what {
        StepKind::Condition { answer, .. } => format!("condition {answer:?}"),
        StepKind::Call { state, .. } => format!("call {state}"),
        StepKind::Result { .. } => "done".to_owned(),
        StepKind::Skipped { why, .. } => format!("skipped {why:?}"),
        StepKind::Stopped { .. } => "stopped".to_owned(),
        StepKind::Retrying { attempt, .. } => format!("retrying after {attempt}"),
        StepKind::Expanded { children } => format!("expanded {children}"),
        StepKind::Ended { status } => format!("ended {status}"),
        StepKind::Waited { .. } => "waited".to_owned(),
        StepKind::Recovered { .. } => "recovered".to_owned(),
        StepKind::Discarded { .. } => "discarded".to_owned(),
    };
    let steps = story.rounds[round].steps.iter();
    steps
        .map(|step| {
            let stage = step.stage.as_ref().map(|stage| format!("{stage} ")).unwrap_or_default();
            let parent = if step.of_parent { "parent: " } else { "" };
            format!("{parent}{stage}{}", word(&step.what))
        })
        .collect()
}

async fn a_story_tells_rounds_conditions_calls_and_what_can_be_done(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().idempotent().replies([Reply::Status(500)])).await;
    let engine = shop.engine(Repeat::Idempotent);
    let mut request = JobRequest::toml("split.toml", SPLIT).keywords(["a heron", "a stone"]).owner("ann");
    let settings = [
        ("generate.provider", json!("vendor")),
        ("generate.sizes", json!(["64x64"])),
        ("generate.variations", json!(2)),
        ("job.concurrency", json!(1)),
    ];
    for (name, value) in settings {
        request = request.set(name, value).unwrap();
    }
    let job = engine.submit(request).await.unwrap();
    run(&engine).await;
    let items = shop.items(job.id).await;
    let told = engine.story(items[0].id).await.unwrap();
    assert!(matches!(&told.rounds[0].began, Began::Submit { owner } if owner == "ann"));
    assert_eq!(told.rounds.len(), 1);
    let steps = words(&told, 0);
    let (first, rest) = steps.split_at(4);
    assert_eq!(
        first,
        [
            "parent: keywords done",
            "parent: prompt done",
            "parent: generate condition Some(true)",
            "parent: generate expanded 2"
        ]
    );
    let (last, middle) = rest.split_last().unwrap();
    assert_eq!(last, "ended succeeded");
    assert!(middle.contains(&"generate call succeeded".to_owned()), "{middle:?}");
    assert_eq!(middle.iter().filter(|step| step.ends_with("done")).count(), 2, "{middle:?}");
    let saw = told.rounds[0].steps.iter().find_map(|step| match &step.what {
        StepKind::Condition { condition, saw, .. } => Some((condition.clone().unwrap(), saw["prompt.prompt"].clone())),
        _ => None,
    });
    let (condition, prompt) = saw.unwrap();
    assert!(condition.contains("heron") && prompt.as_str().unwrap().contains("heron"), "{condition}: {prompt}");
    // The other one was kept out, and says by what.
    let kept_out = items.iter().find(|item| item.status == ItemStatus::Filtered).unwrap();
    let told = engine.story(kept_out.id).await.unwrap();
    assert_eq!((told.ending.stage.as_ref().unwrap().as_str(), told.ending.condition.is_some()), ("generate", true));
    let steps = words(&told, 0);
    assert!(steps.contains(&"generate condition Some(false)".to_owned()), "{steps:?}");
    assert!(steps.contains(&"generate skipped Condition".to_owned()), "{steps:?}");
    let retry = told.next.iter().find(|next| next.action == Action::Retry).unwrap();
    assert!(!retry.can && retry.detail.contains("filtered by a condition"), "{retry:?}");
    // Another round.
    let by = Reviewer { actor: "bob".to_owned(), reason: Some("soft".to_owned()) };
    let again = Wish::Retry(RetryRequest { from: Some("process".to_owned()), ..RetryRequest::default() });
    engine.review(job.id, &items[..1], &again, &by, false).await.unwrap();
    run(&engine).await;
    let told = engine.story(items[0].id).await.unwrap();
    let began = &told.rounds[1].began;
    assert!(
        matches!(began, Began::Retry { from: Some(from), by: Some(who), .. } if from.as_str() == "process" && *who == by)
    );
    assert_eq!(words(&told, 1), ["process done", "ended succeeded"]);
    assert_eq!(told.rounds[1].settings_hash, told.rounds[0].settings_hash);
    assert!(told.item.machine.can_retry(&engine.store().plan(job.id).await.unwrap().plan, &Retry::default()).is_ok());
    let retry = told.next.iter().find(|next| next.action == Action::Retry).unwrap();
    assert!(retry.can && retry.detail.contains("round 3 of 3"), "{retry:?}");
    // The table of the stages: counted in leaves, and the failed try is one.
    let stages = engine.stages(&engine.job(job.id).await.unwrap()).await.unwrap().stages;
    let of = |name: &str| stages.iter().find(|stage| stage.stage.as_str() == name).unwrap();
    assert_eq!((of("generate").states["done"], of("generate").states["skipped"]), (2, 2));
    assert_eq!((of("process").times.as_ref().unwrap().count, of("process").attempts), (3, 3));
    let spent = Money::from_micros(shop.vendor.charges().micros);
    assert!(spent > Money::ZERO);
    assert_eq!((of("generate").spent, of("generate").reserved, told.called), (spent, Money::ZERO, spent));
    let failed: u64 = of("generate").failures.iter().map(|failure| failure.count).sum();
    assert_eq!(of("generate").attempts, 2 + failed);
    for stage in &stages {
        assert_eq!(stage.states.values().sum::<u64>(), 4, "every leaf is counted once: {stage:?}");
    }
}

async fn a_failure_is_told_with_its_code_and_what_helps(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().otherwise(Reply::Refused)).await;
    let engine = shop.engine(Repeat::Idempotent);
    let job = engine.submit(pictures(&[])).await.unwrap();
    run(&engine).await;
    let item = shop.items(job.id).await.remove(0);
    let told = engine.story(item.id).await.unwrap();
    let failure = told.ending.failure.as_ref().unwrap();
    assert_eq!((failure.failure.code, failure.advice.support), (FailureCode::Port(ErrorKind::Refused), "P108"));
    assert!(told.rounds[0].steps.iter().any(
        |step| matches!(&step.what, StepKind::Call { state: CallState::Failed, failure: Some(why), .. } if why.advice.code == "refused")
    ));
    let can = |action| told.next.iter().find(|next| next.action == action).unwrap().can;
    assert_eq!(
        (can(Action::Retry), can(Action::Approve), can(Action::Discard), can(Action::Rerun)),
        (true, false, true, true)
    );
    assert_eq!(engine.job(job.id).await.unwrap().counts.failed, 1, "asking what can be done has changed nothing");
    let stages = engine.stages(&engine.job(job.id).await.unwrap()).await.unwrap().stages;
    let generate = stages.iter().find(|stage| stage.stage.as_str() == "generate").unwrap();
    assert_eq!((generate.failures.len(), generate.failures[0].count, generate.failures[0].example), (1, 1, item.id));
}
