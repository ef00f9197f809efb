//! A task the vendor has begun is asked for again, not bought again.

use std::sync::Arc;
use std::time::Duration;

use pipeline::core::model::JobStatus;
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{CallRecord, CallState, Store};
use pipeline::prelude::*;
use pipeline::providers::http::{HttpConfig, HttpProvider};
use pipeline_testkit::vendor::{Reply, VendorProgram, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, is_held, pictures, run, soon, until};
use crate::sluice::Sluice;

on_both_stores!(
    the_task_is_durable_before_the_vendor_is_asked_for_it,
    a_crash_before_the_task_is_written_down_repeats_the_order_when_that_is_free,
    a_crash_before_the_task_is_written_down_holds_the_item_when_a_repeat_may_be_charged,
    a_crash_after_the_task_is_written_down_resumes_it,
    a_vendor_that_was_killed_and_started_again_is_asked_for_the_same_task,
    a_poll_without_an_answer_is_no_end_of_the_task,
    a_throttled_poll_waits_and_does_not_count_as_a_try,
    a_task_that_takes_longer_than_a_try_is_waited_for_by_the_next,
    a_task_the_vendor_has_forgotten_is_ordered_again_under_its_key_or_held,
    a_task_that_failed_is_a_new_order,
    an_answer_that_came_with_a_later_try_is_not_bought_again_after_a_crash,
);

fn studio(url: String, idempotent: bool) -> HttpProvider {
    let config =
        HttpConfig { idempotent, max_per_call: 8, poll_seconds: 0.02, price: Some(0.04), ..HttpConfig::new(url) };
    HttpProvider::from_config("studio", config).unwrap()
}

fn engine(shop: &Shop, store: &Arc<dyn Store>, idempotent: bool) -> Engine {
    let provider = studio(shop.vendor.url(), idempotent);
    shop.builder(Repeat::Unsafe).shared_store(Arc::clone(store)).provider("vendor", provider).build().unwrap()
}

fn script(idempotent: bool) -> VendorScript {
    if idempotent { VendorScript::new().idempotent() } else { VendorScript::new() }
}

async fn call(shop: &Shop, job: JobId) -> CallRecord {
    let mut calls = shop.calls(job).await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.remove(0)
}

async fn is_noted(shop: &Shop, job: JobId) -> bool {
    shop.calls(job).await.iter().any(|call| call.external_id.is_some())
}

/// Submits, runs until the task is asked for, and ends like a killed process.
async fn die_with_a_task(shop: &Shop, idempotent: bool, variations: u32) -> JobId {
    // What the process was doing goes on in its tasks, unless the vendor never answers them.
    shop.vendor.play(script(idempotent).polls([Reply::Hang { charged: false }]));
    let engine = engine(shop, &shop.store, idempotent);
    let job = engine.submit(pictures(&[("generate.variations", json!(variations))])).await.unwrap();
    let doomed = tokio::spawn(async move { engine.run_until_idle().await });
    until(|| async { shop.vendor.statement().polls > 0 }).await;
    doomed.abort();
    doomed.await.unwrap_err();
    shop.wait_for_the_lease_to_end().await;
    let call = call(shop, job.id).await;
    assert_eq!((call.state, call.external_id.as_deref()), (CallState::Open, Some("task-1")));
    job.id
}

async fn assert_bought_once(shop: &Shop, job: JobId, pictures: u64) {
    let record = shop.store.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, pictures));
    let call = call(shop, job).await;
    assert_eq!((call.state, call.external_id.as_deref()), (CallState::Succeeded, Some("task-1")));
    let statement = shop.vendor.statement();
    assert_eq!((statement.charges, statement.pictures, statement.repeated), (1, pictures, 0));
    shop.assert_books_agree(job).await;
}

async fn the_task_is_durable_before_the_vendor_is_asked_for_it(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().latency(Duration::from_secs(3))).await;
    let engine = engine(&shop, &shop.store, false);
    let job = engine.submit(pictures(&[])).await.unwrap();
    let runner = engine.clone();
    let running = tokio::spawn(async move { runner.run_until_idle().await });
    until(|| async { shop.vendor.statement().polls > 0 }).await;
    let call = call(&shop, job.id).await;
    assert_eq!((call.state, call.external_id.as_deref()), (CallState::Open, Some("task-1")));
    soon(running).await.unwrap().unwrap();
    assert_bought_once(&shop, job.id, 1).await;
}

