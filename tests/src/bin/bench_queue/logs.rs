//! What logs cost: the same items without logs, with the standard ones, with all of them, and with somebody who follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::core::model::LogLevel;
use pipeline::core::storage::{LogKeeper, LogQuery, LogSeq};
use pipeline::prelude::*;
use pipeline::store::SqliteLogs;

use super::backend::{Backend, open};
use super::noop::{NoOp, PIPELINE};
use super::process::cpu;

/// How often a follower looks, as the command does.
const LOOK: Duration = Duration::from_millis(300);

/// What is measured: name, level, whether somebody follows.
const ROWS: [(&str, Option<LogLevel>, bool); 5] = [
    ("no logs", None, false),
    ("standard", Some(LogLevel::Info), false),
    ("standard, followed", Some(LogLevel::Info), true),
    ("debug", Some(LogLevel::Debug), false),
    ("debug, followed", Some(LogLevel::Debug), true),
];

/// Measures the rows in turn, `repeat` times, and compares the best of each with the best without logs.
pub(crate) async fn print(kind: &str, items: u32, concurrency: u32, repeat: u32) {
    let Some(backend) = Backend::start(kind) else { return };
    println!("{kind}: {items} items, {repeat} times in turn; the best of each");
    let mut best = [(0.0_f64, f64::MAX); ROWS.len()];
    let mut seen = [0_u64; ROWS.len()];
    for _ in 0..repeat.max(1) {
        for (place, (_, level, followed)) in ROWS.into_iter().enumerate() {
            let (rate, micros, entries) = measure(&backend, (level, followed), items, concurrency).await;
            best[place] = (best[place].0.max(rate), best[place].1.min(micros));
            seen[place] = entries;
        }
    }
    println!(
        "{:<20} {:>10} {:>8} {:>12} {:>8} {:>12}",
        "logs", "process/s", "ratio", "cpu us/item", "ratio", "lines/item"
    );
    let (rate, micros) = best[0];
    for (place, (name, ..)) in ROWS.iter().enumerate() {
        let (own, used) = best[place];
        let lines = seen[place] as f64 / f64::from(items);
        println!("{name:<20} {own:>10.0} {:>8.3} {used:>12.1} {:>8.3} {lines:>12.2}", own / rate, used / micros);
    }
}

/// Returns items a second, processor time an item in microseconds, and how many lines were kept.
async fn measure(
    backend: &Backend,
    (level, followed): (Option<LogLevel>, bool),
    items: u32,
    concurrency: u32,
) -> (f64, f64, u64) {
    let address = backend.fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let logs: Arc<dyn LogKeeper> = Arc::new(SqliteLogs::new(folder.path().join("jobs.logs.db")));
    let engine = pipeline::local_engine()
        .source(NoOp::default())
        .shared_store(open(&address).await)
        .artifacts(Artifacts::memory())
        .concurrency(concurrency)
        .shared_logs(Arc::clone(&logs))
        .log_level(level)
        .build()
        .unwrap();
    let request = JobRequest::toml("noop", PIPELINE).count(items).set("job.max_items", u64::from(items)).unwrap();
    let job = engine.submit(request).await.unwrap().id;
    let reader = followed.then(|| tokio::spawn(follow(Arc::clone(&logs), job)));
    let (start, before) = (Instant::now(), cpu());
    engine.run_until_idle().await.unwrap();
    let (ran, used) = (start.elapsed(), cpu().saturating_sub(before));
    if let Some(reader) = reader {
        reader.abort();
    }
    assert_eq!(engine.job(job).await.unwrap().counts.succeeded, u64::from(items));
    let rate = f64::from(items) / ran.as_secs_f64();
    let entries = logs.volume(None).await.unwrap().entries;
    (rate, used.as_secs_f64() * 1e6 / f64::from(items), entries)
}

async fn follow(logs: Arc<dyn LogKeeper>, job: JobId) {
    let mut after = LogSeq::START;
    loop {
        let page = logs.entries(LogQuery { job: Some(job), after, ..LogQuery::default() }).await.unwrap();
        match page.last() {
            Some(last) if page.len() == 1_000 => after = last.seq,
            last => {
                after = last.map_or(after, |last| last.seq);
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
