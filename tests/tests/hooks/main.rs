//! Hooks from the event table to the receiver: signed, retried, in order, at least once, and only where they may lead.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[cfg(unix)]
mod programs;
mod recipe;
mod webhooks;

use std::path::Path;
use std::time::Duration;

use pipeline::core::id::{HookId, JobId};
use pipeline::core::provider::HookTarget;
use pipeline::core::settings::SecretRef;
use pipeline::core::storage::{
    DeliveryQuery, DeliveryRecord, EventFilter, Hook, HookJobs, HookPolicy, HookSpec, NewHook,
};
use pipeline::prelude::*;

/// Two secrets of receivers.
pub(crate) const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];

/// An engine on a store in a folder, which can be opened several times.
pub(crate) async fn engine(folder: &Path) -> Engine {
    pipeline::local_engine()
        .store(SqliteStore::open(folder.join("jobs.db")).await.unwrap())
        .artifacts(Artifacts::directory(folder.join("artifacts")).unwrap())
        .build()
        .unwrap()
}

/// A target with secrets in files of the folder.
pub(crate) fn webhook(folder: &Path, url: &str, secrets: &[&str], allow_private: bool) -> HookTarget {
    let keep = |(number, secret): (usize, &&str)| {
        let path = folder.join(format!("secret-{number}"));
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        SecretRef::File(path.to_string_lossy().into_owned())
    };
    HookTarget::Webhook { url: url.to_owned(), secrets: secrets.iter().enumerate().map(keep).collect(), allow_private }
}

/// Tries twice, at once.
pub(crate) fn spec(target: HookTarget) -> HookSpec {
    let policy = HookPolicy { timeout: Duration::from_secs(10), attempts: 2, first_wait: Duration::from_millis(1) };
    let events = EventFilter::default();
    HookSpec { target, events, jobs: HookJobs::default(), policy }
}

pub(crate) async fn add(engine: &Engine, target: HookTarget) -> Hook {
    engine.add_hook("system", "tell", spec(target)).await.unwrap()
}

/// Adds a hook behind the engine's back.
pub(crate) async fn add_unchecked(engine: &Engine, target: HookTarget) -> Hook {
    let new = NewHook {
        id: HookId::from_uuid(uuid::Uuid::from_u128(7)),
        owner: "system".to_owned(),
        name: "tell".to_owned(),
        spec: spec(target),
    };
    engine.store().add_hook(new).await.unwrap()
}

/// Submits a job, and cancels it: `submitted`, `controlled`, `finished`.
pub(crate) async fn three_events(engine: &Engine) -> JobId {
    let job = engine.submit(JobRequest::preset("factory").keywords(["a"])).await.unwrap();
    engine.cancel(job.id).await.unwrap();
    job.id
}

/// The events a job of [`three_events`] tells.
pub(crate) const TOLD: [&str; 3] = ["job.submitted", "job.controlled", "job.finished"];

pub(crate) async fn deliveries(engine: &Engine) -> Vec<DeliveryRecord> {
    engine.store().deliveries(DeliveryQuery::default()).await.unwrap()
}

/// Delivers until nothing waits any more, by the clock of the store.
pub(crate) async fn deliver_all(engine: &Engine) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        engine.deliver_hooks(None).await.unwrap();
        if engine.store().take_lanes(None, 0).await.unwrap().next_at.is_none() {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "{:?}", deliveries(engine).await);
    }
}
