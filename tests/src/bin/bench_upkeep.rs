//! Measures looking after a SQLite store: stats, verify and gc, with the memory each needs. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-upkeep [-- --items N --files N]`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench talks to a person and stops at the first fault")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use pipeline::core::model::{Artifact, ItemStatus};
use pipeline::core::storage::{ArtifactStore as _, Commit, Store};
use pipeline::engine::upkeep::{GcOptions, Upkeep, VerifyOptions};
use pipeline::store::{Artifacts, SqliteOptions, SqliteStore, Synchronous, SystemClock};
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock, ending, result};

/// Items of each job.
const JOB: u32 = 50_000;

/// Measures looking after a SQLite store: stats, verify and gc, with the memory each needs.
#[derive(Parser)]
struct Options {
    /// How many items, each with three results
    #[arg(long, default_value_t = 1_000_000)]
    items: u32,
    /// How many of them have a file of 100 KB
    #[arg(long, default_value_t = 5_000)]
    files: u32,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir().unwrap();
    // A clock that stands still: no lease runs out while the store is filled.
    let clock = SteppedClock::new();
    let store = SqliteOptions { synchronous: Synchronous::Normal, clock: clock.clone(), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(folder.path().join("jobs.db"), store).await.unwrap();
    let artifacts = Artifacts::directory(folder.path().join("artifacts")).unwrap();
    let bench = Bench::new(store, clock, ());
    let began = Instant::now();
    fill(&bench, &artifacts, &options).await;
    println!("filled with {} items in {:.1} s", options.items, began.elapsed().as_secs_f64());
    let store: Arc<dyn Store> = Arc::clone(&bench.store);
    let upkeep = Upkeep::new(store, Arc::new(artifacts.clone()), Arc::new(SystemClock));
    let stats = measured("stats", upkeep.stats()).await.unwrap();
    println!("{:?}, {} files, {} bytes", stats.records, stats.artifacts.count, stats.artifacts.bytes);
    let report = measured("verify without content", upkeep.verify(VerifyOptions { content: false })).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.audit.breaches);
    println!("{} results, {} events, {} files looked for", report.audit.results, report.audit.events, report.artifacts);
    let report = measured("verify", upkeep.verify(VerifyOptions::default())).await.unwrap();
    println!("{} files of {} bytes read", report.artifacts, report.bytes);
    let orphans = (options.files / 10).max(1);
    for number in 0..orphans {
        artifacts.put(content(u32::MAX - number)).await.unwrap();
    }
    let gc = GcOptions { grace: Duration::ZERO, dry_run: false };
    let report = measured("gc", upkeep.gc(gc, |_| {})).await.unwrap();
    assert_eq!(report.removed, u64::from(orphans));
    println!("{} of {} files removed", report.removed, report.artifacts);
}

async fn fill(bench: &Bench, artifacts: &Artifacts, options: &Options) {
    let mut left = options.items;
    let mut files = options.files;
    let session = bench.session().await;
    while left > 0 {
        let some = left.min(JOB);
        bench.submit(some).await;
        left -= some;
        loop {
            let claimed = bench.claim(session, 1_000).await;
            if claimed.is_empty() {
                break;
            }
            let mut commits: Vec<Commit> = Vec::with_capacity(claimed.len());
            for claimed in &claimed {
                let mut commit = ending(claimed, ItemStatus::Succeeded);
                for stage in ["qc", "process"] {
                    commit.results.push(result(claimed.item.id, stage, Duration::from_millis(20), 0));
                }
                if files > 0 {
                    files -= 1;
                    let made: Artifact = artifacts.put(content(files)).await.unwrap();
                    if let Some(result) = commit.results.first_mut() {
                        result.files = BTreeMap::from([("image".to_owned(), made)]);
                    }
                }
                commits.push(commit);
            }
            bench.store.commit(session, commits).await.unwrap();
        }
    }
    bench.store.close_session(session).await.unwrap();
}

fn content(number: u32) -> Bytes {
    let mut state = u64::from(number) * 2 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..12_500).flat_map(|_| next()).collect::<Vec<u8>>().into()
}

/// Runs something, and prints how long it took and how far the memory of the process rose meanwhile.
async fn measured<T>(name: &str, work: impl Future<Output = T>) -> T {
    std::fs::write("/proc/self/clear_refs", "5").ok();
    let before = memory("VmRSS");
    let began = Instant::now();
    let value = work.await;
    let took = began.elapsed().as_secs_f64();
    println!("{name}: {took:.1} s, memory from {before} MB to at most {} MB", memory("VmHWM"));
    value
}

/// Reads an amount of memory of this process, in MB; 0 where the system does not tell.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() / 1_000
}