/// Ends like a process killed between the vendor's answer and the note of its task.
async fn die_before_the_note(shop: &Shop, idempotent: bool) -> JobId {
    let sluice = Sluice::without_tasks(&shop.store);
    let store: Arc<dyn Store> = Arc::new(sluice.clone());
    let engine = engine(shop, &store, idempotent);
    // A short limit, because nobody knows before it is over that no answer will be recorded.
    let settings = [("generate.variations", json!(2)), ("generate.timeout_seconds", json!(6))];
    let job = engine.submit(pictures(&settings)).await.unwrap();
    let doomed = tokio::spawn(async move { engine.run_until_idle().await });
    soon(sluice.tap.is_shut()).await;
    doomed.abort();
    doomed.await.unwrap_err();
    shop.wait_for_the_lease_to_end().await;
    let call = call(shop, job.id).await;
    assert_eq!((call.state, &call.external_id), (CallState::Open, &None));
    assert_eq!(shop.vendor.charges().calls, 1);
    job.id
}

async fn a_crash_before_the_task_is_written_down_repeats_the_order_when_that_is_free(kind: Kind) {
    let shop = Shop::open(kind, script(true)).await;
    let job = die_before_the_note(&shop, true).await;
    run(&engine(&shop, &shop.store, true)).await;
    let requests = shop.vendor.requests();
    assert_eq!((requests.len(), &requests[0]), (2, &requests[1]));
    assert_bought_once(&shop, job, 2).await;
}

async fn a_crash_before_the_task_is_written_down_holds_the_item_when_a_repeat_may_be_charged(kind: Kind) {
    let shop = Shop::open(kind, script(false)).await;
    let job = die_before_the_note(&shop, false).await;
    let engine = engine(&shop, &shop.store, false);
    for _ in 0..2 {
        assert_eq!(run(&engine).await, RunSummary::Idle);
        assert!(shop.items(job).await.iter().all(is_held));
    }
    assert_eq!((shop.vendor.requests().len(), shop.vendor.charges().calls), (1, 1));
    assert_eq!(call(&shop, job).await.state, CallState::Unknown);
}

async fn a_crash_after_the_task_is_written_down_resumes_it(kind: Kind) {
    for (idempotent, variations) in [(false, 1), (false, 4), (true, 4)] {
        let shop = Shop::open(kind, VendorScript::new()).await;
        let job = die_with_a_task(&shop, idempotent, variations).await;
        run(&engine(&shop, &shop.store, idempotent)).await;
        assert_eq!(shop.vendor.requests().len(), 1, "the task is asked for, not ordered again");
        assert_bought_once(&shop, job, u64::from(variations)).await;
    }
}

async fn a_vendor_that_was_killed_and_started_again_is_asked_for_the_same_task(kind: Kind) {
    for idempotent in [false, true] {
        let shop = Shop::open(kind, VendorScript::new()).await;
        let folder = tempfile::tempdir().unwrap();
        let arguments = |port: u16| {
            let log = folder.path().join("sales");
            format!("--port {port} --latency-ms 600 --log {}", log.display())
        };
        let program = env!("CARGO_BIN_EXE_fake-vendor");
        let vendor = VendorProgram::start(program, &arguments(0)).await.unwrap();
        let provider = studio(vendor.url(), idempotent);
        let engine = shop.builder(Repeat::Unsafe).provider("vendor", provider).build().unwrap();
        let job = engine.submit(pictures(&[("generate.variations", json!(2))])).await.unwrap();
        let runner = engine.clone();
        let running = tokio::spawn(async move { runner.run_until_idle().await });
        until(|| async { is_noted(&shop, job.id).await }).await;
        let port = vendor.port();
        vendor.kill().await.unwrap();
        until(|| async { call(&shop, job.id).await.state == CallState::Unknown }).await;
        let vendor = VendorProgram::start(program, &arguments(port)).await.unwrap();
        soon(running).await.unwrap().unwrap();
        let record = engine.job(job.id).await.unwrap();
        assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 2));
        let (call, statement) = (call(&shop, job.id).await, vendor.statement().await.unwrap());
        assert_eq!((call.state, call.cost.map(Money::as_micros)), (CallState::Succeeded, Some(statement.micros)));
        assert_eq!((statement.charges, statement.requests), (1, 0), "nothing was ordered of the new process");
    }
}

