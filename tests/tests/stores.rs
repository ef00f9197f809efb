//! The stores of this workspace pass the conformance suites: one line a backend.

use std::sync::Arc;

use pipeline_core::model::ItemStatus;
use pipeline_core::storage::Store;
use pipeline_store::{MemoryStore, SqliteOptions, SqliteStore};
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock};

fn memory() -> Bench {
    let clock = SteppedClock::new();
    Bench::new(MemoryStore::with_clock(clock.clone()), clock, ())
}

async fn sqlite() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = SteppedClock::new();
    let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(folder.path().join("jobs.db"), options).await.unwrap();
    Bench::new(store, clock, folder)
}

#[tokio::test]
async fn smoke() {
    for bench in [memory(), sqlite().await] {
        let store: &Arc<dyn Store> = &bench.store;
        let (job, items) = bench.submit(3).await;
        let session = bench.session().await;
        assert_eq!(bench.drain(session, ItemStatus::Succeeded).await, 3);
        let record = store.job(job).await.unwrap();
        assert_eq!(record.status.as_str(), "completed");
        assert_eq!(store.history(items[0]).await.unwrap().len(), 1);
        assert_eq!(store.events(job, pipeline_core::id::EventSeq::START, 100).await.unwrap().len(), 5);
        println!("{record:?} {:?}", store.info());
    }
}
