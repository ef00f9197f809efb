//! Backups: taken while the store is written, whole or not at all, and restored only where nothing is.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use pipeline::engine::upkeep::{Upkeep, VerifyOptions};
use pipeline::engine::{JobRequest, Recurrence};
use pipeline_core::ErrorKind;
use pipeline_core::id::HookId;
use pipeline_core::model::ItemStatus;
use pipeline_core::provider::HookTarget;
use pipeline_core::storage::{
    ArtifactStore as _, EventFilter, HookJobs, HookKeeper as _, HookPolicy, HookSpec, JobStore as _, NewHook, Outcome,
    ScheduleKeeper as _,
};
use pipeline_store::backup::{BackupOptions, backup, check, restore};
use pipeline_store::{Artifacts, SqliteStore, SystemClock};
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock, ending, uuid};

/// A store with its artifacts, in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    store: SqliteStore,
    artifacts: Artifacts,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.unwrap();
        let artifacts = Artifacts::directory(folder.path().join("artifacts")).unwrap();
        Self { folder, store, artifacts }
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// Ends the items of a new job, each with a file of its own.
    async fn work(&self, bench: &Bench, items: u32) {
        let (job, _) = bench.submit(items).await;
        let session = bench.session_for(Some(job)).await;
        for claimed in bench.claim(session, 100).await {
            let artifact = self.artifacts.put(Bytes::from(claimed.item.id.to_string())).await.unwrap();
            let mut commit = ending(&claimed, ItemStatus::Succeeded);
            commit.results[0].files = BTreeMap::from([("image".to_owned(), artifact)]);
            bench.commit(session, commit).await;
        }
    }

    fn bench(&self) -> Bench {
        Bench::new(self.store.clone(), SteppedClock::new(), ())
    }
}

/// Restores a backup into a fresh folder, and proves the store there; returns how many jobs it has.
async fn proved(from: &Path) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::directory(folder.path().join("artifacts")).unwrap();
    let database = folder.path().join("deep/er/jobs.db");
    restore(from, &database, &artifacts).await.unwrap();
    let store = SqliteStore::open(&database).await.unwrap();
    let upkeep = Upkeep::new(Arc::new(store), Arc::new(artifacts), Arc::new(SystemClock));
    let report = upkeep.verify(VerifyOptions::default()).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.audit.breaches);
    report.jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_taken_while_the_store_is_written_are_each_whole() {
    let place = Arc::new(Place::new().await);
    place.work(&place.bench(), 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (place, stop) = (Arc::clone(&place), Arc::clone(&stop));
        async move {
            let bench = place.bench();
            while !stop.load(Ordering::SeqCst) {
                place.work(&bench, 3).await;
            }
        }
    });
    let mut jobs = Vec::new();
    for _ in 0..4 {
        let report = backup(&place.store, &place.artifacts, &place.backups(), BackupOptions::default()).await.unwrap();
        assert_eq!((report.missing, report.linked), (0, report.artifacts));
        jobs.push(proved(&report.path).await);
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    assert!(jobs.is_sorted() && jobs[0] < jobs[3], "nothing was written meanwhile: {jobs:?}");
    assert_eq!(proved(&place.backups()).await, jobs[3], "of a folder of backups the newest is restored");
}

