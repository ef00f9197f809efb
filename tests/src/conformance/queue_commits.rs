//! Clauses 2, 3, 9 and 10 of `WorkQueue`: what a commit writes.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::executor::ItemEvent;
use pipeline_core::id::{EventSeq, ItemId};
use pipeline_core::model::{ItemStatus, JobStatus};
use pipeline_core::storage::{CallQuery, Commit, CommitReply, EventBody, ItemQuery};

use super::fixture::{Bench, LEASE, ending, expanding, holding, new_call, new_item, new_job, releasing, result};

/// A commit with an old token or a session that is gone changes nothing, and does not touch the rest of its batch.
pub async fn queue_2_fence(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    let old = bench.session().await;
    let stale = bench.claim(old, 1).await;
    bench.store.close_session(old).await.unwrap();
    let session = bench.session().await;
    let fresh = bench.claim(session, 3).await;
    assert_eq!(fresh[0].item.id, items[0]);
    let before = bench.store.job(job).await.unwrap();

    let mut loud = ending(&stale[0], ItemStatus::Failed);
    loud.calls = vec![new_call(job, &items[..1])];
    loud.children = expanding(&stale[0], 2).children;
    let child = loud.children[0].id;
    assert_eq!(bench.commit(old, loud.clone()).await, CommitReply::Superseded, "the session is gone");
    assert_eq!(bench.commit(session, loud.clone()).await, CommitReply::Superseded, "the token is old");
    let mut thief = ending(&fresh[0], ItemStatus::Failed);
    assert_eq!(bench.commit(bench.session().await, thief.clone()).await, CommitReply::Superseded, "not its item");
    thief.job = bench.submit(1).await.0;
    assert_eq!(bench.commit(session, thief).await, CommitReply::Superseded, "not of that job");
    assert_eq!(bench.store.job(job).await.unwrap(), before);
    assert_eq!(bench.store.item(items[0]).await.unwrap().machine, fresh[0].item.machine);
    assert!(bench.store.history(items[0]).await.unwrap().is_empty());
    assert!(bench.store.calls(CallQuery::default()).await.unwrap().is_empty());
    assert!(bench.store.item(child).await.is_err());

    let batch = vec![
        ending(&fresh[1], ItemStatus::Succeeded),
        loud,
        holding(&fresh[0]),
        ending(&fresh[2], ItemStatus::Rejected),
        ending(&fresh[1], ItemStatus::Failed),
    ];
    let replies = bench.store.commit(session, batch).await.unwrap();
    let (yes, no) = (CommitReply::Applied, CommitReply::Superseded);
    assert_eq!(replies, [yes, no, yes, yes, no], "the last one was given back by the first");
    assert_eq!(bench.store.item(items[1]).await.unwrap().status, ItemStatus::Succeeded);
    assert!(bench.store.commit(session, vec![]).await.unwrap().is_empty());
    // A session that has died is gone, although nobody took its item over yet.
    bench.clock.advance(LEASE);
    bench.store.sessions(None).await.unwrap();
    assert_eq!(bench.commit(session, holding(&fresh[0])).await, CommitReply::Superseded);
}

/// Everything of a batch appears together or not at all.
pub async fn queue_3_atomic(bench: &Bench) {
    let mut wide = new_item(2);
    wide.machine.leaves = 2;
    let (job, items) = bench.submit_with(new_job(), vec![new_item(0), new_item(1), wide]).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 3).await;
    let known = result(items[0], "qc", Duration::ZERO, 1);
    bench.commit(session, Commit { results: vec![known.clone()], ..holding(&claimed[0]) }).await;
    let before = bench.store.job(job).await.unwrap();
    let mut first = ending(&claimed[0], ItemStatus::Succeeded);
    first.calls = vec![new_call(job, &items[..1])];
    let expansion = expanding(&claimed[2], 2);
    let child = expansion.children[0].id;
    // The last one repeats a result: the whole batch is refused.
    let mut last = ending(&claimed[1], ItemStatus::Succeeded);
    last.results.push(known);
    assert!(bench.store.commit(session, vec![first.clone(), expansion.clone(), last]).await.is_err());
    assert_eq!(bench.store.job(job).await.unwrap(), before);
    assert_eq!(bench.store.item(items[0]).await.unwrap().machine, claimed[0].item.machine);
    assert_eq!(bench.store.history(items[0]).await.unwrap().len(), 1);
    assert!(bench.store.calls(CallQuery::default()).await.unwrap().is_empty());
    assert!(bench.store.item(child).await.is_err());

    let machine = first.machine.clone();
    let replies = bench.store.commit(session, vec![first, expansion]).await.unwrap();
    assert_eq!(replies, [CommitReply::Applied; 2]);
    let again = bench.reopen().await;
    assert_eq!(again.item(items[0]).await.unwrap().machine, machine);
    assert_eq!(again.history(items[0]).await.unwrap().len(), 2);
    assert_eq!(again.calls(CallQuery::default()).await.unwrap().len(), 1);
    assert_eq!(again.item(child).await.unwrap().parent, Some(items[2]));
    assert_eq!(again.job(job).await.unwrap().last_event, EventSeq(before.last_event.0 + 2));
}

