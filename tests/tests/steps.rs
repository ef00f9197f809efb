//! The steps each stage tells the log of, in their order, when all goes well and when it does not.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::core::model::{LogLevel, Step};
use pipeline::core::provider::Repeat;
use pipeline::core::storage::{LogEntry, LogKeeper, LogQuery, LogVolume, NewLogEntry, Outdated};
use pipeline::core::time::Timestamp;
use pipeline::prelude::*;
use pipeline_store::MemoryLogs;
use pipeline_testkit::vendor::{FakeVendor, Reply, VendorClient, VendorScript};
use serde_json::json;

struct Desk {
    engine: Engine,
    logs: Arc<dyn LogKeeper>,
    vendor: FakeVendor,
}

impl Desk {
    async fn open(script: VendorScript, logs: Arc<dyn LogKeeper>, least: LogLevel) -> Self {
        let vendor = FakeVendor::start(script).await.unwrap();
        let client = VendorClient::new(&vendor.url(), "key".to_owned().into(), Repeat::Unsafe).unwrap();
        let engine = pipeline::local_engine()
            .provider("vendor", client)
            .store(MemoryStore::new())
            .artifacts(Artifacts::memory())
            .shared_logs(Arc::clone(&logs))
            .log_level(Some(least))
            .build()
            .unwrap();
        Self { engine, logs, vendor }
    }

    async fn debug() -> Self {
        Self::open(VendorScript::new(), Arc::new(MemoryLogs::new()), LogLevel::Debug).await
    }

    /// Runs a job to its end and returns its entries.
    async fn run(&self, request: JobRequest) -> Vec<LogEntry> {
        let job = self.engine.submit(request).await.unwrap().id;
        tokio::time::timeout(Duration::from_secs(60), self.engine.run_until_idle()).await.unwrap().unwrap();
        assert!(self.engine.job(job).await.unwrap().status.is_terminal());
        self.logs.entries(LogQuery { job: Some(job), limit: 10_000, ..LogQuery::default() }).await.unwrap()
    }
}

fn one_picture(set: &[(&str, serde_json::Value)]) -> JobRequest {
    let mut request = JobRequest::preset("factory").keywords(["red sunset"]);
    let base = [("generate.sizes", json!(["256x256"])), ("qc.min_sharpness", json!(0))];
    for (name, value) in base.iter().chain(set) {
        request = request.set(name, value.clone()).unwrap();
    }
    request
}

/// The steps of a stage, in their order.
fn steps(entries: &[LogEntry], stage: &str) -> String {
    let own = entries.iter().filter(|entry| entry.entry.stage.as_ref().is_some_and(|name| name.as_str() == stage));
    own.map(|entry| entry.entry.step.as_str()).collect::<Vec<_>>().join(" ")
}

