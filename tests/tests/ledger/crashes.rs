//! What is bought survives the end of the process, and is bought once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::core::model::{ItemStatus, JobStatus};
use pipeline::core::pipeline::StageSpec;
use pipeline::core::provider::Repeat;
use pipeline::core::settings::{SettingsSchema, StageSettings};
use pipeline::core::stage::{PlannedItem, Source, SourceRequest, Stage, StageContext, StageEnd, Task};
use pipeline::core::storage::{CallQuery, CallRecord, CallState};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorScript};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::shop::{Kind, Shop, is_held, pictures, run, soon, until};
use crate::sluice::Sluice;

on_both_stores!(
    the_intent_is_durable_before_the_vendor_sees_the_request,
    a_settled_call_is_not_bought_again_when_the_process_ends_before_the_items_commit,
    siblings_whose_results_were_not_written_take_theirs_from_the_recorded_answer,
    a_run_that_is_stopped_at_once_leaves_its_answer_to_the_next_one,
    an_open_call_of_a_dead_process_is_repeated_with_its_key_when_that_is_free,
    an_open_call_of_a_dead_process_is_held_for_a_person_when_a_repeat_may_be_charged,
    a_cut_connection_to_an_idempotent_vendor_is_charged_once_for_all_siblings,
    an_error_of_a_repeat_says_nothing_of_the_order_before_it,
    a_cut_connection_to_any_other_vendor_holds_the_item,
    a_cancel_during_a_call_records_the_answer_and_buys_nothing_more,
    an_item_that_kills_its_process_before_its_mark_is_written_is_given_up_all_the_same,
);

async fn the_intent_is_durable_before_the_vendor_sees_the_request(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let (store, seen) = (shop.second_handle().await, Arc::new(Mutex::new(Vec::new())));
    let found = Arc::clone(&seen);
    shop.vendor.play(VendorScript::new().on_request(move |request| {
        let (store, found) = (Arc::clone(&store), Arc::clone(&found));
        async move {
            let calls = store.calls(CallQuery::default()).await.unwrap();
            found.lock().unwrap().push((request, calls));
        }
    }));
    let engine = shop.engine(Repeat::Idempotent);
    let job = engine.submit(pictures(&[])).await.unwrap();
    run(&engine).await;
    let seen = seen.lock().unwrap();
    let [(request, calls)] = seen.as_slice() else { panic!("{seen:?}") };
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((call.state, call.job), (CallState::Open, job.id));
    assert_eq!(request.idempotency_key, Some(call.id.to_string()));
    assert!(call.reserved > Money::ZERO);
}

/// Runs until `results` results of `generate` are written, and ends like a killed process.
async fn run_and_die(shop: &Shop, results: i64) {
    let sluice = Sluice::before(&shop.store, "generate", results);
    let engine = shop.builder(Repeat::Unsafe).store(sluice.clone()).build().unwrap();
    let doomed = tokio::spawn(async move { engine.run_until_idle().await });
    soon(sluice.tap.is_shut()).await;
    doomed.abort();
    doomed.await.unwrap_err();
    shop.wait_for_the_lease_to_end().await;
}

async fn a_settled_call_is_not_bought_again_when_the_process_ends_before_the_items_commit(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let job = engine.submit(pictures(&[])).await.unwrap();
    run_and_die(&shop, 0).await;
    let before = shop.calls(job.id).await;
    assert_eq!(before[0].state, CallState::Succeeded);
    run(&engine).await;
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 1));
    assert_eq!((shop.vendor.requests().len(), shop.vendor.charges().calls), (1, 1));
    let items = before[0].items.clone();
    let after = before.into_iter().map(|call| CallRecord { used_by: items.clone(), ..call }).collect::<Vec<_>>();
    assert_eq!(shop.calls(job.id).await, after);
    shop.assert_books_agree(job.id).await;
}

async fn siblings_whose_results_were_not_written_take_theirs_from_the_recorded_answer(kind: Kind) {
    for written in [0, 1, 3] {
        let shop = Shop::open(kind, VendorScript::new().price_micros(33_333)).await;
        let engine = shop.engine(Repeat::Unsafe);
        let job = engine.submit(pictures(&[("generate.variations", json!(4))])).await.unwrap();
        run_and_die(&shop, written).await;
        run(&engine).await;
        let record = engine.job(job.id).await.unwrap();
        assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 4), "{written} written");
        assert_eq!(shop.vendor.requests().len(), 1, "{written} written");
        shop.assert_books_agree(job.id).await;
        let mut pictures = Vec::new();
        for item in shop.items(job.id).await {
            let history = shop.store.history(item.id).await.unwrap();
            pictures.extend(history.iter().filter_map(|result| Some(result.files.get("image")?.digest)));
        }
        pictures.sort_unstable();
        pictures.dedup();
        assert_eq!(pictures.len(), 4, "every sibling has a picture of its own");
    }
}

