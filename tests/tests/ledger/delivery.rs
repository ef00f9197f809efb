//! What was delivered is paid and kept; what was not is asked for again.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::core::id::Digest;
use pipeline::core::model::{Artifact, JobStatus};
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{ArtifactStore, CallState, StoredArtifact};
use pipeline::core::time::Timestamp;
use pipeline::core::{Error, ErrorKind, Result};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{Reply, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, pictures, run};

on_both_stores!(
    four_siblings_are_one_request,
    a_generator_with_a_limit_is_asked_as_often_as_needed,
    missing_pictures_are_asked_for_again_and_only_they_are,
    only_what_was_delivered_is_paid_when_the_vendor_is_silent_about_the_cost,
    pictures_behind_links_are_fetched_after_the_call_is_settled,
    what_was_bought_waits_until_there_is_room_for_it,
);

/// Artifacts that can be kept after so many failures.
#[derive(Debug)]
struct Full {
    artifacts: Artifacts,
    kind: ErrorKind,
    left: AtomicU32,
}

#[async_trait]
impl ArtifactStore for Full {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let fail = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fail { Err(Error::new(self.kind, "no place")) } else { self.artifacts.put(content).await }
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        self.artifacts.get(digest).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool> {
        self.artifacts.contains(digest).await
    }

    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>> {
        self.artifacts.list(first).await
    }

    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool> {
        self.artifacts.remove(digest, before).await
    }

    fn location(&self) -> String {
        self.artifacts.location()
    }
}

async fn four_siblings_are_one_request(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let job = engine.submit(pictures(&[("generate.variations", json!(4))])).await.unwrap();
    run(&engine).await;
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 4));
    let requests = shop.vendor.requests();
    assert_eq!((requests.len(), requests[0].pictures), (1, 4));
    shop.assert_books_agree(job.id).await;
}

async fn a_generator_with_a_limit_is_asked_as_often_as_needed(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let limited = shop.client(Repeat::Unsafe).max_per_call(3);
    let engine = shop.builder(Repeat::Unsafe).provider("vendor", limited).build().unwrap();
    let job = engine.submit(pictures(&[("generate.variations", json!(7))])).await.unwrap();
    run(&engine).await;
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, 7);
    let asked: Vec<u32> = shop.vendor.requests().iter().map(|request| request.pictures).collect();
    assert_eq!(asked, [3, 3, 1]);
    shop.assert_books_agree(job.id).await;
}

async fn missing_pictures_are_asked_for_again_and_only_they_are(kind: Kind) {
    let script = VendorScript::new().price_micros(10_001).replies([Reply::DeliverOnly(1), Reply::DeliverOnly(2)]);
    let shop = Shop::open(kind, script).await;
    let engine = shop.engine(Repeat::Unsafe);
    let settings = [("generate.variations", json!(4)), ("generate.max_attempts", json!(3))];
    let job = engine.submit(pictures(&settings)).await.unwrap();
    run(&engine).await;
    let record = engine.job(job.id).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 4));
    let asked: Vec<u32> = shop.vendor.requests().iter().map(|request| request.pictures).collect();
    assert_eq!(asked, [4, 3, 1]);
    assert_eq!(shop.vendor.charges().pictures, 4);
    shop.assert_books_agree(job.id).await;
}

async fn only_what_was_delivered_is_paid_when_the_vendor_is_silent_about_the_cost(kind: Kind) {
    let script = VendorScript::new().price_micros(50_000).silent_about_cost().replies([Reply::DeliverOnly(3)]);
    let shop = Shop::open(kind, script).await;
    let client = shop.client(Repeat::Unsafe).price_micros(50_000);
    let engine = shop.builder(Repeat::Unsafe).provider("vendor", client).build().unwrap();
    let settings = [("generate.variations", json!(4)), ("generate.max_attempts", json!(2))];
    let job = engine.submit(pictures(&settings)).await.unwrap();
    run(&engine).await;
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, 4);
    let calls = shop.calls(job.id).await;
    let amounts: Vec<_> = calls.iter().map(|call| (call.reserved, call.cost)).collect();
    let dollars = |micros| Money::from_micros(micros);
    assert_eq!(amounts, [(dollars(200_000), Some(dollars(150_000))), (dollars(50_000), Some(dollars(50_000))),]);
    shop.assert_books_agree(job.id).await;
}

async fn pictures_behind_links_are_fetched_after_the_call_is_settled(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new().links()).await;
    let engine = shop.engine(Repeat::Unsafe);
    let job = engine.submit(pictures(&[("generate.variations", json!(2))])).await.unwrap();
    run(&engine).await;
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, 2);
    let calls = shop.calls(job.id).await;
    assert_eq!((calls.len(), calls[0].state), (1, CallState::Succeeded));
    assert_eq!(calls[0].external_id.as_deref(), Some("order-1"));
    shop.assert_books_agree(job.id).await;
}

async fn what_was_bought_waits_until_there_is_room_for_it(kind: Kind) {
    for error in [ErrorKind::Exhausted, ErrorKind::Unavailable] {
        let shop = Shop::open(kind, VendorScript::new()).await;
        let full = Full { artifacts: shop.artifacts.clone(), kind: error, left: AtomicU32::new(5) };
        let engine = shop.builder(Repeat::Unsafe).artifacts(full).build().unwrap();
        // Neither the time nor the tries of the stage suffice for the wait.
        let settings = [("generate.timeout_seconds", json!(2)), ("generate.max_attempts", json!(1))];
        let job = engine.submit(pictures(&settings)).await.unwrap();
        run(&engine).await;
        assert_eq!(engine.job(job.id).await.unwrap().status, JobStatus::Completed);
        assert_eq!((shop.vendor.charges().calls, shop.calls(job.id).await.len()), (1, 1));
        shop.assert_books_agree(job.id).await;
    }
}
