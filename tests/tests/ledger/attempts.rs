//! Which failure counts as a try, which ends the item, and as what.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::core::executor::ItemEvent;
use pipeline::core::model::{Capability, ItemStatus, JobStatus};
use pipeline::core::provider::{ProviderInfo, Repeat, TextModel, TextRequest, TextResponse, Usage};
use pipeline::core::storage::{CallState, EventBody, ItemRecord};
use pipeline::core::{Result, Retryability};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorClient, VendorScript};
use serde_json::{Value, json};

use crate::shop::{Kind, Shop, failure, is_held, pictures, run};

on_both_stores!(
    a_throttled_call_waits_as_long_as_asked_and_does_not_count_as_a_try,
    throttled_siblings_go_on_together,
    a_refused_key_fails_at_once,
    a_refused_prompt_fails_as_refused,
    passing_trouble_is_tried_again_and_counted,
    trouble_that_does_not_pass_uses_up_the_tries,
    a_vendor_that_is_not_there_uses_up_the_tries,
    an_answer_that_makes_no_sense_fails_as_corrupt,
    a_call_that_takes_too_long_is_held_or_repeated_but_never_bought_twice,
    a_free_stage_that_takes_too_long_fails_as_a_timeout,
    a_stage_that_panics_fails_its_item_and_nothing_else,
);

/// Runs one picture against a script and returns the item and how often the stage was tried again.
async fn outcome(shop: &Shop, settings: &[(&str, Value)]) -> (ItemRecord, usize, JobId) {
    let engine = shop.engine(Repeat::Unsafe);
    let job = engine.submit(pictures(settings)).await.unwrap();
    run(&engine).await;
    let retried = |body: &EventBody| matches!(body, EventBody::Item { what: ItemEvent::StageRetrying { .. }, .. });
    let again = shop.events(job.id).await.iter().filter(|event| retried(&event.body)).count();
    (shop.items(job.id).await.remove(0), again, job.id)
}

async fn a_throttled_call_waits_as_long_as_asked_and_does_not_count_as_a_try(kind: Kind) {
    let replies = [Reply::Throttled { after: 1 }, Reply::Throttled { after: 0 }, Reply::Throttled { after: 0 }];
    let shop = Shop::open(kind, VendorScript::new().replies(replies)).await;
    let began = Instant::now();
    let (item, again, job) = outcome(&shop, &[("generate.max_attempts", json!(1))]).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!((item.status, again, shop.vendor.requests().len()), (ItemStatus::Succeeded, 0, 4));
    let calls = shop.calls(job).await;
    assert!(calls.iter().all(|call| call.attempt == 1), "{calls:?}");
    shop.assert_books_agree(job).await;
}

async fn throttled_siblings_go_on_together(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().replies([Reply::Throttled { after: 1 }, Reply::Status(503)])).await;
    let (_, again, job) =
        outcome(&shop, &[("generate.variations", json!(4)), ("generate.max_attempts", json!(2))]).await;
    assert_eq!(shop.store.job(job).await.unwrap().counts.succeeded, 4);
    let asked: Vec<u32> = shop.vendor.requests().iter().map(|request| request.pictures).collect();
    assert_eq!((asked.as_slice(), again), ([4, 4, 4].as_slice(), 4));
}

async fn a_refused_key_fails_at_once(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().key("another")).await;
    let (item, again, job) = outcome(&shop, &[]).await;
    let failure = failure(&item).unwrap();
    assert_eq!((failure.code.as_str(), failure.retry), ("unauthorized", Retryability::Permanent));
    assert_eq!((item.status, again, shop.vendor.requests().len()), (ItemStatus::Failed, 0, 1));
    let calls = shop.calls(job).await;
    assert_eq!((calls.len(), calls[0].attempt, calls[0].state), (1, 1, CallState::Failed));
}

async fn a_refused_prompt_fails_as_refused(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().replies([Reply::Refused])).await;
    let (item, again, _) = outcome(&shop, &[]).await;
    let failure = failure(&item).unwrap();
    assert_eq!((failure.code.as_str(), failure.retry), ("refused", Retryability::Refused));
    assert!(!failure.message.contains("heron"), "{failure:?}");
    assert_eq!((item.status, again, shop.vendor.requests().len()), (ItemStatus::Failed, 0, 1));
}

async fn passing_trouble_is_tried_again_and_counted(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().replies([Reply::Status(500), Reply::Status(503)])).await;
    let (item, again, job) = outcome(&shop, &[("generate.max_attempts", json!(3))]).await;
    assert_eq!((item.status, again), (ItemStatus::Succeeded, 2));
    let calls = shop.calls(job).await;
    let tries: Vec<_> = calls.iter().map(|call| (call.attempt, call.state)).collect();
    assert_eq!(tries, [(1, CallState::Failed), (2, CallState::Failed), (3, CallState::Succeeded)]);
    shop.assert_books_agree(job).await;
}

