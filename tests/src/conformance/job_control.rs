//! Clauses 7 and 8 of `JobStore`: pause, go on, cancel.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::ErrorKind;
use pipeline_core::id::EventSeq;
use pipeline_core::model::{Control, ItemStatus, JobStatus};
use pipeline_core::storage::{CallState, Commit, CommitReply, EventBody, SettleReply};

use super::fixture::{Bench, ending, expanding, holding, new_call, new_item, new_job, releasing};

/// Control of an ended job is a conflict, cancel is sticky, and the same control twice writes one event.
pub async fn job_7_control(bench: &Bench) {
    let (job, _) = bench.submit(2).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    assert_eq!(bench.store.control(job, Control::Run).await.unwrap().last_event, EventSeq(1));
    assert_eq!(bench.store.control(job, Control::Pause).await.unwrap().status, JobStatus::Paused);
    assert_eq!(bench.store.control(job, Control::Pause).await.unwrap().last_event, EventSeq(2));
    assert_eq!(bench.store.control(job, Control::Run).await.unwrap().status, JobStatus::Running);
    let record = bench.store.control(job, Control::Cancel).await.unwrap();
    assert_eq!((record.status, record.control), (JobStatus::Cancelling, Control::Cancel));
    assert_eq!(bench.store.control(job, Control::Cancel).await.unwrap().last_event, EventSeq(4));
    for control in [Control::Run, Control::Pause] {
        assert_eq!(bench.store.control(job, control).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    bench.commit(session, ending(&claimed[0], ItemStatus::Succeeded)).await;
    for control in Control::ALL {
        assert_eq!(bench.store.control(job, *control).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    let events = bench.store.events(job, EventSeq::START, 100).await.unwrap();
    let controls: Vec<Control> = events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Controlled { control } => Some(control),
            _ => None,
        })
        .collect();
    assert_eq!(controls, [Control::Pause, Control::Run, Control::Cancel]);
}

/// Cancel ends at once what no live session holds; what is held ends through its holder's commit, whatever it says.
pub async fn job_8_cancel(bench: &Bench) {
    let (job, items) = bench.submit(5).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 4).await;
    bench.commit(session, releasing(&claimed[3], None)).await;
    let record = bench.store.control(job, Control::Cancel).await.unwrap();
    assert_eq!((record.status, record.counts.cancelled, record.counts.running), (JobStatus::Cancelling, 2, 3));
    for item in &items[3..] {
        assert_eq!(bench.store.item(*item).await.unwrap().status, ItemStatus::Cancelled);
    }
    assert!(bench.claim(session, 10).await.is_empty());

    // Kept, it goes on; given back unended, it ends; its children never start.
    assert_eq!(bench.commit(session, holding(&claimed[0])).await, CommitReply::Applied);
    assert_eq!(bench.store.item(items[0]).await.unwrap().status, ItemStatus::Running);
    let now = bench.store.now().await.unwrap();
    bench.commit(session, releasing(&claimed[0], Some(now))).await;
    assert_eq!(bench.store.item(items[0]).await.unwrap().status, ItemStatus::Cancelled);
    let expansion = expanding(&claimed[1], 1);
    let child = expansion.children[0].id;
    bench.commit(session, expansion).await;
    assert_eq!(bench.store.item(child).await.unwrap().status, ItemStatus::Cancelled);
    assert!(bench.claim(session, 10).await.is_empty());

    // What succeeded stays so, and the last one ends the job.
    assert_eq!(bench.store.job(job).await.unwrap().ended_at, None);
    bench.commit(session, ending(&claimed[2], ItemStatus::Succeeded)).await;
    let record = bench.store.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.cancelled, record.counts.succeeded), (JobStatus::Cancelled, 4, 1));
    let last = bench.store.events(job, EventSeq(record.last_event.0 - 1), 10).await.unwrap();
    assert!(matches!(&last[0].body, EventBody::Finished { counts, .. } if *counts == record.counts), "{last:?}");

    // Held by the dead is held by nobody.
    let (orphaned, _) = bench.submit_with(new_job(), vec![new_item(0), new_item(1)]).await;
    let doomed = bench.session().await;
    assert_eq!(bench.claim(doomed, 1).await.len(), 1);
    bench.clock.advance(super::fixture::LEASE);
    let record = bench.store.control(orphaned, Control::Cancel).await.unwrap();
    assert_eq!((record.status, record.counts.cancelled), (JobStatus::Cancelled, 2));

    // The same when the holder dies after the cancel.
    let (late, _) = bench.submit(1).await;
    let doomed = bench.session().await;
    assert_eq!(bench.claim(doomed, 1).await.len(), 1);
    assert_eq!(bench.store.control(late, Control::Cancel).await.unwrap().status, JobStatus::Cancelling);
    bench.store.close_session(doomed).await.unwrap();
    assert_eq!(bench.store.job(late).await.unwrap().status, JobStatus::Cancelled);
}

/// An abandoned job and all its items end at once, whoever holds them; what the holders commit is superseded.
pub async fn job_11_abandon(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    let call = new_call(job, &[claimed[0].item.id]);
    bench.commit(session, Commit { calls: vec![call.clone()], ..holding(&claimed[0]) }).await;
    let record = bench.store.abandon(job).await.unwrap();
    assert_eq!((record.status, record.counts.cancelled), (JobStatus::Cancelled, 3));
    for claimed in &claimed {
        assert_eq!(bench.commit(session, ending(claimed, ItemStatus::Succeeded)).await, CommitReply::Superseded);
    }
    assert_eq!(bench.store.item(items[0]).await.unwrap().status, ItemStatus::Cancelled);
    let settled = super::gate_keeper::settled(call.id, CallState::Succeeded, false);
    assert_eq!(bench.store.settle(settled).await.unwrap(), SettleReply::Settled, "what was paid is still recorded");
    assert_eq!(bench.store.abandon(job).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(matches!(
        bench.store.events(job, EventSeq::START, 100).await.unwrap().last().unwrap().body,
        EventBody::Finished { status: JobStatus::Cancelled, .. }
    ));
    // One that is being cancelled already.
    let (job, _) = bench.submit(1).await;
    assert_eq!(bench.claim(session, 1).await.len(), 1);
    assert_eq!(bench.store.control(job, Control::Cancel).await.unwrap().status, JobStatus::Cancelling);
    assert_eq!(bench.store.abandon(job).await.unwrap().status, JobStatus::Cancelled);
    assert!(bench.store.sessions(Some(job)).await.unwrap().is_empty());
}
