//! Looking after a store: what is wrong is found, what nobody names is removed, and nothing else.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::engine::upkeep::{GcOptions, LEAST_GRACE, Upkeep, VerifyOptions};
use pipeline_core::id::Digest;
use pipeline_core::model::{Artifact, ItemStatus};
use pipeline_core::storage::{ArtifactStore, Commit, Store, StoredArtifact};
use pipeline_core::time::Timestamp;
use pipeline_core::{ErrorKind, Result};
use pipeline_store::{Artifacts, MemoryStore, SqliteStore, SystemClock};
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock, ending, holding};

/// Records of finished items, and their files in a folder.
struct Place {
    bench: Bench,
    artifacts: Arc<dyn ArtifactStore>,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.unwrap();
        Self::with(store, folder)
    }

    fn with(store: impl Store, folder: tempfile::TempDir) -> Self {
        let artifacts = Arc::new(Artifacts::directory(folder.path().join("artifacts")).unwrap());
        Self { bench: Bench::new(store, SteppedClock::new(), ()), artifacts, folder }
    }

    fn upkeep(&self) -> Upkeep {
        self.upkeep_with(Arc::clone(&self.artifacts))
    }

    fn upkeep_with(&self, artifacts: Arc<dyn ArtifactStore>) -> Upkeep {
        Upkeep::new(Arc::clone(&self.bench.store), artifacts, Arc::new(SystemClock))
    }

    async fn put(&self, name: &str) -> Artifact {
        self.artifacts.put(Bytes::from(name.to_owned())).await.unwrap()
    }

    fn path(&self, digest: Digest) -> std::path::PathBuf {
        let hex = digest.to_hex();
        self.folder.path().join("artifacts").join(&hex[..2]).join(&hex[2..4]).join(hex)
    }

    /// Lets a file be as old as two days.
    fn age(&self, digest: Digest) {
        let file = std::fs::File::options().append(true).open(self.path(digest)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();
    }

    /// Ends the items of a new job, each with a file of its own.
    async fn finish(&self, names: &[&str]) -> Vec<Artifact> {
        let (job, _) = self.bench.submit(u32::try_from(names.len()).unwrap()).await;
        let session = self.bench.session_for(Some(job)).await;
        let mut made = Vec::new();
        for (claimed, name) in self.bench.claim(session, 100).await.iter().zip(names) {
            let artifact = self.put(name).await;
            let mut commit = ending(claimed, ItemStatus::Succeeded);
            commit.results[0].files = BTreeMap::from([("image".to_owned(), artifact.clone())]);
            self.bench.commit(session, commit).await;
            made.push(artifact);
        }
        self.bench.store.close_session(session).await.unwrap();
        made
    }

    fn kept(&self) -> BTreeSet<Digest> {
        files(&self.folder.path().join("artifacts"))
    }
}

fn files(folder: &Path) -> BTreeSet<Digest> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.extend(path.file_name().unwrap().to_string_lossy().parse::<Digest>().ok());
        }
    }
    found
}

const DAY: GcOptions = GcOptions { grace: Duration::from_hours(24), dry_run: false };

