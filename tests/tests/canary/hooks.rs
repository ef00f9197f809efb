//! The secrets of webhooks are in the signatures they make, and nowhere else.

use pipeline::core::provider::HookTarget;
use pipeline::core::settings::SecretRef;
use pipeline::core::storage::{DeliveryQuery, EventFilter, HookJobs, HookPolicy, HookSpec};
use pipeline::prelude::*;
use pipeline_testkit::receiver::{Answer, Receiver};

use crate::scan::{Log, Scan};

/// A secret, and another that is none.
const SECRET: &str = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";
const WRONG: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ";

pub(crate) async fn a_secret_is_found_nowhere(log: &Log) {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut scan = Scan::new(WRONG);
    let receiver = Receiver::start(SECRET).await.unwrap();
    let engine = pipeline::local_engine()
        .store(SqliteStore::open(home.path().join("jobs.db")).await.unwrap())
        .artifacts(Artifacts::memory())
        .build()
        .unwrap();
    let policy = HookPolicy { attempts: 1, ..HookPolicy::default() };
    for (name, secret) in [("good", SECRET), ("wrong", WRONG)] {
        let path = elsewhere.path().join(name);
        std::fs::write(&path, secret).unwrap();
        let secrets = vec![SecretRef::File(path.to_string_lossy().into_owned())];
        let target = HookTarget::Webhook { url: receiver.url(), secrets, allow_private: true };
        let spec = HookSpec { target, events: EventFilter::default(), jobs: HookJobs::default(), policy };
        let hook = engine.add_hook("system", name, spec).await.unwrap();
        scan.text("a hook", &format!("{hook:?}"));
        scan.json("a hook", &hook);
        scan.text("an answer", &format!("{:?}", engine.test_hook(&hook).await));
    }
    receiver.answer([Answer::Status(500)]);
    let job = engine.submit(JobRequest::preset("factory").keywords(["a"])).await.unwrap();
    engine.cancel(job.id).await.unwrap();
    let round = engine.deliver_hooks(None).await.unwrap();
    assert_eq!((round.delivered, round.failed), (2, 4), "the secret that is none fails each message");
    assert!(receiver.received().iter().all(|one| one.genuine));
    let kept = engine.store().deliveries(DeliveryQuery::default()).await.unwrap();
    assert!(kept.iter().any(|known| known.error.as_ref().is_some_and(|error| error.contains("whsec_"))), "{kept:?}");
    scan.json("the messages", &kept);
    scan.json("the hooks", &engine.store().hooks().await.unwrap());
    scan.text("what was received", &format!("{:?}", receiver.received()));
    scan.folder(home.path());
    scan.text("the log", &log.text());
    scan.assert_clean();
}
