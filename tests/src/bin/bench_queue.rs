//! Measures the queue: items of one stage that does nothing, through submit, claim and completion, with events, results
//! and fencing on. Run it with `cargo run --release -p pipeline-testkit --bin bench-queue [-- OPTION…]`.
//!
//! Every row says how durable an acknowledged item is. The peers are measured by `tests/bench/peers.mjs` in the same run
//! when their packages are installed there (`npm ci` in that folder) and `redis-server` is on the path.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a bench talks to a person and stops at the first fault"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::core::pipeline::StageSpec;
use pipeline::core::settings::{SettingsSchema, StageSettings};
use pipeline::core::stage::{Output, PlannedItem, Source, SourceRequest, Stage, StageContext, StageEnd, Task};
use pipeline::core::storage::Store;
use pipeline::prelude::*;
use pipeline::store::{SqliteOptions, Synchronous};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const USAGE: &str = "bench-queue [--items N] [--concurrency N] [--only NAME] [--no-peers]";

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoSettings {}

impl StageSettings for NoSettings {}

/// Begins items and does nothing.
#[derive(Debug)]
struct NoOp;

#[async_trait]
impl Stage for NoOp {
    fn spec(&self) -> StageSpec {
        StageSpec::new("bench.source", "Does nothing", SettingsSchema::of::<NoSettings>()).source().self_contained()
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd, Error> {
        Ok(Output::new().into())
    }
}

#[async_trait]
impl Source for NoOp {
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>, Error> {
        let count = request.count.unwrap_or(1);
        Ok((0..count).map(|number| PlannedItem { name: number.to_string(), input: serde_json::Map::new() }).collect())
    }
}

const PIPELINE: &str = "name = 'noop'\n[stages.s]\nkind = 'bench.source'\n";

#[derive(Clone, Debug)]
struct Options {
    items: u32,
    concurrency: u32,
    only: Option<String>,
    peers: bool,
}

fn main() {
    let mut options = Options { items: 10_000, concurrency: 256, only: None, peers: true };
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let mut value = || given.next().unwrap_or_else(|| wrong(&format!("{option} needs a value")));
        let number = |text: String| text.parse().unwrap_or_else(|_| wrong(&format!("`{text}` is not a number")));
        match option.as_str() {
            "--items" => options.items = number(value()),
            "--concurrency" => options.concurrency = number(value()),
            "--only" => options.only = Some(value()),
            "--no-peers" => options.peers = false,
            _ => wrong(&format!("unknown option {option}")),
        }
    }
    println!(
        "{:<28} {:<36} {:>12} {:>12} {:>12}",
        "engine", "durable when acknowledged", "enqueue/s", "process/s", "cpu us/item"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    if wanted("memory") {
        runtime.block_on(ours("pipeline, memory", "no", MemoryStore::new(), &options));
    }
    for (name, durable, synchronous) in [
        ("pipeline, SQLite NORMAL", "survives the process, not the power", Synchronous::Normal),
        ("pipeline, SQLite FULL", "survives power failure (fsync)", Synchronous::Full),
    ] {
        if wanted(name) {
            let home = tempfile::tempdir().unwrap();
            let store = SqliteOptions { synchronous, ..SqliteOptions::default() };
            runtime.block_on(async {
                let store = SqliteStore::open_with(home.path().join("jobs.db"), store).await.unwrap();
                ours(name, durable, store, &options).await;
            });
        }
    }
    if options.peers && options.only.is_none() {
        peers(&options);
    }
}

fn wrong(problem: &str) -> ! {
    eprintln!("{problem}\nusage: {USAGE}");
    #[expect(clippy::exit, reason = "a program that was asked for something it does not know")]
    std::process::exit(2)
}

async fn ours(name: &str, durable: &str, store: impl Store, options: &Options) {
    let engine = pipeline::local_engine()
        .source(NoOp)
        .store(store)
        .artifacts(Artifacts::memory())
        .concurrency(options.concurrency)
        .build()
        .unwrap();
    let request =
        JobRequest::toml("noop", PIPELINE).count(options.items).set("job.max_items", u64::from(options.items)).unwrap();
    let start = Instant::now();
    let job = engine.submit(request).await.unwrap();
    let submitted = start.elapsed();
    let (start, before) = (Instant::now(), cpu());
    engine.run_until_idle().await.unwrap();
    let (ran, used) = (start.elapsed(), cpu().saturating_sub(before));
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, u64::from(options.items));
    let rate = |took: Duration| f64::from(options.items) / took.as_secs_f64();
    println!(
        "{name:<28} {durable:<36} {:>12.0} {:>12.0} {:>12.1}",
        rate(submitted),
        rate(ran),
        used.as_secs_f64() * 1e6 / f64::from(options.items)
    );
}

/// The processor time of this process; figures of Linux only.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>()).unwrap_or_default();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn peers(options: &Options) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
    if !folder.join("node_modules").exists() {
        eprintln!("peers: skipped; `npm ci` in {} installs them", folder.display());
        return;
    }
    let ran = Command::new("node").arg("peers.mjs").arg(options.items.to_string()).current_dir(folder).status();
    match ran {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("peers: {status}"),
        Err(error) => eprintln!("peers: cannot run node: {error}"),
    }
}
