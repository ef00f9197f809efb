//! The clauses of `EventLog`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::id::EventSeq;
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::EventBody;

use super::fixture::{Bench, ending};

/// The sequence of a job is 1, 2, 3, … in commit order.
pub async fn event_1_gapless(bench: &Bench) {
    let (job, items) = bench.submit(4).await;
    let (other, _) = bench.submit(2).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 10).await;
    let mut stale = ending(&claimed[0], ItemStatus::Failed);
    stale.token.0 -= 1;
    let mut batch: Vec<_> = claimed.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
    batch.insert(1, stale);
    bench.store.control(job, Control::Pause).await.unwrap();
    bench.store.commit(session, batch).await.unwrap();
    for (job, count) in [(job, 7), (other, 4)] {
        let events = bench.store.events(job, EventSeq::START, 100).await.unwrap();
        assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
        assert!(events.iter().all(|event| event.job == job));
        assert_eq!(bench.store.job(job).await.unwrap().last_event, EventSeq(count));
    }
    let events = bench.store.events(job, EventSeq(2), 100).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Item { item, .. } => Some(item),
            _ => None,
        })
        .collect();
    assert_eq!(told, items);
}

/// The same call gives the same answer, after a point and up to a limit.
pub async fn event_2_replay(bench: &Bench) {
    let (job, _) = bench.submit(3).await;
    let session = bench.session().await;
    bench.drain(session, ItemStatus::Succeeded).await;
    let all = bench.store.events(job, EventSeq::START, 100).await.unwrap();
    assert_eq!(all.len(), 5);
    let again = bench.reopen().await;
    assert_eq!(again.events(job, EventSeq::START, 100).await.unwrap(), all);
    assert_eq!(again.events(job, EventSeq(1), 2).await.unwrap(), all[1..3]);
    assert!(again.events(job, EventSeq(5), 100).await.unwrap().is_empty());
}

/// An event is visible only with the state it tells of.
pub async fn event_3_nothing_early(bench: &Bench) {
    let (job, items) = bench.submit(20).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 20).await;
    let written = std::sync::atomic::AtomicBool::new(false);
    let writer = async {
        for claimed in &claimed {
            bench.commit(session, ending(claimed, ItemStatus::Succeeded)).await;
        }
        written.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let reader = async {
        let (mut after, mut over) = (EventSeq::START, false);
        while !over {
            let all = written.load(std::sync::atomic::Ordering::SeqCst);
            let page = bench.store.events(job, after, 100).await.unwrap();
            // A further look, once everything was written, finds what there is.
            over = all && page.is_empty();
            for event in page {
                after = event.seq;
                match event.body {
                    EventBody::Item { item, .. } => {
                        assert_eq!(bench.store.item(item).await.unwrap().status, ItemStatus::Succeeded);
                        assert_eq!(bench.store.history(item).await.unwrap().len(), 1);
                    }
                    EventBody::Finished { .. } => {
                        assert!(bench.store.job(job).await.unwrap().ended_at.is_some());
                    }
                    EventBody::Submitted { .. } | EventBody::Controlled { .. } | EventBody::Reopened => {}
                }
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(after, EventSeq(22));
    };
    tokio::join!(writer, reader);
    assert_eq!(items.len(), 20);
}
