//! What a watcher sees: every event once, in order, and progress that never goes back.

use std::time::Duration;

use pipeline::core::model::JobStatus;
use pipeline::core::provider::Repeat;
use pipeline::core::stats::progress;
use pipeline::core::storage::EventBody;
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, assert_gapless_to_the_end, pictures, soon};

on_both_stores!(
    events_have_no_gap_and_progress_never_goes_back_while_a_job_is_watched,
    a_cancelled_job_ends_with_its_last_event_too,
);

async fn events_have_no_gap_and_progress_never_goes_back_while_a_job_is_watched(kind: Kind) {
    let replies = [Reply::DeliverOnly(1), Reply::Status(500), Reply::Refused, Reply::Throttled { after: 0 }];
    let shop = Shop::open(kind, VendorScript::new().replies(replies)).await;
    let engine = shop.engine(Repeat::Unsafe);
    engine.start().await;
    let settings = [("generate.variations", json!(3)), ("generate.max_attempts", json!(2))];
    let request = pictures(&settings).keywords(["a stork", "a crane", "an egret"]);
    let job = engine.submit(request).await.unwrap();
    let mut watch = engine.watch(job.id, EventSeq::START);
    let (mut seen, mut last) = (Vec::new(), 0.0_f64);
    let watching = async {
        while let Some(event) = watch.next().await.unwrap() {
            let record = engine.job(job.id).await.unwrap();
            let now = progress(record.steps_done, record.steps_planned, &record.counts);
            assert!(now >= last, "progress went back from {last} to {now} at {event:?}");
            let counts = &record.counts;
            let sum = counts.pending + counts.running + counts.waiting + counts.succeeded + counts.filtered;
            let sum = sum + counts.rejected + counts.undecided + counts.failed + counts.cancelled;
            assert_eq!(sum, counts.planned);
            last = now;
            seen.push(event);
        }
    };
    soon(watching).await;
    engine.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_gapless_to_the_end(&seen);
    assert_eq!(seen, shop.events(job.id).await);
    assert!((last - 1.0).abs() < f64::EPSILON, "{last}");
    let record = engine.job(job.id).await.unwrap();
    assert!(record.counts.succeeded > 0 && record.counts.failed > 0, "{:?}", record.counts);
    let EventBody::Finished { status, counts } = &seen.last().unwrap().body else { panic!("{seen:?}") };
    assert_eq!((*status, counts), (record.status, &record.counts));
}

async fn a_cancelled_job_ends_with_its_last_event_too(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().latency(Duration::from_millis(50))).await;
    let engine = shop.engine(Repeat::Unsafe);
    engine.start().await;
    let job = engine.submit(pictures(&[("generate.variations", json!(4))])).await.unwrap();
    let mut watch = engine.watch(job.id, EventSeq::START);
    soon(watch.next()).await.unwrap();
    engine.cancel(job.id).await.unwrap();
    while soon(watch.next()).await.unwrap().is_some() {}
    engine.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(engine.job(job.id).await.unwrap().status, JobStatus::Cancelled);
    assert_gapless_to_the_end(&shop.events(job.id).await);
}
