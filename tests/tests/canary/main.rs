//! A key given to a provider is found nowhere afterwards: not in logs, files, records, errors or debug output.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod bundle;
mod hooks;
mod scan;
mod settings;

use std::time::Duration;

use pipeline::core::error::chain;
use pipeline::core::id::CallId;
use pipeline::core::model::{LogLevel, Step};
use pipeline::core::provider::{CallContext, Dimensions, GenerateRequest, ImageGenerator, Repeat};
use pipeline::core::settings::SecretRef;
use pipeline::core::storage::{CallQuery, ItemQuery, LogQuery};
use pipeline::engine::BundleRequest;
use pipeline::prelude::*;
use pipeline::providers::http::{HttpConfig, HttpProvider, Mode};
use pipeline::store::SqliteLogs;
use pipeline_testkit::vendor::{FakeVendor, Reply, VendorClient, VendorScript};
use serde_json::json;

use scan::{Log, Scan};

/// The key. It looks like nothing else that is written anywhere.
const CANARY: &str = "CANARY-7f3a9c51d2e84b06";

/// What the vendor does, from the usual to the indiscreet.
fn scripts() -> Vec<(&'static str, VendorScript)> {
    let honest = || VendorScript::new().key(CANARY);
    let hang = Reply::Hang { charged: true };
    vec![
        ("delivers", honest()),
        ("delivers links", honest().links()),
        ("repeats the key it does not accept", VendorScript::new().key("another")),
        ("sends half an answer", honest().otherwise(Reply::Garbage)),
        ("repeats the key in an answer of the wrong shape", honest().otherwise(Reply::WrongShape)),
        ("refuses", honest().otherwise(Reply::Refused)),
        ("throttles", honest().replies([Reply::Throttled { after: 0 }])),
        ("has trouble", honest().otherwise(Reply::Status(500))),
        ("cuts the connection", honest().otherwise(Reply::Reset { charged: true })),
        ("never answers", honest().otherwise(hang)),
    ]
}

/// Makes something with the key the way a program gets it: from where a reference points.
fn with_key<T>(make: impl FnOnce(SecretRef) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    make(SecretRef::File(file.to_string_lossy().into_owned()))
}

fn client(vendor: &FakeVendor, repeat: Repeat) -> VendorClient {
    with_key(|key| VendorClient::from_reference(&vendor.url(), &key, repeat).unwrap())
}

