//! The options of a whole job.

use std::sync::atomic::Ordering;

use pipeline_core::executor::{Decision, Event, Retry, RetryRefused, StageState, Wait};
use pipeline_core::expression::Facts;
use pipeline_core::model::{ItemStatus, JobStatus, Money};
use pipeline_core::settings::JOB_SECTION;
use pipeline_core::storage::{BudgetKey, CallQuery};
use pipeline_core::time::Timestamp;
use serde_json::{Value, json};

use crate::bench::{Bench, request};
use crate::registry::observed;

observed! { JOB_SECTION => {
    "seed" => the_seed_decides_every_random_choice,
    "cache" = "off" => every_call_is_made,
    "cache" = "exact" => a_request_that_was_answered_before_is_not_made_again,
    "concurrency" => no_more_items_are_in_work_at_once_than_the_concurrency_says,
    "max_cost" => a_call_of_unknown_price_reserves_and_costs_what_it_may_cost_at_most,
    "max_items" => a_job_of_more_items_is_refused,
    "max_rounds" => an_item_has_no_more_rounds_than_allowed,
} }

async fn the_seed_decides_every_random_choice() {
    let bench = Bench::new();
    let make = |seed: Value| {
        let settings = json!({"generate": {"sizes": ["128x128"]}, "job": {"seed": seed}});
        let run = bench.words(&["text.prompt", "image.generate"], &["fox"], settings);
        async move {
            let run = run.await;
            (run.fields("prompt", "prompt"), run.fields("generate", "seed"), run.file(0, "generate").digest)
        }
    };
    let (one, again, other) = (make(json!(1)).await, make(json!(1)).await, make(json!(2)).await);
    assert_eq!(one, again);
    assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2, "{one:?} and {other:?}");
    assert_ne!(make(Value::Null).await, make(Value::Null).await, "without one the engine draws a new one each time");
}

async fn no_more_items_are_in_work_at_once_than_the_concurrency_says() {
    let keywords: Vec<String> = (0..6).map(|n| format!("{n} slow:150")).collect();
    let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
    let most = async |concurrency: Value| {
        let bench = Bench::new();
        let settings = json!({"prompt": {"provider": "fake"}, "job": {"concurrency": concurrency}});
        let run = bench.words(&["text.prompt"], &keywords, settings).await;
        assert_eq!(run.job.counts.succeeded, 6);
        bench.seen.most.load(Ordering::SeqCst)
    };
    assert_eq!(most(json!(1)).await, 1);
    assert_eq!(most(json!(2)).await, 2);
    assert_eq!(most(Value::Null).await, 6, "absent leaves it to the engine, which has room for eight here");
}

#[tokio::test]
async fn the_variations_of_one_generation_count_as_items_too() {
    for (concurrency, expected) in [(json!(1), 1), (json!(2), 2), (Value::Null, 4)] {
        let bench = Bench::new();
        let settings = json!({
            "generate": {"provider": "fake", "variations": 4, "sizes": ["64x64"]},
            "metadata": {"provider": "fake"},
            "job": {"concurrency": concurrency},
        });
        let run = bench.words(&["text.prompt", "image.generate", "image.metadata"], &["fox slow:100"], settings).await;
        assert_eq!(run.job.counts.succeeded, 4);
        assert_eq!(bench.seen.most.load(Ordering::SeqCst), expected);
    }
}

/// Returns how many calls the second of two jobs with the same requests makes.
async fn calls_of_a_repeat(settings: Value) -> usize {
    let bench = Bench::new();
    let job = async |settings: &Value| {
        let generate = json!({"provider": "unpriced", "sizes": ["64x64"]});
        let settings = json!({"job": settings, "generate": generate});
        let run = bench.words(&["text.prompt", "image.generate"], &["fox", "owl"], settings).await;
        assert_eq!(run.job.counts.succeeded, 2);
        let query = CallQuery { job: Some(run.job.id), ..CallQuery::default() };
        bench.engine.store().calls(query).await.unwrap().len()
    };
    assert_eq!(job(&json!({})).await, 2);
    job(&settings).await
}