async fn a_run_that_is_stopped_at_once_leaves_its_answer_to_the_next_one(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().latency(Duration::from_millis(300))).await;
    let engine = shop.engine(Repeat::Unsafe);
    let job = engine.submit(pictures(&[])).await.unwrap();
    let (stopped, handle) = (engine.clone(), engine.clone());
    let running = tokio::spawn(async move { stopped.run_until_idle().await });
    until(|| async { !shop.vendor.requests().is_empty() }).await;
    handle.stop_now();
    assert_eq!(soon(running).await.unwrap().unwrap(), RunSummary::Stopped);
    until(|| async { shop.calls(job.id).await[0].state == CallState::Succeeded }).await;
    let next = shop.engine(Repeat::Unsafe);
    run(&next).await;
    assert_eq!(next.job(job.id).await.unwrap().status, JobStatus::Completed);
    assert_eq!(shop.vendor.requests().len(), 1);
    shop.assert_books_agree(job.id).await;
}

/// Submits, lets the vendor charge and hang, and ends like a killed process.
async fn die_while_the_vendor_thinks(shop: &Shop, repeat: Repeat, variations: u32) -> JobId {
    let engine = shop.engine(repeat);
    // A short limit, because nobody knows before it is over that no answer will be recorded.
    let settings = [("generate.variations", json!(variations)), ("generate.timeout_seconds", json!(6))];
    let job = engine.submit(pictures(&settings)).await.unwrap();
    let doomed = tokio::spawn(async move { engine.run_until_idle().await });
    until(|| async { shop.vendor.charges().calls == 1 }).await;
    doomed.abort();
    doomed.await.unwrap_err();
    shop.wait_for_the_lease_to_end().await;
    assert_eq!(shop.calls(job.id).await[0].state, CallState::Open);
    job.id
}

async fn an_open_call_of_a_dead_process_is_repeated_with_its_key_when_that_is_free(kind: Kind) {
    for variations in [1, 4] {
        let script = VendorScript::new().idempotent().replies([Reply::Hang { charged: true }]);
        let shop = Shop::open(kind, script).await;
        let job = die_while_the_vendor_thinks(&shop, Repeat::Idempotent, variations).await;
        run(&shop.engine(Repeat::Idempotent)).await;
        let record = shop.store.job(job).await.unwrap();
        assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, u64::from(variations)));
        let requests = shop.vendor.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0], requests[1]);
        assert_eq!((shop.vendor.charges().calls, shop.calls(job).await.len()), (1, 1));
        shop.assert_books_agree(job).await;
    }
}

async fn an_open_call_of_a_dead_process_is_held_for_a_person_when_a_repeat_may_be_charged(kind: Kind) {
    for variations in [1, 4] {
        let shop = Shop::open(kind, VendorScript::new().replies([Reply::Hang { charged: true }])).await;
        let job = die_while_the_vendor_thinks(&shop, Repeat::Unsafe, variations).await;
        let engine = shop.engine(Repeat::Unsafe);
        for _ in 0..2 {
            assert_eq!(run(&engine).await, RunSummary::Idle);
            let items = shop.items(job).await;
            assert_eq!(items.len(), variations as usize);
            assert!(items.iter().all(is_held), "{items:?}");
            assert_eq!((shop.vendor.requests().len(), shop.vendor.charges().calls), (1, 1));
        }
        let record = engine.job(job).await.unwrap();
        assert!(record.ended_at.is_none() && record.counts.waiting == u64::from(variations), "{record:?}");
        let calls = shop.calls(job).await;
        assert_eq!((calls.len(), calls[0].state), (1, CallState::Unknown));
        assert!(calls[0].reserved > Money::ZERO && calls[0].failure.is_some());
    }
}

async fn a_cut_connection_to_an_idempotent_vendor_is_charged_once_for_all_siblings(kind: Kind) {
    let script = VendorScript::new().idempotent().replies([Reply::Reset { charged: true }]);
    let shop = Shop::open(kind, script).await;
    let engine = shop.engine(Repeat::Idempotent);
    let settings = [("generate.variations", json!(4)), ("generate.max_attempts", json!(2))];
    let job = engine.submit(pictures(&settings)).await.unwrap();
    run(&engine).await;
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 4));
    let requests = shop.vendor.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!((requests[0].pictures, &requests[0]), (4, &requests[1]));
    assert_eq!((shop.vendor.charges().calls, shop.calls(job.id).await.len()), (1, 1));
    shop.assert_books_agree(job.id).await;
}

