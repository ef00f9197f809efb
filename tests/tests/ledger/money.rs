//! Budgets hold over several workers, and a person decides about calls of which nobody knows what became.

use pipeline::core::model::{ItemStatus, JobStatus, Money};
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{BudgetKey, CallState, Decision, NewResolution};
use pipeline::engine::{Spend, SpendBy, SpendQuery};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, failure, is_held, pictures, run};

on_both_stores!(
    workers_that_race_never_pass_a_budget_and_go_on_when_it_is_raised,
    a_held_call_is_resolved_in_each_of_three_ways,
);

/// What the vendor takes for a picture.
const PICTURE: i64 = 40_000;

async fn workers_that_race_never_pass_a_budget_and_go_on_when_it_is_raised(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().idempotent().fail_every(5)).await;
    let engine = shop.engine(Repeat::Idempotent);
    let keywords = (0..12).map(|number| format!("heron {number}"));
    // For seven pictures and a half.
    let request = pictures(&[]).keywords(keywords).budget(Money::from_micros(PICTURE * 15 / 2));
    let job = engine.submit(request).await.unwrap().id;
    let mut workers = Vec::new();
    for _ in 0..3 {
        let handle = shop.second_handle().await;
        workers.push(shop.builder(Repeat::Idempotent).shared_store(handle).concurrency(4).build().unwrap());
    }
    let race = async || {
        let [one, two, three] = workers.as_slice() else { panic!("three workers") };
        assert_eq!(
            tokio::join!(Box::pin(run(one)), Box::pin(run(two)), Box::pin(run(three))),
            (RunSummary::Idle, RunSummary::Idle, RunSummary::Idle)
        );
    };
    race().await;
    let stands = engine.job(job).await.unwrap().budget.unwrap();
    assert_eq!((stands.spent, stands.reserved), (Money::from_micros(PICTURE * 7), Money::ZERO));
    assert_eq!(shop.vendor.charges().micros, PICTURE * 7, "never more than nothing at all");
    assert_eq!(engine.closed_budgets(&engine.job(job).await.unwrap()).await.unwrap(), [stands]);
    engine.set_budget(BudgetKey::Job(job), Some(Money::from_micros(PICTURE * 13))).await.unwrap();
    race().await;
    let ended = engine.job(job).await.unwrap();
    assert_eq!((ended.status, ended.counts.succeeded), (JobStatus::Completed, 13));
    assert_eq!(ended.budget.unwrap().spent, Money::from_micros(PICTURE * 13));
    let whole = Money::from_micros(PICTURE * 13);
    let calls = shop.calls(job).await.len() as u64;
    let query = |by| SpendQuery { by, since: None, until: None, job: None, owner: None };
    for (by, key) in [(SpendBy::Provider, "vendor"), (SpendBy::Stage, "generate"), (SpendBy::Owner, "system")] {
        let sums = engine.spend(&query(by)).await.unwrap();
        let expected = Spend { key: key.to_owned(), calls, spent: whole, ..Spend::default() };
        assert_eq!(sums, [expected], "{by:?}");
    }
    assert_eq!(engine.spend(&query(SpendBy::Job)).await.unwrap()[0].key, job.to_string());
    let spent = |sums: Vec<Spend>| sums.into_iter().fold(Money::ZERO, |sum, part| sum + part.spent);
    assert_eq!(spent(engine.spend(&query(SpendBy::Day)).await.unwrap()), whole);
    let now = Some(shop.store.now().await.unwrap());
    assert_eq!(spent(engine.spend(&SpendQuery { until: now, ..query(SpendBy::Job) }).await.unwrap()), whole);
    assert!(engine.spend(&SpendQuery { since: now, ..query(SpendBy::Job) }).await.unwrap().is_empty());
    let other = SpendQuery { owner: Some("nobody".to_owned()), ..query(SpendBy::Job) };
    assert!(engine.spend(&other).await.unwrap().is_empty());
    shop.assert_books_agree(job).await;
}

async fn a_held_call_is_resolved_in_each_of_three_ways(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let model = engine.submit(pictures(&[])).await.unwrap();
    run(&engine).await;
    let answer = shop.calls(model.id).await[0].response.clone().unwrap();
    for decision in [Decision::Answered, Decision::Repeat, Decision::GiveUp] {
        let shop = Shop { vendor: hanging().await, ..shared(&shop, kind).await };
        let engine = shop.engine(Repeat::Unsafe);
        let settings = [("generate.timeout_seconds", json!(2)), ("generate.max_attempts", json!(1))];
        let job = engine.submit(pictures(&settings).budget(Money::from_micros(PICTURE * 2))).await.unwrap();
        run(&engine).await;
        assert!(is_held(&shop.items(job.id).await[0]));
        assert_eq!(shop.vendor.requests().len(), 1, "the order arrived before its time was over");
        let call = shop.calls(job.id).await.remove(0);
        assert_eq!((call.state, call.resolution), (CallState::Unknown, None));
        let mut answer = answer.clone();
        answer[0]["item"] = json!(call.items[0]);
        let response = (decision == Decision::Answered).then_some(answer);
        let (by, why) = ("ann".to_owned(), "the vendor's statement".to_owned());
        let cost = Money::from_micros(PICTURE);
        engine.resolve(NewResolution { call: call.id, decision, by, why, cost, response }).await.unwrap();
        run(&engine).await;
        let item = shop.items(job.id).await.remove(0);
        let (status, orders) = match decision {
            Decision::Answered => (ItemStatus::Succeeded, 1),
            Decision::Repeat => (ItemStatus::Succeeded, 2),
            Decision::GiveUp => (ItemStatus::Failed, 1),
        };
        assert_eq!((item.status, shop.vendor.requests().len()), (status, orders), "{decision:?}: {item:?}");
        let spent = engine.job(job.id).await.unwrap().budget.unwrap().spent;
        assert_eq!(spent, Money::from_micros(PICTURE * orders as i64), "{decision:?}");
        assert_eq!(Money::from_micros(shop.vendor.charges().micros), spent, "what the vendor has charged");
        if decision == Decision::GiveUp {
            let told = failure(&item).unwrap().message;
            assert!(told.contains("ann") && told.contains("statement"), "{told}");
        }
    }
}

/// A vendor that charges the first order and never answers it.
async fn hanging() -> pipeline_testkit::vendor::FakeVendor {
    pipeline_testkit::vendor::FakeVendor::start(VendorScript::new().replies([Reply::Hang { charged: true }]))
        .await
        .unwrap()
}

/// Another shop with the same files.
async fn shared(shop: &Shop, kind: Kind) -> Shop {
    Shop { artifacts: shop.artifacts.clone(), ..Shop::open(kind, VendorScript::new()).await }
}
