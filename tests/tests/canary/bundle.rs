//! No text of a person is in the archive of a job, unless it is asked for.

use pipeline::core::storage::{ItemQuery, Reviewer};
use pipeline::engine::{BundleRequest, RetryRequest, Wish};
use pipeline::prelude::*;
use pipeline_testkit::vendor::{FakeVendor, Reply, VendorScript};
use serde_json::{Value, json};

use crate::scan::Scan;
use crate::{CANARY, http};

/// A word that stands in every text a person gives.
const PLANTED: &str = "Planted-quagga-81";

const PIPELINE: &str = r#"
name = "planted"

[stages.keywords]
kind = "source.keywords"

[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]

[stages.prompt.settings]
template = "{{ keyword }} in the style of Planted-quagga-81"

[stages.generate]
kind = "image.generate"
needs = ["prompt"]
when = "prompt.prompt != 'Planted-quagga-81'"

[stages.publish]
kind = "output.folder"
needs = ["generate"]
"#;

fn scanned(bundle: &pipeline::engine::Bundle) -> Scan {
    let mut scan = Scan::new(PLANTED);
    for (name, content) in &bundle.documents {
        scan.text(name, std::str::from_utf8(content).unwrap());
    }
    scan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_people_are_in_no_document_of_a_bundle_unless_they_are_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let vendor = FakeVendor::start(VendorScript::new().key(CANARY).replies([Reply::Refused])).await.unwrap();
    let engine = pipeline::local_engine()
        .provider("tasks", http(&vendor, pipeline::providers::http::Mode::Direct))
        .store(SqliteStore::open(home.path().join(format!("{PLANTED}.db"))).await.unwrap())
        .artifacts(Artifacts::memory())
        .build()
        .unwrap();
    let out = home.path().join(PLANTED);
    let mut request = JobRequest::toml(&format!("{PLANTED}.toml"), PIPELINE)
        .keywords([format!("{PLANTED} one"), format!("{PLANTED} two"), format!("{PLANTED} three")])
        .owner(PLANTED)
        .label(PLANTED)
        .out(&out);
    for (name, value) in [("generate.provider", json!("tasks")), ("generate.sizes", json!(["64x64"]))] {
        request = request.set(name, value).unwrap();
    }
    let job = engine.submit(request).await.unwrap().id;
    engine.run_until_idle().await.unwrap();
    let items = engine.items(ItemQuery::of(job)).await.unwrap();
    let by = Reviewer { actor: PLANTED.to_owned(), reason: Some(format!("too {PLANTED}")) };
    let wish = Wish::Retry(RetryRequest::default());
    engine.review(job, &items, &wish, &by, false).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let extra = vec![(
        "doctor".to_owned(),
        json!([{"check": "home", "state": "ok", "detail": format!("/{PLANTED} can be written")}]),
    )];
    let request = BundleRequest { extra, ..BundleRequest::default() };
    let bundle = engine.bundle(job, &request).await.unwrap();
    scanned(&bundle).assert_clean();
    // What is left is worth having: ids, states, codes, the stages, and the same hash for the same text.
    let text = |name: &str| {
        let document = bundle.documents.iter().find(|(one, _)| one == name).unwrap();
        String::from_utf8(document.1.clone()).unwrap()
    };
    let line = |name: &str| -> Value { serde_json::from_str(text(name).lines().next().unwrap()).unwrap() };
    let job_document: Value = serde_json::from_str(&text("job.json")).unwrap();
    assert_eq!((&job_document["id"], &job_document["status"]), (&json!(job), &json!("completed")));
    assert!(job_document["label"].as_str().unwrap().starts_with("text:"), "{job_document}");
    assert_eq!(job_document["label"], job_document["owner"]);
    assert_eq!(job_document["label"], line("reviews.ndjson")["actor"]);
    assert!(text("events.ndjson").contains("refused") && text("plan.json").contains("output.folder"));
    assert_eq!(line("calls.ndjson")["state"], "failed");
    let manifest: Value = serde_json::from_str(&text("manifest.json")).unwrap();
    let named = manifest["documents"].as_array().unwrap().len();
    assert_eq!(named + 1, bundle.documents.len(), "every document but the manifest is named in it");
    assert!(bundle.packed().unwrap().len() > 500);
    // The same search finds it where it is asked for.
    let request = BundleRequest { with_content: true, ..request };
    let found = scanned(&engine.bundle(job, &request).await.unwrap()).found().len();
    assert!(found >= 6, "{found}");
}