async fn an_error_of_a_repeat_says_nothing_of_the_order_before_it(kind: Kind) {
    for trouble in [Reply::Status(500), Reply::Status(503), Reply::Throttled { after: 0 }] {
        let script = VendorScript::new().idempotent().replies([Reply::Reset { charged: true }, trouble, trouble]);
        let shop = Shop::open(kind, script).await;
        let engine = shop.engine(Repeat::Idempotent);
        let job = engine.submit(pictures(&[])).await.unwrap();
        run(&engine).await;
        let record = engine.job(job.id).await.unwrap();
        assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 1));
        assert_eq!(shop.vendor.charges().calls, 1, "bought once, under one key");
        assert_eq!(shop.calls(job.id).await.len(), 1);
        shop.assert_books_agree(job.id).await;
    }
}

async fn a_cut_connection_to_any_other_vendor_holds_the_item(kind: Kind) {
    for charged in [true, false] {
        let shop = Shop::open(kind, VendorScript::new().replies([Reply::Reset { charged }])).await;
        let engine = shop.engine(Repeat::Unsafe);
        let job = engine.submit(pictures(&[])).await.unwrap();
        assert_eq!(run(&engine).await, RunSummary::Idle);
        assert!(is_held(&shop.items(job.id).await[0]));
        assert_eq!(shop.vendor.requests().len(), 1);
        assert_eq!(shop.calls(job.id).await[0].state, CallState::Unknown);
    }
}

async fn a_cancel_during_a_call_records_the_answer_and_buys_nothing_more(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().latency(Duration::from_millis(300))).await;
    let engine = shop.builder(Repeat::Unsafe).concurrency(1).build().unwrap();
    let job = engine.submit(pictures(&[]).keywords(["a stork", "a crane"])).await.unwrap();
    let runner = engine.clone();
    let running = tokio::spawn(async move { runner.run_until_idle().await });
    until(|| async { !shop.vendor.requests().is_empty() }).await;
    engine.cancel(job.id).await.unwrap();
    soon(running).await.unwrap().unwrap();
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.cancelled), (JobStatus::Cancelled, 3));
    assert!(shop.items(job.id).await.iter().all(|item| item.status == ItemStatus::Cancelled));
    let calls = shop.calls(job.id).await;
    assert_eq!((calls.len(), shop.vendor.requests().len()), (1, 1));
    assert_eq!((calls[0].state, calls[0].cost), (CallState::Succeeded, Some(Money::from_micros(40_000))));
    assert!(calls[0].response.is_some());
}

/// A stage that never comes back, and touches nothing.
#[derive(Clone, Debug, Default)]
struct Deadly(Arc<tokio::sync::Notify>);

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoSettings {}

impl StageSettings for NoSettings {}

#[async_trait]
impl Stage for Deadly {
    fn spec(&self) -> StageSpec {
        StageSpec::new("test.deadly", "Kills", SettingsSchema::of::<NoSettings>()).source().self_contained()
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd, Error> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Source for Deadly {
    async fn plan(&self, _: SourceRequest) -> Result<Vec<PlannedItem>, Error> {
        Ok(vec![PlannedItem { name: "only".to_owned(), input: serde_json::Map::new() }])
    }
}

async fn an_item_that_kills_its_process_before_its_mark_is_written_is_given_up_all_the_same(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let deadly = Deadly::default();
    let engine = || shop.builder(Repeat::Unsafe).source(deadly.clone()).build().unwrap();
    let request = JobRequest::toml("deadly", "name = 'deadly'\n[stages.s]\nkind = 'test.deadly'\n");
    let job = engine().submit(request).await.unwrap();
    let mut deaths = 0;
    loop {
        let running = engine();
        let mut doomed = tokio::spawn(async move { running.run_until_idle().await });
        tokio::select! {
            biased;
            ended = &mut doomed => {
                ended.unwrap().unwrap();
                break;
            }
            () = deadly.0.notified() => deaths += 1,
        }
        doomed.abort();
        doomed.await.unwrap_err();
        shop.wait_for_the_lease_to_end().await;
    }
    // The first one is counted only when its mark was in time.
    assert!((3..=4).contains(&deaths), "{deaths}");
    let items = shop.items(job.id).await;
    assert_eq!((items[0].status, items[0].machine.crashes), (ItemStatus::Failed, 3));
}