pub(crate) fn http(vendor: &FakeVendor, mode: Mode) -> HttpProvider {
    let base = HttpConfig { mode, min_side: 16, max_per_call: 4, poll_seconds: 0.01, ..HttpConfig::new(vendor.url()) };
    with_key(|key| HttpProvider::from_config("http", HttpConfig { key: Some(key), ..base }).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_found_nowhere_after_jobs_that_went_well_and_jobs_that_did_not() {
    let log = Log::capture();
    let mut scan = Scan::new(CANARY);
    let home = tempfile::tempdir().unwrap();
    let vendor = FakeVendor::start(VendorScript::new()).await.unwrap();
    let engine = pipeline::local_engine()
        .provider("vendor", client(&vendor, Repeat::Unsafe))
        .provider("steady", client(&vendor, Repeat::Idempotent))
        .provider("tasks", http(&vendor, Mode::Task))
        .store(SqliteStore::open(home.path().join("jobs.db")).await.unwrap())
        .logs(SqliteLogs::beside(&home.path().join("jobs.db")))
        .log_level(Some(LogLevel::Debug))
        .artifacts(Artifacts::directory(home.path().join("artifacts")).unwrap())
        .build()
        .unwrap();
    let mut published = 0;
    for (what, script) in scripts() {
        for provider in ["vendor", "steady", "tasks"] {
            vendor.play(script.clone().idempotent());
            let mut request = JobRequest::preset("factory").keywords([what]).out(home.path().join("out"));
            for (setting, value) in [
                ("generate.provider", json!(provider)),
                ("generate.sizes", json!(["64x64"])),
                ("generate.variations", json!(2)),
                ("generate.max_attempts", json!(2)),
                ("generate.timeout_seconds", json!(0.3)),
                ("qc.enabled", json!(false)),
                ("publish.sidecar", json!("json")),
            ] {
                request = request.set(setting, value).unwrap();
            }
            let job = engine.submit(request).await.unwrap();
            tokio::time::timeout(Duration::from_secs(30), engine.run_until_idle()).await.unwrap().unwrap();
            published += engine.published(job.id).await.unwrap().len();
            records(&mut scan, &engine, job.id).await;
        }
    }
    assert!(published >= 8, "{published} files");
    errors(&mut scan, &vendor).await;
    scan.text("the engine", &format!("{engine:?} {engine:#?}"));
    scan.text("the providers", &format!("{:?}", engine.providers()));
    scan.text("the log", &log.text());
    assert!(log.text().len() > 1000, "the log is captured");
    let files = scan.folder(home.path());
    for part in ["jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.logs.db", "artifacts", "out"] {
        assert!(files.iter().any(|file| file.contains(part)), "{part} is looked at: {files:?}");
    }
    assert!(files.iter().any(|file| file.contains("out") && file.contains(".json")), "sidecars are looked at");
    scan.assert_clean();
    settings::a_literal_key_is_refused_without_being_repeated(&log).await;
    hooks::a_secret_is_found_nowhere(&log).await;
}

/// Looks at everything the store says about a job.
async fn records(scan: &mut Scan, engine: &Engine, job: JobId) {
    let store = engine.store();
    let plan = store.plan(job).await.unwrap();
    scan.json("the plan", &plan);
    scan.text("the plan's debug output", &format!("{plan:?}"));
    scan.json("the job", &store.job(job).await.unwrap());
    scan.json("the events", &store.events(job, EventSeq::START, 1000).await.unwrap());
    let calls = store.calls(CallQuery { job: Some(job), ..CallQuery::default() }).await.unwrap();
    assert!(!calls.is_empty());
    scan.json("the calls", &calls);
    let query = LogQuery { job: Some(job), limit: 10_000, ..LogQuery::default() };
    let lines = engine.logs().unwrap().entries(query).await.unwrap();
    assert!(lines.iter().any(|line| line.entry.step == Step::PromptSend), "calls are told");
    scan.json("the kept log", &lines);
    let items = store.items(ItemQuery::of(job)).await.unwrap();
    scan.text("the items' debug output", &format!("{items:?}"));
    // Not even with all texts in it.
    let request = BundleRequest { with_content: true, ..BundleRequest::default() };
    for (name, content) in engine.bundle(job, &request).await.unwrap().documents {
        scan.text(&name, &String::from_utf8(content).unwrap());
    }
    for item in items {
        scan.json("the results", &store.history(item.id).await.unwrap());
        scan.json("an item", &item);
    }
}

/// Looks at what the client itself says.
async fn errors(scan: &mut Scan, vendor: &FakeVendor) {
    let clients: [Box<dyn ImageGenerator>; 3] = [
        Box::new(client(vendor, Repeat::Unsafe)),
        Box::new(http(vendor, Mode::Direct)),
        Box::new(http(vendor, Mode::Task)),
    ];
    for client in clients {
        errors_of(scan, vendor, &*client).await;
    }
    for wrong in ["file:/nowhere/at/all", "env:NO_SUCH_VARIABLE_7F3A"] {
        let key: SecretRef = wrong.parse().unwrap();
        let error = VendorClient::from_reference("http://127.0.0.1:1", &key, Repeat::Unsafe);
        scan.text("a key that is not there", &format!("{error:?}"));
        let config = HttpConfig { key: Some(key), ..HttpConfig::new("http://127.0.0.1:1") };
        let error = HttpProvider::from_config("http", config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        scan.text("a key that is not there", &format!("{error:?}"));
    }
}

async fn errors_of(scan: &mut Scan, vendor: &FakeVendor, client: &dyn ImageGenerator) {
    scan.text("the client", &format!("{client:?} {client:#?} {:?}", client.info()));
    let mut failed = 0;
    for (what, script) in scripts() {
        vendor.play(script);
        let id = CallId::from_uuid(uuid::Uuid::nil());
        let request = GenerateRequest {
            prompt: what.to_owned(),
            negative_prompt: None,
            size: Dimensions { width: 32, height: 32 },
            seeds: vec![1],
            style: None,
            context: CallContext::new(id).timeout(Some(Duration::from_millis(200))),
        };
        match client.generate(request).await {
            Ok(answer) => scan.text(what, &format!("{answer:?}")),
            Err(error) => {
                failed += 1;
                scan.text(what, &format!("{error} {error:?} {error:#?} {}", chain(&error)));
            }
        }
    }
    assert_eq!(failed, 8, "{client:?}");
}

#[test]
fn a_planted_key_is_found_wherever_it_is_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("file.bin"), [b"\x00\xff".as_slice(), CANARY.as_bytes(), b"\x00"].concat()).unwrap();
    let mut scan = Scan::new(CANARY);
    scan.folder(home.path());
    scan.text("a text", &format!("Bearer {CANARY}"));
    scan.json("a value", &json!({ "deep": [{ "key": CANARY }] }));
    scan.text("another text", "nothing");
    assert_eq!(scan.found().len(), 3, "{:?}", scan.found());
}