async fn every_call_is_made(off: &str) {
    assert_eq!(calls_of_a_repeat(json!({"cache": off})).await, 2);
    assert_eq!(calls_of_a_repeat(json!({})).await, 2, "unless it is asked for");
}

async fn a_request_that_was_answered_before_is_not_made_again(exact: &str) {
    assert_eq!(calls_of_a_repeat(json!({"cache": exact})).await, 0);
    assert_eq!(calls_of_a_repeat(json!({"cache": exact, "seed": 8})).await, 2, "another seed is another request");
}

async fn a_call_of_unknown_price_reserves_and_costs_what_it_may_cost_at_most() {
    let bench = Bench::new();
    let job = |most: Value| {
        let generate = json!({"provider": "unpriced", "sizes": ["64x64"]});
        let settings = json!({"job": {"max_cost": most, "concurrency": 1}, "generate": generate});
        let request = request(&["source.keywords", "text.prompt", "image.generate"], &[], settings);
        request.keywords(["a", "b", "c"]).budget(Money::from_micros(50_000))
    };
    let error = bench.submit(job(Value::Null)).await.unwrap_err().to_string();
    assert!(error.contains("generate") && error.contains("unpriced") && error.contains("--max-cost"), "{error}");
    for (most, bought) in [(0.02, 2), (0.05, 1), (0.01, 3), (0.06, 0)] {
        let run = bench.submit(job(json!(most))).await.unwrap();
        assert_eq!(run.job.counts.succeeded, bought, "{most}");
        let budget = run.job.budget.unwrap();
        assert_eq!(budget.spent, Money::from_micros((most * 1e6) as i64 * bought as i64));
        assert_eq!((budget.reserved, budget.closed.is_some()), (Money::ZERO, bought < 3));
        if bought < 3 {
            let waits = |state: &StageState| matches!(state, StageState::Waiting { attempt: 1, on: Wait::Gate { key }, .. } if key.starts_with("budget:job:"));
            let mut waiting = run.items.iter().filter(|item| item.status == ItemStatus::Waiting).peekable();
            assert!(
                waiting.peek().is_some() && waiting.all(|item| item.machine.stages.iter().any(waits)),
                "no try is used"
            );
            bench.engine.set_budget(BudgetKey::Job(run.job.id), Some(Money::from_micros(500_000))).await.unwrap();
            bench.engine.run_until_idle().await.unwrap();
            let job = bench.engine.job(run.job.id).await.unwrap();
            assert_eq!((job.status, job.counts.succeeded), (JobStatus::Completed, 3), "it goes on when raised");
        }
    }
}

async fn a_job_of_more_items_is_refused() {
    let bench = Bench::new();
    let job = |most: u64, variations: u32| {
        let generate = json!({"variations": variations, "sizes": ["128x128"]});
        let settings = json!({"job": {"max_items": most}, "generate": generate});
        request(&["source.keywords", "text.prompt", "image.generate"], &[], settings).keywords(["a", "b", "c"])
    };
    assert_eq!(bench.submit(job(6, 2)).await.unwrap().job.counts.planned, 6);
    for (most, variations) in [(2, 1), (5, 2)] {
        let error = bench.submit(job(most, variations)).await.unwrap_err().to_string();
        assert!(error.contains("job.max_items") && error.contains(&most.to_string()), "{error}");
    }
}

async fn an_item_has_no_more_rounds_than_allowed() {
    let bench = Bench::new();
    for most in [1, 2, 4] {
        let run = bench.words(&["text.prompt"], &["fox"], json!({"job": {"max_rounds": most}})).await;
        let mut machine = run.items[0].machine.clone();
        let ended = machine.stages.clone();
        for round in 1..most {
            assert_eq!(machine.round, round);
            assert_eq!(machine.can_retry(&run.plan, &Retry::from(None)), Ok(0));
            let retry = Event::Decided { decision: Decision::Retry(Retry::from(None)) };
            let now = Timestamp::from_micros(0);
            machine = machine.step(&run.plan, &Facts::new(), now, 0, &retry).unwrap().next;
            machine.stages.clone_from(&ended);
        }
        assert_eq!(machine.can_retry(&run.plan, &Retry::from(None)), Err(RetryRefused::NoRoundsLeft { rounds: most }));
    }
}
