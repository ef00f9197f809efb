//! A store, a folder of files and a vendor, with an engine between them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipeline::core::executor::{StageState, Stop, Wait};
use pipeline::core::model::{Failure, ItemStatus, Money};
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{CallQuery, CallRecord, CallState, EventBody, EventRecord, ItemQuery, ItemRecord, Store};
use pipeline::engine::EngineBuilder;
use pipeline::prelude::*;
use pipeline_store::{SqliteOptions, Synchronous};
use pipeline_testkit::vendor::{FakeVendor, VendorClient, VendorScript};
use serde_json::{Value, json};

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
}

const PICTURES: &str = r#"
name = "pictures"

[stages.keywords]
kind = "source.keywords"

[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]

[stages.generate]
kind = "image.generate"
needs = ["prompt"]
"#;

const CHECKED: &str = r#"
[stages.qc]
kind = "image.qc"
needs = ["generate"]
"#;

/// A store, a folder of files and a vendor.
pub(crate) struct Shop {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vendor: FakeVendor,
    pub(crate) artifacts: Artifacts,
    pub(crate) database: Option<PathBuf>,
    pub(crate) _folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) async fn open(kind: Kind, script: VendorScript) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = (kind == Kind::Sqlite).then(|| folder.path().join("jobs.db"));
        let store: Arc<dyn Store> = match &database {
            None => Arc::new(MemoryStore::new()),
            Some(path) => Arc::new(sqlite(path).await),
        };
        let vendor = FakeVendor::start(script).await.unwrap();
        Self { store, vendor, artifacts: Artifacts::memory(), database, _folder: folder }
    }

    /// Another handle of the same records.
    pub(crate) async fn second_handle(&self) -> Arc<dyn Store> {
        match &self.database {
            None => Arc::clone(&self.store),
            Some(path) => Arc::new(sqlite(path).await),
        }
    }

    pub(crate) fn client(&self, repeat: Repeat) -> VendorClient {
        VendorClient::new(&self.vendor.url(), "key".to_owned().into(), repeat).unwrap()
    }

    /// An engine to be, with the vendor bound and a short lease.
    pub(crate) fn builder(&self, repeat: Repeat) -> EngineBuilder {
        pipeline::local_engine()
            .provider("vendor", self.client(repeat))
            .shared_store(Arc::clone(&self.store))
            .artifacts(self.artifacts.clone())
            .lease(Duration::from_secs(2))
            .patience(Duration::from_secs(3))
    }

    pub(crate) fn engine(&self, repeat: Repeat) -> Engine {
        self.builder(repeat).build().unwrap()
    }

    pub(crate) async fn calls(&self, job: JobId) -> Vec<CallRecord> {
        self.store.calls(CallQuery { job: Some(job), ..CallQuery::default() }).await.unwrap()
    }

    pub(crate) async fn items(&self, job: JobId) -> Vec<ItemRecord> {
        self.store.items(ItemQuery::of(job)).await.unwrap()
    }

    pub(crate) async fn events(&self, job: JobId) -> Vec<EventRecord> {
        self.store.events(job, EventSeq::START, 1000).await.unwrap()
    }

    /// Waits until the store has declared every session dead.
    pub(crate) async fn wait_for_the_lease_to_end(&self) {
        until(|| async { self.store.sessions(None).await.unwrap().is_empty() }).await;
    }

    /// Checks the books: what the vendor charged, the ledger, the results, the items and the job all say the same.
    pub(crate) async fn assert_books_agree(&self, job: JobId) {
        let charged = Money::from_micros(self.vendor.charges().micros);
        let calls = self.calls(job).await;
        let sum = |parts: Vec<Money>| parts.into_iter().fold(Money::ZERO, |sum, part| sum + part);
        assert_eq!(sum(calls.iter().filter_map(|call| call.cost).collect()), charged, "the ledger: {calls:?}");
        let items = self.items(job).await;
        assert_eq!(sum(items.iter().map(|item| item.cost).collect()), charged, "the items");
        let mut results = Vec::new();
        for item in &items {
            results.extend(self.store.history(item.id).await.unwrap().into_iter().map(|result| result.cost));
        }
        assert_eq!(sum(results), charged, "the results");
        assert_eq!(self.store.job(job).await.unwrap().cost, charged, "the job");
        assert!(calls.iter().all(|call| call.state != CallState::Open), "{calls:?}");
    }
}

async fn sqlite(path: &std::path::Path) -> SqliteStore {
    let options = SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() };
    SqliteStore::open_with(path, options).await.unwrap()
}

/// Pictures from the vendor, one keyword, small, with these settings on top.
pub(crate) fn pictures(settings: &[(&str, Value)]) -> JobRequest {
    request(PICTURES, settings)
}

/// The same, with a check by the provider `eye`.
pub(crate) fn checked(settings: &[(&str, Value)]) -> JobRequest {
    request(&format!("{PICTURES}{CHECKED}"), settings).set("qc.provider", "eye").unwrap()
}

fn request(text: &str, settings: &[(&str, Value)]) -> JobRequest {
    let mut request = JobRequest::toml("pictures.toml", text).keywords(["a heron"]);
    let base = [("generate.provider", json!("vendor")), ("generate.sizes", json!(["64x64"]))];
    for (name, value) in base.iter().chain(settings) {
        request = request.set(name, value).unwrap();
    }
    request
}

/// Runs until idle, but not for ever.
pub(crate) async fn run(engine: &Engine) -> RunSummary {
    soon(engine.run_until_idle()).await.unwrap()
}

/// Fails the test rather than hang.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(5), what).await.unwrap_or_else(|_| panic!("it takes too long"))
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(wait).await;
}

/// Why the item failed or is undecided.
pub(crate) fn failure(item: &ItemRecord) -> Option<Failure> {
    item.machine.stages.iter().find_map(|state| match state {
        StageState::Stopped { stop: Stop::Failed { failure }, .. } => Some(failure.clone()),
        StageState::Stopped { stop: Stop::Undecided { failure }, .. } => failure.clone(),
        _ => None,
    })
}

/// Whether the item waits for a person.
pub(crate) fn is_held(item: &ItemRecord) -> bool {
    let held = |state: &StageState| matches!(state, StageState::Waiting { on: Wait::Person { .. }, .. });
    item.status == ItemStatus::Waiting && item.machine.stages.iter().any(held)
}

/// Checks that the sequence has no gap and ends with the job's end, told once.
pub(crate) fn assert_gapless_to_the_end(events: &[EventRecord]) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(u64::try_from(event.seq.0).unwrap(), index as u64 + 1);
    }
    let ends = events.iter().filter(|event| matches!(event.body, EventBody::Finished { .. })).count();
    assert_eq!(ends, 1);
    assert!(matches!(events.last().unwrap().body, EventBody::Finished { .. }));
}
