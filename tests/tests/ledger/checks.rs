//! An outage is never a verdict.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use pipeline::core::model::{Capability, ItemStatus, Verdict};
use pipeline::core::provider::{ProviderInfo, Repeat, Usage, VisionModel, VisionRequest, VisionResponse};
use pipeline::core::storage::CallState;
use pipeline::core::{Result, Retryability};
use pipeline::prelude::*;
use pipeline_testkit::vendor::VendorScript;
use serde_json::json;

use crate::shop::{Kind, Shop, checked, failure, run};

on_both_stores!(
    a_check_whose_provider_is_down_is_undecided,
    a_check_whose_provider_refuses_is_undecided,
    a_check_that_is_answered_without_a_verdict_is_undecided,
    a_check_that_is_answered_with_nonsense_is_undecided,
    a_check_that_panics_has_no_verdict_and_is_held,
    a_check_that_recovers_in_time_gives_its_verdict,
);

/// What the eye does at each look.
#[derive(Clone, Copy, Debug)]
enum Look {
    Fails(ErrorKind),
    SeesNothing,
    Panics,
    FailsOnce,
}

#[derive(Debug)]
struct Eye(ProviderInfo, Look, AtomicU32);

impl Eye {
    fn new(look: Look) -> Self {
        let info = ProviderInfo { repeat: Repeat::Unsafe, ..ProviderInfo::local("eye", Capability::Vision, "Looks.") };
        Self(info, look, AtomicU32::new(0))
    }
}

#[async_trait]
impl VisionModel for Eye {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn look(&self, _: VisionRequest) -> Result<VisionResponse> {
        let answer =
            |verdict| VisionResponse { answer: json!("mu"), verdict, fingerprint: None, usage: Usage::default() };
        match self.1 {
            Look::FailsOnce if self.2.fetch_add(1, Ordering::SeqCst) == 0 => {
                Err(Error::new(ErrorKind::Unavailable, "the eye is shut"))
            }
            Look::FailsOnce => Ok(answer(Some(Verdict::Pass))),
            Look::Fails(kind) => Err(Error::new(kind, "the eye is shut")),
            Look::SeesNothing => Ok(answer(None)),
            Look::Panics => panic!("as the test wants"),
        }
    }
}

async fn looked_at(kind: Kind, look: Look) -> (Shop, JobId) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let engine = shop.builder(Repeat::Unsafe).provider("eye", Eye::new(look)).build().unwrap();
    let job = engine.submit(checked(&[("qc.max_attempts", json!(2))])).await.unwrap();
    assert_eq!(run(&engine).await, RunSummary::Idle);
    (shop, job.id)
}

async fn assert_undecided(kind: Kind, look: Look, code: &str, retry: Retryability) {
    let (shop, job) = looked_at(kind, look).await;
    let item = shop.items(job).await.remove(0);
    assert_eq!(item.status, ItemStatus::Undecided, "{look:?}");
    let failure = failure(&item).unwrap();
    assert_eq!((failure.code.as_str(), failure.retry), (code, retry), "{look:?}");
    let history = shop.store.history(item.id).await.unwrap();
    assert!(history.iter().all(|result| result.verdict.is_none()), "no answer is invented");
    let counts = shop.store.job(job).await.unwrap().counts;
    assert_eq!((counts.undecided, counts.rejected), (1, 0));
    assert_eq!(shop.vendor.requests().len(), 1, "the picture is not bought again");
}

async fn a_check_whose_provider_is_down_is_undecided(kind: Kind) {
    let down = Look::Fails(ErrorKind::Unavailable);
    assert_undecided(kind, down, "unavailable", Retryability::Exhausted).await;
}

async fn a_check_whose_provider_refuses_is_undecided(kind: Kind) {
    assert_undecided(kind, Look::Fails(ErrorKind::Refused), "refused", Retryability::Refused).await;
    assert_undecided(kind, Look::Fails(ErrorKind::Unauthorized), "unauthorized", Retryability::Permanent).await;
}

async fn a_check_that_is_answered_without_a_verdict_is_undecided(kind: Kind) {
    assert_undecided(kind, Look::SeesNothing, "corrupt", Retryability::Permanent).await;
}

async fn a_check_that_is_answered_with_nonsense_is_undecided(kind: Kind) {
    assert_undecided(kind, Look::Fails(ErrorKind::Corrupt), "corrupt", Retryability::Permanent).await;
}

async fn a_check_that_panics_has_no_verdict_and_is_held(kind: Kind) {
    // Whether the vendor has charged is unknown: a person decides, and meanwhile there is no verdict.
    let (shop, job) = looked_at(kind, Look::Panics).await;
    let item = shop.items(job).await.remove(0);
    assert!(crate::shop::is_held(&item), "{item:?}");
    let call = shop.calls(job).await.pop().unwrap();
    assert_eq!((call.provider.as_str(), call.state), ("eye", CallState::Unknown));
}

async fn a_check_that_recovers_in_time_gives_its_verdict(kind: Kind) {
    let (shop, job) = looked_at(kind, Look::FailsOnce).await;
    assert_eq!(shop.items(job).await[0].status, ItemStatus::Succeeded);
}
