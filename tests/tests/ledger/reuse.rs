//! Answers that earlier jobs have are used again when that is asked for, and estimates come close to what jobs cost.

use std::path::Path;

use pipeline::core::model::{Artifact, JobStatus, Money};
use pipeline::core::provider::Repeat;
use pipeline::engine::RerunRequest;
use pipeline::engine::upkeep::VerifyOptions;
use pipeline::prelude::*;
use pipeline_testkit::vendor::VendorScript;
use serde_json::json;

use crate::shop::{Kind, Shop, pictures, run};

on_both_stores!(
    a_rerun_that_reuses_answers_makes_no_call_and_costs_nothing,
    pictures_behind_links_that_have_gone_are_taken_from_where_they_were_kept,
    nobody_gets_the_answers_of_another_owner_or_of_another_request,
    a_retry_buys_again_even_where_answers_are_reused,
    an_estimate_learns_how_many_items_come_how_far,
);

const REUSE: RerunRequest = RerunRequest {
    settings: pipeline::engine::RerunSettings::AsRun,
    layers: Vec::new(),
    key: None,
    reuse: true,
    idempotency_key: None,
    label: None,
};

/// The files of a job's pictures, in order.
async fn files(shop: &Shop, job: JobId) -> Vec<Artifact> {
    let mut files = Vec::new();
    for item in shop.items(job).await {
        let history = shop.store.history(item.id).await.unwrap();
        files.extend(
            history
                .into_iter()
                .filter(|result| result.stage.as_str() == "generate")
                .map(|result| result.files["image"].clone()),
        );
    }
    files
}

async fn a_rerun_that_reuses_answers_makes_no_call_and_costs_nothing(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let request = pictures(&[("generate.variations", json!(2))]).keywords(["an egret", "a stork"]);
    let old = engine.submit(request).await.unwrap().id;
    run(&engine).await;
    let charged = shop.vendor.charges().micros;
    assert_eq!((charged, shop.calls(old).await.len()), (6 * 40_000, 3));
    let preview = engine.preview(&engine.rerun_request(old, &REUSE).await.unwrap()).await.unwrap();
    let stage = preview.stages.iter().find(|stage| stage.name == "generate").unwrap();
    assert_eq!((stage.calls, stage.reused, preview.cost), (3, 3, Some(Money::ZERO)));
    let new = engine.rerun(old, &REUSE).await.unwrap();
    run(&engine).await;
    let ended = engine.job(new.id).await.unwrap();
    assert_eq!((ended.status, ended.counts.succeeded, ended.cost), (JobStatus::Completed, 6, Money::ZERO));
    assert_eq!((shop.calls(new.id).await.len(), shop.vendor.charges().micros), (0, charged));
    assert_eq!(files(&shop, new.id).await, files(&shop, old).await, "each item has its own picture again");
    let reused = shop.store.reused(new.id).await.unwrap();
    assert_eq!(
        reused.into_iter().map(|(stage, count)| (stage.to_string(), count)).collect::<Vec<_>>(),
        [("generate".to_owned(), 6)]
    );
    let estimate = shop.store.plan(new.id).await.unwrap().estimate.unwrap();
    assert_eq!((estimate.calls(), estimate.cost()), (0, Some(Money::ZERO)));
    // The answers stay when only the second job refers to their files.
    engine.upkeep().delete(old).await.unwrap();
    let report = engine.upkeep().verify(VerifyOptions { content: true }).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    // Otherwise a rerun is a complete re-execution, also of a job that reused.
    let again = engine.rerun(new.id, &RerunRequest::default()).await.unwrap();
    run(&engine).await;
    assert_eq!((shop.calls(again.id).await.len(), shop.vendor.charges().micros), (3, charged * 2));
    assert_ne!(files(&shop, again.id).await, files(&shop, new.id).await);
}

async fn pictures_behind_links_that_have_gone_are_taken_from_where_they_were_kept(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().links()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let old = engine.submit(pictures(&[("generate.variations", json!(2))])).await.unwrap().id;
    run(&engine).await;
    let asked = shop.vendor.requests().len();
    let new = engine.rerun(old, &REUSE).await.unwrap().id;
    run(&engine).await;
    assert_eq!(
        (shop.calls(new).await.len(), shop.vendor.requests().len()),
        (0, asked),
        "nothing is asked of the vendor"
    );
    assert_eq!(files(&shop, new).await, files(&shop, old).await);
}