async fn trouble_that_does_not_pass_uses_up_the_tries(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().otherwise(Reply::Status(500))).await;
    let (item, again, job) = outcome(&shop, &[("generate.max_attempts", json!(2))]).await;
    let failure = failure(&item).unwrap();
    assert_eq!((failure.code.as_str(), failure.retry), ("unavailable", Retryability::Exhausted));
    assert_eq!((item.status, again, shop.vendor.requests().len()), (ItemStatus::Failed, 1, 2));
    assert_eq!(shop.store.job(job).await.unwrap().status, JobStatus::Failed);
}

async fn a_vendor_that_is_not_there_uses_up_the_tries(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let nowhere = VendorClient::new("http://127.0.0.1:1", "key".to_owned().into(), Repeat::Unsafe).unwrap();
    let engine = shop.builder(Repeat::Unsafe).provider("vendor", nowhere).build().unwrap();
    let job = engine.submit(pictures(&[("generate.max_attempts", json!(2))])).await.unwrap();
    run(&engine).await;
    let failure = failure(&shop.items(job.id).await[0]).unwrap();
    assert_eq!((failure.code.as_str(), failure.retry), ("unavailable", Retryability::Exhausted));
    assert!(shop.calls(job.id).await.iter().all(|call| call.state == CallState::Failed));
}

async fn an_answer_that_makes_no_sense_fails_as_corrupt(kind: Kind) {
    for reply in [Reply::Garbage, Reply::WrongShape] {
        let shop = Shop::open(kind, VendorScript::new().replies([reply])).await;
        let (item, again, _) = outcome(&shop, &[]).await;
        assert_eq!(failure(&item).unwrap().code.as_str(), "corrupt");
        assert_eq!((item.status, again, shop.vendor.requests().len()), (ItemStatus::Failed, 0, 1));
    }
}

async fn a_call_that_takes_too_long_is_held_or_repeated_but_never_bought_twice(kind: Kind) {
    for repeat in [Repeat::Unsafe, Repeat::Idempotent] {
        let script = VendorScript::new().idempotent().replies([Reply::Hang { charged: true }]);
        let shop = Shop::open(kind, script).await;
        let engine = shop.engine(repeat);
        let settings = [("generate.timeout_seconds", json!(4)), ("generate.max_attempts", json!(2))];
        let job = engine.submit(pictures(&settings)).await.unwrap();
        run(&engine).await;
        let item = shop.items(job.id).await.remove(0);
        if repeat == Repeat::Unsafe {
            assert!(is_held(&item), "{item:?}");
        } else {
            assert_eq!(item.status, ItemStatus::Succeeded);
            shop.assert_books_agree(job.id).await;
        }
        assert_eq!(shop.vendor.charges().calls, 1);
    }
}

/// Writes prompts slowly, or not at all.
#[derive(Debug)]
struct Writer(ProviderInfo, fn(&str));

impl Writer {
    fn new(act: fn(&str)) -> Self {
        Self(ProviderInfo::local("writer", Capability::Text, "Writes prompts in its own way."), act)
    }
}

#[async_trait]
impl TextModel for Writer {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn write(&self, request: TextRequest) -> Result<TextResponse> {
        let keyword = request.input.get("keyword").and_then(Value::as_str).unwrap_or_default();
        (self.1)(keyword);
        if keyword == "slow" {
            std::future::pending::<()>().await;
        }
        Ok(TextResponse { answer: json!({ "prompt": keyword }), usage: Usage::default() })
    }
}

async fn a_free_stage_that_takes_too_long_fails_as_a_timeout(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.builder(Repeat::Unsafe).provider("writer", Writer::new(|_| ())).build().unwrap();
    let settings = [
        ("prompt.provider", json!("writer")),
        ("prompt.timeout_seconds", json!(0.1)),
        ("prompt.max_attempts", json!(2)),
    ];
    let job = engine.submit(pictures(&settings).keywords(["slow"])).await.unwrap();
    run(&engine).await;
    let items = shop.items(job.id).await;
    let failed: Vec<_> = items.iter().filter_map(failure).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].code.as_str(), failed[0].retry), ("timeout", Retryability::Exhausted));
    assert_eq!(engine.job(job.id).await.unwrap().status, JobStatus::CompletedWithFailures);
}

async fn a_stage_that_panics_fails_its_item_and_nothing_else(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let panicky = Writer::new(|keyword| assert_ne!(keyword, "bad", "as the test wants"));
    let engine = shop.builder(Repeat::Unsafe).provider("writer", panicky).build().unwrap();
    let request = pictures(&[("prompt.provider", json!("writer"))]).keywords(["bad", "good"]);
    let job = engine.submit(request).await.unwrap();
    assert_eq!(run(&engine).await, RunSummary::Idle);
    let counts = engine.job(job.id).await.unwrap().counts;
    assert_eq!((counts.failed, counts.succeeded), (1, 2));
    let failed: Vec<_> = shop.items(job.id).await.iter().filter_map(failure).collect();
    assert_eq!((failed[0].code.as_str(), failed[0].retry), ("unexpected", Retryability::Permanent));
    assert!(failed[0].message.contains("panicked"));
}
