//! What an item costs beside ten thousand and beside a million others, queued and finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::core::id::SessionId;
use pipeline::core::model::ItemStatus;
use pipeline::core::storage::{ClaimRequest, Commit, NewSession, Store};
use pipeline_testkit::conformance::fixture::{ending, new_item, new_job, uuid};

use super::backend::{Backend, open};

/// So many items are timed.
const TIMED: u32 = 10_000;

/// So many ride together, as the engine does it when it is busy.
const BATCH: u32 = 256;

/// Prints what an item costs with an empty store, with `backlog` queued, and with `backlog` finished.
pub(crate) async fn print(kind: &str, backlog: u32) {
    let Some(backend) = Backend::start(kind) else { return };
    let store = open(&backend.fresh().await).await;
    let session = SessionId::from_uuid(uuid());
    let lease = Duration::from_hours(12);
    let new = NewSession { id: session, host: "bench".to_owned(), pid: std::process::id(), lease, focus: None };
    store.open_session(new).await.unwrap();
    let backlog = backlog.max(3 * TIMED);
    println!("{kind}: {TIMED} items in batches of {BATCH}, each time the middle of three");
    enqueue(&store, TIMED).await;
    drain(&store, session, TIMED).await;
    let alone = timed(&store, session, true).await;
    println!("  empty store          {:>8.1} us an item", micros(alone));
    let began = Instant::now();
    enqueue(&store, backlog).await;
    println!("  ({backlog} queued in {:.0} s)", began.elapsed().as_secs_f64());
    let queued = timed(&store, session, false).await;
    let ratio = |cost: Duration| cost.as_secs_f64() / alone.as_secs_f64();
    println!("  {backlog} queued      {:>8.1} us an item, {:.2} times as much", micros(queued), ratio(queued));
    let began = Instant::now();
    // What was timed above is gone.
    drain(&store, session, backlog - 3 * TIMED).await;
    println!("  (drained in {:.0} s)", began.elapsed().as_secs_f64());
    let finished = timed(&store, session, true).await;
    println!("  {backlog} finished    {:>8.1} us an item, {:.2} times as much", micros(finished), ratio(finished));
}

/// The middle of three times that `TIMED` items take from claim to completion.
async fn timed(store: &Arc<dyn Store>, session: SessionId, fill: bool) -> Duration {
    let mut times = Vec::new();
    for _ in 0..3 {
        if fill {
            enqueue(store, TIMED).await;
        }
        let began = Instant::now();
        drain(store, session, TIMED).await;
        times.push(began.elapsed() / TIMED);
    }
    times.sort();
    times[1]
}

async fn enqueue(store: &Arc<dyn Store>, count: u32) {
    let mut left = count;
    while left > 0 {
        let some = left.min(50_000);
        store.submit(new_job(), (0..some).map(new_item).collect()).await.unwrap();
        left -= some;
    }
}

async fn drain(store: &Arc<dyn Store>, session: SessionId, count: u32) {
    let mut left = count;
    while left > 0 {
        let request = ClaimRequest { session, limit: BATCH.min(left), job: None };
        let units = store.claim(request).await.unwrap().units;
        let commits: Vec<Commit> =
            units.iter().flatten().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
        assert!(!commits.is_empty(), "{left} items are missing");
        left -= u32::try_from(commits.len()).unwrap();
        store.commit(session, commits).await.unwrap();
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
