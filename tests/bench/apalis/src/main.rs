//! A row of `bench-queue`: items that do nothing through apalis-sqlite. `cargo run --release -- N`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use futures::stream;

#[tokio::main]
async fn main() {
    let items: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("jobs.db").display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    SqliteStorage::setup(&pool).await.unwrap();
    let config = Config::default().queue("noop").batch_size(100);
    let mut backend = SqliteStorage::new(&pool).with_config(config);
    let begun = Instant::now();
    let mut tasks = stream::iter((0..items).map(|number| TaskBuilder::new(number).build()));
    backend.push_all(&mut tasks).await.unwrap();
    let enqueued = begun.elapsed();
    let done = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let count = Arc::clone(&done);
    let task = move |_: usize, worker: WorkerContext| {
        let count = Arc::clone(&count);
        async move {
            if count.fetch_add(1, Ordering::SeqCst) + 1 == items {
                worker.stop()?;
            }
            Ok::<(), BoxDynError>(())
        }
    };
    let worker = WorkerBuilder::new("bench").backend(backend).concurrency(50).build(task);
    worker.run().await.unwrap();
    let took = begun.elapsed();
    let rate = |took: std::time::Duration| items as f64 / took.as_secs_f64();
    println!(
        "{:<28} {:<36} {:>12.0} {:>12.0}",
        "apalis-sqlite", "not sure (sets synchronous = OFF)", rate(enqueued), rate(took)
    );
    assert_eq!(done.load(Ordering::SeqCst), items);
}
