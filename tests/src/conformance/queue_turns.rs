//! Clauses 13 to 18 of `WorkQueue`: whose turn it is, and who may spend.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::model::{Control, ItemStatus, Limits};
use pipeline_core::storage::{ClaimRequest, CommitReply, JobKey, LOOK_AGAIN, NewJob, Refusal};

use super::fixture::{Bench, LEASE, ending, expanding, new_item, new_job};
use super::gate_keeper::intent;

fn keyed(limit: u32) -> NewJob {
    NewJob { key: Some(JobKey { name: "press".to_owned(), limit }), ..new_job() }
}

/// A job that is not served gains one point of priority a minute.
pub async fn queue_13_ageing(bench: &Bench) {
    let (patient, _) = bench.submit(6).await;
    bench.clock.advance(Duration::from_secs(125));
    let urgent = NewJob { priority: 1, ..new_job() };
    let (urgent, _) = bench.submit_with(urgent, (0..5).map(new_item).collect()).await;
    let session = bench.session().await;
    let served: Vec<_> = bench.claim(session, 5).await.iter().map(|claimed| claimed.item.job).collect();
    assert_eq!(served, [patient; 5], "two points gained are more than one given");
    // Its own priority counts again once it was served.
    assert_eq!(bench.claim(session, 1).await[0].item.job, urgent, "what it gained is not gone");
    let (late, _) = bench.submit(1).await;
    assert_eq!(bench.claim(session, 1).await[0].item.job, urgent);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.claim(session, 9).await.last().unwrap().item.job, late);
}

/// Items are not handed out before the job's start.
pub async fn queue_14_not_before(bench: &Bench) {
    let start = bench.store.now().await.unwrap().after(Duration::from_secs(90));
    let (job, _) = bench.submit_with(NewJob { start_at: Some(start), ..new_job() }, vec![new_item(0)]).await;
    let session = bench.session().await;
    let claims = bench.claims(session, 10).await;
    assert_eq!((claims.units.len(), claims.next_at), (0, Some(start)));
    assert_eq!(bench.store.job(job).await.unwrap().start_at, Some(start));
    bench.clock.advance(Duration::from_secs(90));
    let session = bench.session().await;
    assert_eq!(bench.claim(session, 10).await.len(), 1);
}

/// Of the open jobs with one key only so many are started as the limit says.
pub async fn queue_15_turns(bench: &Bench) {
    let (first, _) = bench.submit_with(keyed(1), (0..2).map(new_item).collect()).await;
    let (second, _) = bench.submit_with(keyed(1), vec![new_item(0)]).await;
    let (free, _) = bench.submit(1).await;
    let session = bench.session().await;
    let jobs: Vec<_> = bench.claim(session, 10).await.iter().map(|claimed| claimed.item.job).collect();
    assert_eq!(jobs, [first, first, free], "the second job waits for its turn, the others do not");
    let claims = bench.claims(session, 10).await;
    let soon = bench.store.now().await.unwrap().after(LOOK_AGAIN);
    assert_eq!((claims.units.len(), claims.next_at), (0, Some(soon)));
    assert_eq!(bench.store.job(second).await.unwrap().started_at, None);
    bench.store.close_session(session).await.unwrap();
    let session = bench.session().await;
    for job in [first, free] {
        bench.store.control(job, Control::Pause).await.unwrap();
    }
    assert_eq!(bench.claims(session, 10).await.next_at, None, "a paused job's turn is not over by itself");
    for job in [first, free] {
        bench.store.control(job, Control::Run).await.unwrap();
    }
    assert_eq!(bench.drain(session, ItemStatus::Failed).await, 3, "the first job still has its turn");
    assert_eq!(bench.claim(session, 10).await[0].item.job, second, "its end is the next one's turn");
    let key = bench.store.job(second).await.unwrap().key.unwrap();
    assert_eq!((key.name.as_str(), key.limit), ("press", 1));

    for _ in 0..3 {
        let key = JobKey { name: "two".to_owned(), limit: 2 };
        bench.submit_with(NewJob { key: Some(key), ..new_job() }, vec![new_item(0)]).await;
    }
    assert_eq!(bench.claim(session, 10).await.len(), 2);
}

