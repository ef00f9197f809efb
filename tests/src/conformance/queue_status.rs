//! Clause 20 of `WorkQueue`: how fast it moves.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::executor::ItemEvent;
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{CommitReply, Rates};

use super::fixture::{Bench, LEASE, ending, holding, result, stage};

/// Returns items and stages of the last minute.
async fn counted(bench: &Bench) -> (u64, u64) {
    let rates = bench.store.queue_status().await.unwrap().rates;
    assert_eq!(rates.window, Rates::WINDOWS[0], "so few are always worth counting");
    (rates.items, rates.stages)
}

/// What ended in the last minute is counted, of jobs that have ended as well, and nothing older.
pub async fn queue_20_rates(bench: &Bench) {
    assert_eq!(counted(bench).await, (0, 0));
    let (job, _) = bench.submit(5).await;
    let session = bench.session().await;
    let held = bench.claim(session, 5).await;
    assert_eq!(counted(bench).await, (0, 0), "what is handed out has not ended");
    let done = |claimed, times| {
        let made = result(held[0].item.id, "prompt", Duration::from_secs(1), 0);
        let event = ItemEvent::StageDone { stage: stage("prompt"), attempt: 1, result: made.id };
        pipeline_core::storage::Commit { events: vec![event; times], ..holding(claimed) }
    };
    assert_eq!(bench.commit(session, done(&held[0], 2)).await, CommitReply::Applied);
    assert_eq!(bench.commit(session, ending(&held[0], ItemStatus::Succeeded)).await, CommitReply::Applied);
    assert_eq!(counted(bench).await, (1, 2));

    bench.clock.advance(Duration::from_secs(20));
    bench.store.heartbeat(session, LEASE).await.unwrap();
    bench.commit(session, ending(&held[1], ItemStatus::Failed)).await;
    bench.clock.advance(Duration::from_secs(20));
    bench.store.heartbeat(session, LEASE).await.unwrap();
    bench.commit(session, done(&held[2], 1)).await;
    let (other, _) = bench.submit(1).await;
    let ended = bench.drain(session, ItemStatus::Rejected).await;
    assert_eq!((ended, bench.store.job(other).await.unwrap().ended_at.is_some()), (1, true));
    assert_eq!(counted(bench).await, (3, 3), "of all jobs, also of those that have ended");

    bench.clock.advance(Duration::from_secs(20).saturating_sub(Duration::from_micros(1)));
    bench.store.heartbeat(session, LEASE).await.unwrap();
    assert_eq!(counted(bench).await, (3, 3), "the first are not yet a minute old");
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(counted(bench).await, (2, 1));
    bench.store.control(job, Control::Pause).await.unwrap();
    assert_eq!(bench.reopen().await.queue_status().await.unwrap().rates.items, 2, "whoever asks");
    bench.clock.advance(Duration::from_secs(41));
    assert_eq!(counted(bench).await, (0, 0));
}
