//! Clauses 7, 8 and 19 of `WorkQueue`: who lives and who does not.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::StageState;
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{CommitReply, NewSession};

use super::fixture::{Bench, LEASE, holding};

/// A session whose lease has run out loses its claims before the next answer; its items keep their machine.
pub async fn queue_7_dead_sessions(bench: &Bench) {
    let (job, items) = bench.submit(2).await;
    let (lazy, busy) = (bench.session().await, bench.session().await);
    let held = bench.claim(lazy, 1).await;
    let mut started = holding(&held[0]);
    started.machine.stages[0] = StageState::Running { attempt: 1, resume: None };
    bench.commit(lazy, started.clone()).await;
    assert_eq!(bench.claim(busy, 10).await.len(), 1);

    bench.clock.advance(LEASE / 2);
    let beat = bench.store.heartbeat(busy, LEASE).await.unwrap();
    assert!(beat.alive && beat.controls.is_empty());
    let sessions = bench.store.sessions(Some(job)).await.unwrap();
    assert_eq!(sessions.iter().map(|session| (session.id, session.claims)).collect::<Vec<_>>(), [(lazy, 1), (busy, 1)]);
    bench.clock.advance(LEASE / 2);
    let taken = bench.claim(busy, 10).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(
        (taken[0].item.id, &taken[0].item.machine),
        (items[0], &started.machine),
        "the mark of the start is kept"
    );
    assert!(taken[0].token > held[0].token);
    assert!(!bench.store.heartbeat(lazy, LEASE).await.unwrap().alive);
    let sessions = bench.store.sessions(None).await.unwrap();
    assert_eq!(sessions.iter().map(|session| (session.id, session.claims)).collect::<Vec<_>>(), [(busy, 2)]);
    assert_eq!(sessions[0].lease_until, bench.store.now().await.unwrap().after(LEASE / 2));

    // Before `sessions` and `control` answer, too; and a late heartbeat does not bring it back.
    bench.clock.advance(LEASE);
    assert!(!bench.store.heartbeat(busy, LEASE).await.unwrap().alive);
    assert_eq!(bench.store.item(items[0]).await.unwrap().status, ItemStatus::Pending, "nobody holds it");
    assert!(bench.store.sessions(Some(job)).await.unwrap().is_empty());
    let next = bench.session_for(Some(job)).await;
    assert_eq!(bench.store.sessions(Some(job)).await.unwrap()[0].id, next);
    assert_eq!(bench.claim(next, 10).await.len(), 2);
    bench.store.control(job, Control::Pause).await.unwrap();
    assert_eq!(bench.store.heartbeat(next, LEASE).await.unwrap().controls, [(job, Control::Pause)]);
    bench.clock.advance(LEASE);
    assert_eq!(bench.store.control(job, Control::Cancel).await.unwrap().counts.cancelled, 2);
    assert!(bench.store.sessions(None).await.unwrap().is_empty());
}

/// Closing a session gives all its claims back at once, whatever they waited for.
pub async fn queue_8_release(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    let mut parked = holding(&claimed[0]);
    parked.claimable_at = Some(bench.store.now().await.unwrap().after(Duration::from_secs(3_600)));
    bench.commit(session, parked).await;
    let twin = NewSession { id: session, host: "bench".to_owned(), pid: 8, lease: LEASE, focus: None };
    assert_eq!(bench.store.open_session(twin).await.unwrap_err().kind(), ErrorKind::Conflict);
    bench.store.close_session(session).await.unwrap();
    assert!(bench.store.sessions(None).await.unwrap().is_empty());
    assert!(!bench.store.heartbeat(session, LEASE).await.unwrap().alive);
    assert_eq!(bench.store.job(job).await.unwrap().counts.running, 0, "its machine says running, but nobody holds it");
    let next = bench.session().await;
    let all: Vec<_> = bench.claim(next, 10).await.iter().map(|claimed| claimed.item.id).collect();
    assert_eq!(all, items);
    bench.store.close_session(session).await.unwrap();
    assert!(bench.store.heartbeat(next, LEASE).await.unwrap().alive);
}

/// What the session holds beside the items named is free at once; those named and other sessions' are not touched.
pub async fn queue_19_keep_only(bench: &Bench) {
    let (job, items) = bench.submit(4).await;
    let (session, other) = (bench.session().await, bench.session().await);
    let claimed = bench.claim(session, 3).await;
    let theirs = bench.claim(other, 1).await;
    bench.store.keep_only(session, vec![items[1], items[3]]).await.unwrap();
    assert_eq!(bench.store.job(job).await.unwrap().counts.running, 2);
    let reply = bench.store.commit(session, vec![holding(&claimed[0])]).await.unwrap();
    assert_eq!(reply, [CommitReply::Superseded]);
    bench.commit(session, holding(&claimed[1])).await;
    bench.commit(other, holding(&theirs[0])).await;
    let again = bench.claim(session, 4).await;
    assert_eq!(again.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), [items[0], items[2]]);
    assert!(again[0].token > claimed[0].token);
    assert!(bench.store.heartbeat(session, LEASE).await.unwrap().alive, "the session goes on");
    // With nothing to keep, all goes.
    bench.store.keep_only(session, Vec::new()).await.unwrap();
    assert_eq!(bench.claim(session, 4).await.len(), 3);
    // What is given back to a cancelled job ends with it.
    bench.store.control(job, Control::Cancel).await.unwrap();
    bench.store.keep_only(session, vec![items[1]]).await.unwrap();
    assert_eq!(bench.store.job(job).await.unwrap().counts.cancelled, 2);
}