/// No more units of a job are held than its own limit says, over all sessions.
pub async fn queue_16_job_concurrency(bench: &Bench) {
    let mut narrow = new_job();
    narrow.plan.plan.concurrency = Some(3);
    let (job, _) = bench.submit_with(narrow, (0..5).map(new_item).collect()).await;
    let (one, two) = (bench.session().await, bench.session().await);
    let held = bench.claim(one, 2).await;
    assert_eq!(bench.claim(two, 10).await.len(), 1, "over all sessions");
    let claims = bench.claims(two, 10).await;
    assert!(claims.units.is_empty() && claims.next_at.is_some());
    bench.commit(one, ending(&held[0], ItemStatus::Succeeded)).await;
    assert_eq!(bench.claim(two, 10).await.len(), 1);
    bench.store.control(job, Control::Cancel).await.unwrap();

    let mut narrow = new_job();
    narrow.plan.plan.concurrency = Some(2);
    bench.submit_with(narrow, (0..3).map(new_item).collect()).await;
    for parent in &bench.claim(one, 2).await {
        assert_eq!(bench.commit(one, expanding(parent, 4)).await, CommitReply::Applied);
    }
    assert_eq!(bench.units(one, 1).await.len(), 1);
    let units = bench.units(two, 10).await;
    assert_eq!(units.iter().map(Vec::len).collect::<Vec<_>>(), [4], "a unit counts as one");
    assert!(bench.claim(one, 10).await.is_empty());
}

/// While everything is paused nothing is handed out, no call is opened, and heartbeats say so.
pub async fn queue_17_pause_of_everything(bench: &Bench) {
    let (job, _) = bench.submit(3).await;
    let session = bench.session().await;
    let held = bench.claim(session, 1).await;
    bench.store.pause_all(true).await.unwrap();
    assert!(bench.claims(session, 10).await.units.is_empty());
    assert_eq!(bench.store.heartbeat(session, LEASE).await.unwrap().controls, [(job, Control::Pause)]);
    assert!(bench.store.queue_status().await.unwrap().paused);
    let other = bench.reopen().await;
    let wish = ClaimRequest { session, limit: 10, job: None };
    assert!(other.claim(wish).await.unwrap().units.is_empty(), "it holds for every process");
    let refused = CommitReply::Refused(Refusal::Paused);
    assert_eq!(bench.commit(session, intent(&held[0], Limits::default()).1).await, refused);
    assert_eq!(bench.commit(session, ending(&held[0], ItemStatus::Succeeded)).await, CommitReply::Applied);
    bench.store.pause_all(false).await.unwrap();
    assert_eq!(bench.claim(session, 10).await.len(), 2);
    assert!(bench.store.heartbeat(session, LEASE).await.unwrap().controls.is_empty());
    let status = bench.store.queue_status().await.unwrap();
    assert_eq!((status.paused, status.depth.held, status.depth.due), (false, 2, 0));
}

/// What a person asked of a job holds for every intent after it; a refused commit leaves nothing.
pub async fn queue_18_intents_ask(bench: &Bench) {
    let (job, _) = bench.submit(3).await;
    let session = bench.session().await;
    let held = bench.claim(session, 3).await;
    let (_, mut commit) = intent(&held[0], Limits::default());
    commit.results = vec![super::fixture::result(held[0].item.id, "prompt", Duration::from_secs(1), 5)];
    commit.events = vec![pipeline_core::executor::ItemEvent::Recovered { crashes: 1 }];
    bench.store.control(job, Control::Pause).await.unwrap();
    let before = bench.store.job(job).await.unwrap();
    let batch = vec![commit.clone(), ending(&held[1], ItemStatus::Succeeded)];
    let replies = bench.store.commit(session, batch).await.unwrap();
    assert_eq!(replies, [CommitReply::Refused(Refusal::Paused), CommitReply::Applied], "the rest is written");
    let elsewhere = bench.reopen().await.commit(session, vec![commit.clone()]).await.unwrap();
    assert_eq!(elsewhere, [CommitReply::Refused(Refusal::Paused)], "it holds for every process");
    let after = bench.store.job(job).await.unwrap();
    assert_eq!(after.last_event.0, before.last_event.0 + 1, "the event of the other commit");
    assert!(bench.store.history(held[0].item.id).await.unwrap().is_empty());
    assert_eq!(bench.store.item(held[0].item.id).await.unwrap().machine, held[0].item.machine);
    bench.store.control(job, Control::Run).await.unwrap();
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    bench.store.control(job, Control::Cancel).await.unwrap();
    let refused = CommitReply::Refused(Refusal::Cancelled);
    assert_eq!(bench.commit(session, intent(&held[2], Limits::default()).1).await, refused);
    let mut stale = intent(&held[2], Limits::default()).1;
    stale.token.0 += 7;
    assert_eq!(bench.commit(session, stale).await, CommitReply::Superseded, "the fence comes first");
}