async fn nobody_gets_the_answers_of_another_owner_or_of_another_request(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let request = || pictures(&[("job.seed", json!(7))]).reuse();
    let cost = async |request: JobRequest| {
        let job = engine.submit(request).await.unwrap().id;
        run(&engine).await;
        engine.job(job).await.unwrap().cost.as_micros()
    };
    assert_eq!(cost(request().owner("ann")).await, 40_000);
    assert_eq!(cost(request().owner("bob")).await, 40_000, "another owner");
    assert_eq!(cost(request().owner("ann")).await, 0);
    assert_eq!(cost(request().owner("ann").set("job.seed", 8).unwrap()).await, 40_000, "another seed");
    assert_eq!(cost(request().owner("ann").set("generate.sizes", ["64x48"]).unwrap()).await, 40_000, "another size");
    assert_eq!(cost(pictures(&[("job.seed", json!(7))]).owner("ann")).await, 40_000, "nobody asked for it");
}

async fn a_retry_buys_again_even_where_answers_are_reused(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let request = || pictures(&[("job.seed", json!(7))]).reuse();
    engine.submit(request()).await.unwrap();
    run(&engine).await;
    let job = engine.submit(request()).await.unwrap().id;
    run(&engine).await;
    assert_eq!(shop.vendor.charges().micros, 40_000);
    let items = shop.items(job).await;
    let from = pipeline::engine::RetryRequest { from: Some("generate".to_owned()), ..Default::default() };
    let by = pipeline::core::storage::Reviewer { actor: "ann".to_owned(), reason: None };
    let wish = pipeline::engine::Wish::Retry(from);
    assert!(engine.review(job, &items, &wish, &by, false).await.unwrap()[0].outcome.is_ok());
    run(&engine).await;
    assert_eq!((shop.vendor.charges().micros, shop.calls(job).await.len()), (80_000, 1));
    assert_eq!(engine.job(job).await.unwrap().cost, Money::from_micros(40_000));
}

/// Only some of the pictures are wanted in large.
const LARGE: &str = r#"
name = "large"
[stages.keywords]
kind = "source.keywords"
[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]
[stages.small]
kind = "image.generate"
needs = ["prompt"]
[stages.small.settings]
provider = "vendor"
sizes = ["64x64"]
[stages.large]
kind = "image.generate"
needs = ["small"]
when = "item.keyword.startsWith('a')"
[stages.large.settings]
provider = "vendor"
sizes = ["96x96"]
"#;

async fn an_estimate_learns_how_many_items_come_how_far(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let request = || JobRequest::toml("large.toml", LARGE).keywords(["ant", "bee", "cow", "dog"]);
    let preview = engine.preview(&request()).await.unwrap();
    assert_eq!(
        (preview.cost, preview.from_jobs),
        (Some(Money::from_micros(8 * 40_000)), 0),
        "each item comes everywhere"
    );
    let first = engine.submit(request()).await.unwrap().id;
    run(&engine).await;
    assert_eq!(engine.job(first).await.unwrap().cost, Money::from_micros(5 * 40_000));
    let second = engine.submit(request()).await.unwrap().id;
    run(&engine).await;
    let estimate = shop.store.plan(second).await.unwrap().estimate.unwrap();
    assert_eq!((estimate.cost(), estimate.from_jobs), (Some(engine.job(second).await.unwrap().cost), 1));
    assert_eq!(estimate.most(), Some(Money::from_micros(8 * 40_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_of_the_example_pipelines_are_within_a_fifth_of_what_they_cost() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let shop = Shop::open(Kind::Memory, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let folder = tempfile::tempdir().unwrap();
    let mut priced = 0;
    for (name, input) in [("postcards", "postcards.csv"), ("sharp-factory", "keywords.txt")] {
        let text = std::fs::read_to_string(examples.join(format!("pipelines/{name}.toml"))).unwrap();
        for count in [3, 5] {
            let out = folder.path().join(format!("{name}-{count}"));
            let request = JobRequest::toml(name, &text)
                .input(examples.join(input).to_string_lossy())
                .count(count)
                .out(out)
                .set("generate.provider", "vendor")
                .unwrap();
            let job = engine.submit(request).await.unwrap().id;
            run(&engine).await;
            let estimated = shop.store.plan(job).await.unwrap().estimate.unwrap().cost().unwrap().as_micros();
            let cost = engine.job(job).await.unwrap().cost.as_micros();
            assert!(cost > 0 && (estimated - cost).abs() * 5 <= cost, "{name}: {estimated} expected, {cost} spent");
            priced += 1;
        }
    }
    assert_eq!(priced, 4);
}