/// The commit that ends the last leaf also ends the job, with `Finished` after the item's own events.
pub async fn queue_9_the_end(bench: &Bench) {
    use ItemStatus::{Cancelled, Failed, Filtered, Rejected, Succeeded, Undecided};
    let session = bench.session().await;
    for (ends, expected) in [
        (&[Succeeded, Filtered][..], JobStatus::Completed),
        (&[Succeeded, Undecided], JobStatus::CompletedWithFailures),
        (&[Rejected, Failed], JobStatus::Failed),
        (&[Succeeded, Cancelled], JobStatus::Cancelled),
    ] {
        let (job, _) = bench.submit(2).await;
        let claimed = bench.claim(session, 2).await;
        bench.commit(session, ending(&claimed[0], ends[0])).await;
        let record = bench.store.job(job).await.unwrap();
        assert_eq!((record.status, record.ended_at), (JobStatus::Running, None));
        bench.clock.advance(Duration::from_millis(5));
        // An item that has ended is given back, whatever the commit says.
        bench.commit(session, Commit { release: false, ..ending(&claimed[1], ends[1]) }).await;
        let record = bench.store.job(job).await.unwrap();
        assert_eq!((record.status, record.ended_at), (expected, Some(bench.store.now().await.unwrap())));
        assert_eq!((record.counts.ended(), record.counts.running), (2, 0));
        let events = bench.store.events(job, EventSeq(2), 10).await.unwrap();
        let last = claimed[1].item.id;
        assert!(matches!(&events[0].body, EventBody::Item { item, what: ItemEvent::Ended { .. } } if *item == last));
        assert_eq!(events[1].body, EventBody::Finished { status: expected, counts: record.counts });
        assert_eq!((events.len(), record.last_event), (2, events[1].seq));
    }
    // In one batch, too, `Finished` comes once and last.
    let (job, _) = bench.submit(5).await;
    bench.drain(session, Succeeded).await;
    let events = bench.store.events(job, EventSeq::START, 100).await.unwrap();
    let finished = |body: &EventBody| matches!(body, EventBody::Finished { .. });
    assert_eq!(events.iter().position(|event| finished(&event.body)), Some(6));
    assert_eq!(events.len(), 7);
}

/// Children take the leaves of their parent: `planned` does not change, and the job does not end too early.
pub async fn queue_10_children(bench: &Bench) {
    let mut wide = new_item(0);
    wide.machine.leaves = 3;
    let (job, items) = bench.submit_with(new_job(), vec![wide]).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    let counts = async || bench.store.job(job).await.unwrap().counts;
    assert_eq!((counts().await.planned, counts().await.running), (3, 3));
    bench.commit(session, expanding(&claimed[0], 3)).await;
    assert_eq!((counts().await.planned, counts().await.pending), (3, 3));
    let units = bench.units(session, 1).await;
    let children: Vec<ItemId> = units[0].iter().map(|claimed| claimed.item.id).collect();
    let expected: Vec<ItemId> = (0..3).map(|slot| items[0].child("generate", slot)).collect();
    assert_eq!(children, expected, "the parent itself is not claimable, the children are, as one unit");
    for (index, claimed) in units[0].iter().enumerate() {
        assert_eq!(bench.store.job(job).await.unwrap().ended_at, None);
        bench.commit(session, ending(claimed, ItemStatus::Succeeded)).await;
        assert_eq!((counts().await.planned, counts().await.succeeded), (3, index as u64 + 1));
    }
    assert_eq!(bench.store.job(job).await.unwrap().status, JobStatus::Completed);
    assert_eq!(bench.store.items(ItemQuery::of(job)).await.unwrap().len(), 3);
    let now = bench.store.now().await.unwrap();
    assert_eq!(bench.commit(session, releasing(&claimed[0], Some(now))).await, CommitReply::Superseded);
}