#[tokio::test]
async fn what_an_interrupted_backup_has_left_is_none_and_goes_with_the_next() {
    let place = Place::new().await;
    place.work(&place.bench(), 2).await;
    let (folder, part) = (place.backups(), place.backups().join(".part-2026-01-01T00-00-00.000000Z"));
    std::fs::create_dir_all(&part).unwrap();
    std::fs::write(part.join("manifest.json"), b"{}").unwrap();
    let database = place.folder.path().join("other.db");
    assert_eq!(check(&folder, &database).unwrap_err().kind(), ErrorKind::NotFound);
    let report = backup(&place.store, &place.artifacts, &folder, BackupOptions { keep: Some(1) }).await.unwrap();
    assert!(!part.exists() && report.path.exists() && report.removed.is_empty());
    let keep = BackupOptions { keep: Some(0) };
    let error = backup(&place.store, &place.artifacts, &folder, keep).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn only_one_backup_at_a_time_is_written_into_a_folder() {
    let place = Place::new().await;
    let folder = place.backups();
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join(".lock")).unwrap();
    lock.lock().unwrap();
    let take = || backup(&place.store, &place.artifacts, &folder, BackupOptions::default());
    assert_eq!(take().await.unwrap_err().kind(), ErrorKind::Conflict);
    drop(lock);
    take().await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_linked_are_copied_and_a_missing_one_is_told() {
    let place = Place::new().await;
    let bench = place.bench();
    let elsewhere = Artifacts::memory();
    let (job, _) = bench.submit(2).await;
    let session = bench.session_for(Some(job)).await;
    for (claimed, there) in bench.claim(session, 2).await.iter().zip([true, false]) {
        let content = Bytes::from(claimed.item.id.to_string());
        let store = if there { &elsewhere } else { &place.artifacts };
        let artifact = store.put(content).await.unwrap();
        let mut commit = ending(claimed, ItemStatus::Succeeded);
        commit.results[0].files = BTreeMap::from([("image".to_owned(), artifact)]);
        bench.commit(session, commit).await;
    }
    let report = backup(&place.store, &elsewhere, &place.backups(), BackupOptions::default()).await.unwrap();
    assert_eq!((report.artifacts, report.linked, report.missing), (1, 0, 1));
    let restored = Artifacts::memory();
    let database = place.folder.path().join("other.db");
    assert_eq!(restore(&report.path, &database, &restored).await.unwrap().artifacts, 1);
    let store = SqliteStore::open(&database).await.unwrap();
    assert_eq!(store.job(job).await.unwrap(), place.store.job(job).await.unwrap());
    let upkeep = Upkeep::new(Arc::new(store), Arc::new(restored), Arc::new(SystemClock));
    assert_eq!(upkeep.verify(VerifyOptions::default()).await.unwrap().audit.breaches.len(), 1);
}

#[tokio::test]
async fn recurring_jobs_and_hooks_are_paused_in_a_restored_store_and_only_there() {
    let place = Place::new().await;
    let artifacts = Artifacts::directory(place.folder.path().join("artifacts")).unwrap();
    let engine = pipeline::local_engine().store(place.store.clone()).artifacts(artifacts).build().unwrap();
    let request = JobRequest::preset("factory").keywords(["cat"]);
    for name in ["begun", "nightly"] {
        let every = "0 6 * * *".to_owned();
        let when = Recurrence { name: name.to_owned(), every, timezone: "UTC".to_owned(), overlap: false };
        let record = engine.schedule(&request, when).await.unwrap();
        if name == "begun" {
            let (at, next) = (record.next_at, record.next_at.after(std::time::Duration::from_secs(86_400)));
            assert!(place.store.take(record.id, at, next, Outcome::Begun).await.unwrap());
        }
    }
    let hook = NewHook {
        id: HookId::from_uuid(uuid()),
        owner: "system".to_owned(),
        name: "tell".to_owned(),
        spec: HookSpec {
            target: HookTarget::Command { program: "tell".to_owned(), args: Vec::new() },
            events: EventFilter::default(),
            jobs: HookJobs::default(),
            policy: HookPolicy::default(),
        },
    };
    place.store.add_hook(hook).await.unwrap();
    let (hooks, schedules) = (place.store.hooks().await.unwrap(), place.store.schedules(None).await.unwrap());
    backup(&place.store, &place.artifacts, &place.backups(), BackupOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("jobs.db");
    let report = restore(&place.backups(), &database, &Artifacts::memory()).await.unwrap();
    assert_eq!((report.schedules, report.hooks), (2, 1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
    let store = SqliteStore::open(&database).await.unwrap();
    let restored = store.schedules(None).await.unwrap();
    assert!(restored.len() == 2 && restored.iter().all(|record| record.paused), "{restored:?}");
    let reason = "restored from a backup".to_owned();
    assert_eq!(restored[0].last.as_ref().unwrap().outcome, Outcome::Failed { reason: reason.clone() });
    assert!(store.due().await.unwrap().schedules.is_empty());
    assert_eq!(store.hooks().await.unwrap()[0].paused, Some(reason));
    assert_eq!(place.store.hooks().await.unwrap(), hooks);
    assert_eq!(place.store.schedules(None).await.unwrap(), schedules);
}

#[tokio::test]
async fn a_store_that_is_there_is_never_touched_and_a_list_that_lies_is_refused() {
    let place = Place::new().await;
    place.work(&place.bench(), 2).await;
    let report = backup(&place.store, &place.artifacts, &place.backups(), BackupOptions::default()).await.unwrap();
    let database = place.folder.path().join("other.db");
    // Whatever belongs to a database counts as one.
    for name in ["other.db", "other.db-wal"] {
        let file = place.folder.path().join(name);
        std::fs::write(&file, b"somebody's").unwrap();
        let error = restore(&report.path, &database, &place.artifacts).await.unwrap_err();
        assert_eq!((error.kind(), std::fs::read(&file).unwrap()), (ErrorKind::Conflict, b"somebody's".to_vec()));
        std::fs::remove_file(&file).unwrap();
    }
    for name in ["artifacts.txt", "pipeline.db", "manifest.json"] {
        let file = report.path.join(name);
        let content = std::fs::read(&file).unwrap();
        std::fs::write(&file, &content[..content.len() - 2]).unwrap();
        let error = restore(&report.path, &database, &place.artifacts).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error:?}");
        assert!(!database.exists());
        std::fs::write(&file, content).unwrap();
    }
    restore(&report.path, &database, &place.artifacts).await.unwrap();
}