async fn a_poll_without_an_answer_is_no_end_of_the_task(kind: Kind) {
    for trouble in [Reply::Reset { charged: false }, Reply::Status(500), Reply::Status(502), Reply::Status(404)] {
        // A 404 is the vendor's word that there is no such task: nothing time could heal.
        let gone = trouble == Reply::Status(404);
        let shop = Shop::open(kind, script(false).polls([trouble])).await;
        let engine = engine(&shop, &shop.store, false);
        let settings = [("generate.variations", json!(2)), ("generate.max_attempts", json!(2))];
        let job = engine.submit(pictures(&settings)).await.unwrap();
        assert_eq!(run(&engine).await, RunSummary::Idle);
        if gone {
            assert!(shop.items(job.id).await.iter().all(is_held));
            assert_eq!(call(&shop, job.id).await.state, CallState::Unknown);
        } else {
            assert_eq!(call(&shop, job.id).await.attempt, 2);
            assert_bought_once(&shop, job.id, 2).await;
        }
        assert_eq!(shop.vendor.requests().len(), 1, "{trouble:?}");
    }
}

async fn a_throttled_poll_waits_and_does_not_count_as_a_try(kind: Kind) {
    let throttled = Reply::Throttled { after: 0 };
    let shop = Shop::open(kind, script(false).polls([throttled, throttled])).await;
    let engine = engine(&shop, &shop.store, false);
    let job = engine.submit(pictures(&[("generate.max_attempts", json!(1))])).await.unwrap();
    run(&engine).await;
    assert_eq!((call(&shop, job.id).await.attempt, shop.vendor.statement().polls), (1, 3));
    assert_bought_once(&shop, job.id, 1).await;
}

async fn a_task_that_takes_longer_than_a_try_is_waited_for_by_the_next(kind: Kind) {
    let shop = Shop::open(kind, script(false).latency(Duration::from_secs(5))).await;
    let engine = engine(&shop, &shop.store, false);
    let job = engine.submit(pictures(&[("generate.timeout_seconds", json!(2))])).await.unwrap();
    run(&engine).await;
    assert!(call(&shop, job.id).await.attempt > 1);
    assert_eq!(shop.vendor.requests().len(), 1);
    assert_bought_once(&shop, job.id, 1).await;
}

async fn a_task_the_vendor_has_forgotten_is_ordered_again_under_its_key_or_held(kind: Kind) {
    for idempotent in [false, true] {
        let shop = Shop::open(kind, VendorScript::new()).await;
        let job = die_with_a_task(&shop, idempotent, 2).await;
        shop.vendor.play(script(idempotent).polls([Reply::Status(404)]));
        run(&engine(&shop, &shop.store, idempotent)).await;
        let requests = shop.vendor.requests();
        if idempotent {
            assert_eq!((requests.len(), &requests[0]), (2, &requests[1]));
            assert_bought_once(&shop, job, 2).await;
        } else {
            assert!(shop.items(job).await.iter().all(is_held));
            assert_eq!((requests.len(), shop.vendor.charges().calls), (1, 1));
            assert_eq!(call(&shop, job).await.state, CallState::Unknown);
        }
    }
}

async fn a_task_that_failed_is_a_new_order(kind: Kind) {
    let shop = Shop::open(kind, script(true).fail_tasks_every(2)).await;
    let provider = studio(shop.vendor.url(), true);
    let builder = shop.builder(Repeat::Unsafe).provider("vendor", provider);
    let engine = builder.concurrency(1).build().unwrap();
    let job = engine.submit(pictures(&[]).keywords(["a stork"])).await.unwrap();
    run(&engine).await;
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 2));
    let states: Vec<_> = shop.calls(job.id).await.iter().map(|call| (call.state, call.attempt)).collect();
    let expected = [(CallState::Succeeded, 1), (CallState::Failed, 1), (CallState::Succeeded, 2)];
    assert_eq!(states, expected);
    shop.assert_books_agree(job.id).await;
}

async fn an_answer_that_came_with_a_later_try_is_not_bought_again_after_a_crash(kind: Kind) {
    let lost = Reply::Reset { charged: true };
    for (idempotent, script) in [(true, script(true).replies([lost])), (false, script(false).polls([lost]))] {
        let shop = Shop::open(kind, script).await;
        let sluice = Sluice::before(&shop.store, "generate", 0);
        let store: Arc<dyn Store> = Arc::new(sluice.clone());
        let doomed = engine(&shop, &store, idempotent);
        let job = doomed.submit(pictures(&[])).await.unwrap();
        let doomed = tokio::spawn(async move { doomed.run_until_idle().await });
        soon(sluice.tap.is_shut()).await;
        doomed.abort();
        doomed.await.unwrap_err();
        shop.wait_for_the_lease_to_end().await;
        let before = call(&shop, job.id).await;
        assert_eq!((before.state, before.attempt), (CallState::Succeeded, 2));
        let asked = shop.vendor.statement();
        run(&engine(&shop, &shop.store, idempotent)).await;
        assert_eq!(shop.vendor.statement(), asked, "the recorded answer is used");
        assert_bought_once(&shop, job.id, 1).await;
    }
}