/// Steps that tell how long they took.
fn has_duration(step: &Step) -> bool {
    let silent =
        [Step::Claim, Step::Start, Step::Published, Step::Expand, Step::Ended, Step::Recall, Step::Task, Step::Dropped];
    !silent.contains(step)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_tells_its_steps_in_order_when_all_goes_well() {
    let desk = Desk::debug().await;
    let folder = tempfile::tempdir().unwrap();
    let entries = desk.run(one_picture(&[]).out(folder.path())).await;
    for (stage, expected) in [
        ("keywords", "start done"),
        ("prompt", "start prompt-send done"),
        ("generate", "start put prompt-send done"),
        ("qc", "start load prompt-send compare verdict"),
        ("process", "start load encode put done"),
        ("metadata", "start load inspect prompt-send embed put done"),
        ("publish", "start name load write published done"),
    ] {
        assert_eq!(steps(&entries, stage), expected, "{stage}");
    }
    let off = entries.iter().filter(|entry| entry.entry.step == Step::Skip);
    let off: Vec<_> = off.map(|entry| (entry.entry.stage.as_ref().unwrap().as_str(), entry.entry.level)).collect();
    assert_eq!(
        off,
        [("cutout", LogLevel::Debug), ("tag", LogLevel::Debug)],
        "what is off is told to those who ask for all"
    );
    for LogEntry { entry, .. } in entries.iter().filter(|entry| entry.entry.step != Step::Skip) {
        assert!(entry.item.is_some() && entry.code.is_none() && entry.level <= LogLevel::Info, "{entry:?}");
        assert_eq!(entry.duration.is_some(), has_duration(&entry.step), "{entry:?}");
        assert_eq!(entry.attempt, entry.stage.as_ref().map(|_| 1), "{entry:?}");
    }
    let without: Vec<&Step> = entries.iter().filter(|e| e.entry.stage.is_none()).map(|e| &e.entry.step).collect();
    assert!(without.iter().all(|step| matches!(step, Step::Claim | Step::Commit | Step::Ended)), "{without:?}");
    assert_eq!(without.iter().filter(|step| ***step == Step::Ended).count(), 1, "{without:?}");
    let last = &entries.last().unwrap().entry;
    assert_eq!((&last.step, last.level), (&Step::Ended, LogLevel::Debug), "the end is told last");
    // The file that was made goes through the other source.
    let entries = desk.run(JobRequest::preset("enhance").input(folder.path().to_string_lossy())).await;
    assert_eq!(steps(&entries, "files"), "start read put inspect done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_call_that_fails_and_is_tried_again_tells_each_try() {
    let desk = Desk::debug().await;
    desk.vendor.play(VendorScript::new().links().replies([Reply::Status(503)]));
    let set =
        [("generate.provider", json!("vendor")), ("generate.max_attempts", json!(2)), ("qc.enabled", json!(false))];
    let entries = desk.run(one_picture(&set)).await;
    let expected = "start intent prompt-send settle retry start intent prompt-send settle download put done";
    assert_eq!(steps(&entries, "generate"), expected);
    let generate: Vec<&NewLogEntry> = entries
        .iter()
        .map(|entry| &entry.entry)
        .filter(|entry| entry.stage.as_ref().is_some_and(|stage| stage.as_str() == "generate"))
        .collect();
    let tries: Vec<u32> = generate.iter().filter_map(|entry| entry.attempt).collect();
    assert_eq!(tries, [[1; 5].as_slice(), [2; 7].as_slice()].concat());
    let wrong: Vec<_> = generate.iter().filter(|entry| entry.level >= LogLevel::Warn).collect();
    let told: Vec<_> = wrong.iter().map(|entry| (entry.level, &entry.step, entry.code.as_deref())).collect();
    let unavailable = Some("unavailable");
    assert_eq!(told, [(LogLevel::Warn, &Step::PromptSend, unavailable), (LogLevel::Warn, &Step::Retry, unavailable)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_fails_for_good_ends_with_an_error_and_its_code() {
    let desk =
        Desk::open(VendorScript::new().otherwise(Reply::Refused), Arc::new(MemoryLogs::new()), LogLevel::Info).await;
    let entries = desk.run(one_picture(&[("generate.provider", json!("vendor"))])).await;
    assert_eq!(steps(&entries, "generate"), "prompt-send stop", "debug entries are not kept at level info");
    let stop = entries.iter().find(|entry| entry.entry.step == Step::Stop).unwrap();
    assert_eq!((stop.entry.level, stop.entry.code.as_deref()), (LogLevel::Error, Some("refused")));
    let ended: Vec<_> = entries.iter().filter(|entry| entry.entry.step == Step::Ended).collect();
    let told = (ended[0].entry.level, ended[0].entry.message.as_ref());
    assert_eq!((ended.len(), told), (1, (LogLevel::Info, "failed")), "an end that is no success is a standard line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_siblings_share_is_told_of_their_parent() {
    let desk = Desk::debug().await;
    let entries = desk.run(one_picture(&[("generate.variations", json!(2)), ("qc.enabled", json!(false))])).await;
    let expand = entries.iter().find(|entry| entry.entry.step == Step::Expand).unwrap();
    let sent: Vec<_> = entries
        .iter()
        .filter(|entry| entry.entry.stage.as_ref().is_some_and(|stage| stage.as_str() == "generate"))
        .filter(|entry| matches!(entry.entry.step, Step::PromptSend | Step::Put))
        .collect();
    assert_eq!(sent.len(), 3, "one call, two files");
    assert!(sent.iter().all(|entry| entry.entry.item == expand.entry.item), "{sent:?}");
    assert_eq!(entries.iter().filter(|entry| entry.entry.step == Step::Ended).count(), 2);
}

/// Refuses the first batch.
#[derive(Debug, Default)]
struct Stubborn {
    kept: MemoryLogs,
    has_refused: AtomicBool,
}

#[async_trait]
impl LogKeeper for Stubborn {
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<(), Error> {
        if !self.has_refused.swap(true, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Exhausted, "no space is left"));
        }
        self.kept.append(entries).await
    }

    async fn entries(&self, query: LogQuery) -> Result<Vec<LogEntry>, Error> {
        self.kept.entries(query).await
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64, Error> {
        self.kept.remove(which, limit).await
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume, Error> {
        self.kept.volume(before).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_that_cannot_be_kept_stop_nothing_and_the_gap_is_told() {
    let desk = Desk::open(VendorScript::new(), Arc::new(Stubborn::default()), LogLevel::Debug).await;
    let request = || one_picture(&[("qc.enabled", json!(false))]);
    let first = desk.run(request()).await;
    desk.run(request()).await;
    let all = desk.logs.entries(LogQuery { step: Some(Step::Dropped), ..LogQuery::default() }).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].entry.message.contains("entries could not be kept"), "{all:?}");
    assert!(first.len() < 20, "the first batch is missing: {first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_goes_with_its_job_and_old_entries_go_alone() {
    let desk = Desk::debug().await;
    let request = || one_picture(&[("qc.enabled", json!(false))]);
    let (first, second) = (desk.run(request()).await, desk.run(request()).await);
    let upkeep = desk.engine.upkeep();
    upkeep.delete(first[0].entry.job).await.unwrap();
    let left = desk.logs.volume(None).await.unwrap().entries;
    assert_eq!(left, second.len() as u64);
    assert_eq!(upkeep.stats().await.unwrap().logs.unwrap().entries, left);
    assert_eq!(upkeep.prune_logs(Duration::from_secs(3_600), false).await.unwrap(), 0, "all of it is young");
    assert_eq!(upkeep.prune_logs(Duration::ZERO, true).await.unwrap(), left);
    assert_eq!(upkeep.prune_logs(Duration::ZERO, false).await.unwrap(), left, "as many as the dry run has said");
    assert_eq!(desk.engine.jobs(pipeline::core::storage::JobQuery::default()).await.unwrap().len(), 1);
}

#[test]
fn the_documentation_names_every_step_and_no_other() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/logs.md")).unwrap();
    let table = page.split("## Steps").nth(1).unwrap().split("## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.collect::<Vec<_>>(), Step::known().collect::<Vec<_>>());
}