#[tokio::test]
async fn exactly_the_old_orphans_are_removed_and_a_dry_run_names_the_same() {
    let place = Place::new().await;
    let made = place.finish(&["one", "two"]).await;
    let (old, young) = ([place.put("old").await, place.put("older").await], place.put("young").await);
    made.iter().chain(&old).for_each(|artifact| place.age(artifact.digest));
    let before = place.kept();
    let mut named = Vec::new();
    let dry = place.upkeep().gc(GcOptions { dry_run: true, ..DAY }, |gone| named.push(gone.digest)).await.unwrap();
    assert_eq!(place.kept(), before, "a dry run removes nothing");
    let mut removed = Vec::new();
    let report = place.upkeep().gc(DAY, |gone| removed.push(gone.digest)).await.unwrap();
    assert_eq!((report, removed.clone()), (dry, named));
    assert_eq!((report.artifacts, report.young, report.removed, report.bytes), (5, 1, 2, 8));
    assert_eq!(removed.into_iter().collect::<BTreeSet<_>>(), old.iter().map(|artifact| artifact.digest).collect());
    let kept = made.iter().chain([&young]).map(|artifact| artifact.digest).collect();
    assert_eq!(place.kept(), kept);
    assert!(place.upkeep().verify(VerifyOptions::default()).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_file_that_only_an_input_a_response_or_a_setting_names_stays() {
    let place = Place::new().await;
    let (input, setting, response) = (place.put("input").await, place.put("setting").await, place.put("reply").await);
    let mut job = pipeline_testkit::conformance::fixture::new_job();
    job.plan.settings = serde_json::json!({ "watermark": format!("artifact:{}", setting.digest) });
    let mut item = pipeline_testkit::conformance::fixture::new_item(0);
    item.input.insert("picture".to_owned(), serde_json::json!(input));
    let (job, _) = place.bench.submit_with(job, vec![item]).await;
    let session = place.bench.session_for(Some(job)).await;
    let claimed = place.bench.claim(session, 1).await;
    let call = pipeline_testkit::conformance::fixture::new_call(job, &[claimed[0].item.id]);
    place.bench.commit(session, Commit { calls: vec![call.clone()], ..holding(&claimed[0]) }).await;
    let settlement = pipeline_core::storage::Settlement {
        call: call.id,
        state: pipeline_core::storage::CallState::Succeeded,
        sending: None,
        cost: pipeline_core::model::Money::ZERO,
        response: Some(serde_json::json!({ "images": [response] })),
        failure: None,
        external_id: None,
        outage: false,
    };
    place.bench.store.settle(settlement).await.unwrap();
    let orphan = place.put("orphan").await;
    for artifact in [&input, &setting, &response, &orphan] {
        place.age(artifact.digest);
    }
    let report = place.upkeep().gc(DAY, |gone| assert_eq!(gone.digest, orphan.digest)).await.unwrap();
    assert_eq!((report.removed, place.kept().len()), (1, 3));
}

/// Artifacts that somebody puts again once they were all listed, as an upload does that began before.
#[derive(Debug)]
struct Uploading {
    artifacts: Arc<dyn ArtifactStore>,
    content: Bytes,
    /// The planted bug: what is removed is not looked at again.
    careless: bool,
    done: AtomicBool,
}

#[async_trait]
impl ArtifactStore for Uploading {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        self.artifacts.put(content).await
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        self.artifacts.get(digest).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool> {
        self.artifacts.contains(digest).await
    }

    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>> {
        let listed = self.artifacts.list(first).await?;
        if first == u8::MAX && !self.done.swap(true, Ordering::SeqCst) {
            self.artifacts.put(self.content.clone()).await?;
        }
        Ok(listed)
    }

    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool> {
        let before = if self.careless { Timestamp::from_micros(i64::MAX) } else { before };
        self.artifacts.remove(digest, before).await
    }

    fn location(&self) -> String {
        self.artifacts.location()
    }
}

/// Puts an old orphan again while it is about to be removed; tells whether it is there at the end.
async fn upload_survives(careless: bool) -> bool {
    let place = Place::new().await;
    let orphan = place.put("made again").await;
    place.age(orphan.digest);
    let uploading = Uploading {
        artifacts: Arc::clone(&place.artifacts),
        content: Bytes::from_static(b"made again"),
        careless,
        done: AtomicBool::new(false),
    };
    place.upkeep_with(Arc::new(uploading)).gc(DAY, |_| {}).await.unwrap();
    place.artifacts.contains(orphan.digest).await.unwrap()
}

#[tokio::test]
async fn what_is_put_again_while_it_is_about_to_be_removed_stays() {
    assert!(upload_survives(false).await);
}

#[tokio::test]
async fn the_planted_removal_of_what_is_younger_than_an_open_upload_is_found() {
    assert!(!upload_survives(true).await);
}

#[tokio::test]
async fn a_grace_shorter_than_an_upload_is_refused_while_somebody_works() {
    let place = Place::with(MemoryStore::new(), tempfile::tempdir().unwrap());
    let orphan = place.put("orphan").await;
    let session = place.bench.session().await;
    let short = GcOptions { grace: Duration::ZERO, dry_run: false };
    let error = place.upkeep().gc(short, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("accepted"), "{error}");
    assert!(place.artifacts.contains(orphan.digest).await.unwrap());
    assert_eq!(place.upkeep().gc(GcOptions { grace: LEAST_GRACE, ..short }, |_| {}).await.unwrap().young, 1);
    place.bench.store.close_session(session).await.unwrap();
    place.age(orphan.digest);
    assert_eq!(place.upkeep().gc(short, |_| {}).await.unwrap().removed, 1);
}

#[tokio::test]
async fn a_missing_file_and_a_damaged_one_are_told_with_the_result_that_names_them() {
    let place = Place::new().await;
    let made = place.finish(&["sound", "missing", "damaged"]).await;
    let report = place.upkeep().verify(VerifyOptions::default()).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.audit.breaches);
    assert_eq!((report.jobs, report.artifacts, report.bytes), (1, 3, 19));
    std::fs::remove_file(place.path(made[1].digest)).unwrap();
    std::fs::write(place.path(made[2].digest), b"DAMAGED").unwrap();
    let report = place.upkeep().verify(VerifyOptions::default()).await.unwrap();
    let mut told: Vec<String> = report.audit.breaches.iter().map(ToString::to_string).collect();
    told.sort_by_key(|told| told.contains("missing"));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains(&made[2].digest.to_hex()) && told[0].contains("damaged"), "{told:#?}");
    assert!(told[1].contains(&made[1].digest.to_hex()) && told[1].starts_with("result "), "{told:#?}");
    let quick = place.upkeep().verify(VerifyOptions { content: false }).await.unwrap();
    assert_eq!(quick.audit.breaches.len(), 1, "without reading, only what is missing is found");
}

#[tokio::test]
async fn stats_count_records_and_files() {
    let place = Place::new().await;
    place.finish(&["one", "three"]).await;
    let stats = place.upkeep().stats().await.unwrap();
    assert_eq!((stats.records.jobs, stats.records.items, stats.records.results), (1, 2, 2));
    assert_eq!((stats.artifacts.count, stats.artifacts.bytes), (2, 8));
    assert!(stats.records.bytes.unwrap() > 0);
}
