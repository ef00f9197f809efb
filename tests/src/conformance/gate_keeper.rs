//! The clauses of `GateKeeper`: what makes paid work wait.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::id::{CallId, SessionId};
use pipeline_core::model::{Limits, Money};
use pipeline_core::storage::{
    CallQuery, CallState, Claimed, Commit, CommitReply, GateKey, GatePass, GateRecord, NewCall, NewItem, Refusal,
    Settlement,
};

use super::fixture::{Bench, PATIENCE, holding, new_call, new_item, new_job, releasing};

fn key() -> GateKey {
    GateKey::provider("studio")
}

/// Makes the intent of a call that passes the gate, for a claimed item.
pub(super) fn intent(claimed: &Claimed, limits: Limits) -> (NewCall, Commit) {
    let mut call = new_call(claimed.item.job, &[claimed.item.id]);
    call.gate = Some(GatePass { key: key(), limits });
    (call.clone(), Commit { gate: Some(key()), calls: vec![call], ..holding(claimed) })
}

/// Says how a call ended.
pub(super) fn settled(call: CallId, state: CallState, outage: bool) -> Settlement {
    Settlement {
        call,
        state,
        sending: None,
        cost: Money::ZERO,
        response: None,
        failure: None,
        external_id: None,
        outage,
    }
}

fn gated(ordinal: u32) -> NewItem {
    NewItem { gate: Some(key()), ..new_item(ordinal) }
}

async fn gate(bench: &Bench) -> GateRecord {
    let gates = bench.store.gates().await.unwrap();
    assert_eq!(gates.len(), 1, "{gates:?}");
    gates.into_iter().next().unwrap()
}

/// Claims items of a fresh job that come to the gate next.
async fn claimed(bench: &Bench, count: u32) -> (SessionId, Vec<Claimed>) {
    bench.submit_with(new_job(), (0..count).map(gated).collect()).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, count).await;
    assert_eq!(claimed.len(), count as usize);
    (session, claimed)
}

/// A closed gate lets no intent pass, and no item that comes to it next is handed out.
pub async fn gate_1_closed(bench: &Bench) {
    let (session, items) = claimed(bench, 2).await;
    bench.submit_with(new_job(), vec![gated(0), new_item(1)]).await;
    bench.store.close_gate(key(), Duration::from_secs(20), "too many requests").await.unwrap();
    let until = bench.store.now().await.unwrap().after(Duration::from_secs(20));
    let (call, commit) = intent(&items[0], Limits::default());
    let refused = CommitReply::Refused(Refusal::Gate(Some(until)));
    assert_eq!(bench.commit(session, commit.clone()).await, refused);
    let elsewhere = bench.reopen().await.commit(session, vec![commit]).await.unwrap();
    assert_eq!(elsewhere, [refused], "it holds for every process");
    assert!(bench.store.calls(CallQuery::default()).await.unwrap().is_empty(), "{}", call.id);
    let free = bench.claim(session, 10).await;
    assert_eq!(free.len(), 1, "only what does not come to the gate");
    assert_eq!(free[0].item.ordinal, 1);
    let record = gate(bench).await;
    assert_eq!((record.closed_until, record.reason.as_deref()), (Some(until), Some("too many requests")));
    assert_eq!((record.waiting, record.open_calls), (1, 0));
    bench.store.open_gate(key()).await.unwrap();
    assert_eq!(bench.claim(session, 10).await.len(), 1);
    assert_eq!(bench.commit(session, intent(&items[0], Limits::default()).1).await, CommitReply::Applied);
    assert_eq!(gate(bench).await.open_calls, 1);
}

/// Closing a closed gate never shortens its time.
pub async fn gate_2_longest_wins(bench: &Bench) {
    bench.store.close_gate(key(), Duration::from_secs(60), "long").await.unwrap();
    let long = gate(bench).await;
    bench.store.close_gate(key(), Duration::from_secs(5), "short").await.unwrap();
    assert_eq!(gate(bench).await, long);
    bench.store.close_gate(key(), Duration::from_secs(90), "longer").await.unwrap();
    let longer = gate(bench).await;
    let until = bench.store.now().await.unwrap().after(Duration::from_secs(90));
    assert_eq!((longer.reason.as_deref(), longer.closed_until), (Some("longer"), Some(until)));
}

/// No more calls are open than the limit says; a settled one, and one beyond its deadline, makes room.
pub async fn gate_3_concurrency(bench: &Bench) {
    let limits = Limits { concurrency: Some(2), per_minute: None };
    let (session, items) = claimed(bench, 5).await;
    let intents: Vec<(NewCall, Commit)> = items.iter().map(|item| intent(item, limits)).collect();
    let all: Vec<Commit> = intents.iter().map(|(_, commit)| commit.clone()).collect();
    let replies = bench.store.commit(session, all).await.unwrap();
    let full = CommitReply::Refused(Refusal::Gate(None));
    assert_eq!(replies, [CommitReply::Applied, CommitReply::Applied, full, full, full]);
    assert_eq!(gate(bench).await.open_calls, 2);
    // The same call again is the same call.
    assert_eq!(bench.commit(session, intents[0].1.clone()).await, CommitReply::Applied);
    bench.store.settle(settled(intents[0].0.id, CallState::Succeeded, false)).await.unwrap();
    assert_eq!(bench.commit(session, intents[2].1.clone()).await, CommitReply::Applied);
    assert_eq!(bench.commit(session, intents[3].1.clone()).await, full);
    let elsewhere = bench.reopen().await.commit(session, vec![intents[3].1.clone()]).await.unwrap();
    assert_eq!(elsewhere, [full], "over all processes");
    // What is due is handed out only as far as there is room.
    let other = bench.session().await;
    for claimed in &items {
        bench
            .commit(session, Commit { gate: Some(key()), ..releasing(claimed, Some(bench.store.now().await.unwrap())) })
            .await;
    }
    assert!(bench.claim(other, 10).await.is_empty());
    bench.store.settle(settled(intents[1].0.id, CallState::Failed, false)).await.unwrap();
    assert_eq!(bench.claim(other, 10).await.len(), 1, "one call is open and one may follow");
    bench.clock.advance(PATIENCE + Duration::from_secs(1));
    let late = bench.session().await;
    assert_eq!(bench.claim(late, 10).await.len(), 2, "a call beyond its deadline, and a dead session, hold nothing");
}

/// No more intents pass in any minute than the limit says.
pub async fn gate_4_rate(bench: &Bench) {
    let limits = Limits { concurrency: None, per_minute: Some(3) };
    let (session, items) = claimed(bench, 6).await;
    let start = bench.store.now().await.unwrap();
    let first = bench.commit(session, intent(&items[0], limits).1).await;
    bench.clock.advance(Duration::from_secs(10));
    let second = bench.commit(session, intent(&items[1], limits).1).await;
    let third = bench.commit(session, intent(&items[2], limits).1).await;
    assert_eq!([first, second, third], [CommitReply::Applied; 3]);
    let full = CommitReply::Refused(Refusal::Gate(Some(start.after(Duration::from_secs(60)))));
    let (_, fourth) = intent(&items[3], limits);
    assert_eq!(bench.commit(session, fourth.clone()).await, full);
    let elsewhere = bench.reopen().await.commit(session, vec![fourth.clone()]).await.unwrap();
    assert_eq!(elsewhere, [full], "over all processes");
    bench.store.heartbeat(session, Duration::from_secs(60)).await.unwrap();
    bench.clock.advance(Duration::from_secs(50));
    assert_eq!(bench.commit(session, fourth).await, CommitReply::Applied, "the first has left the minute");
    let full = CommitReply::Refused(Refusal::Gate(Some(start.after(Duration::from_secs(70)))));
    assert_eq!(bench.commit(session, intent(&items[4], limits).1).await, full, "the others have not");
    assert_eq!(gate(bench).await.limits, limits);
}

/// Five outages in a row close the gate, then one call at a time tries it.
pub async fn gate_5_breaker(bench: &Bench) {
    let (session, items) = claimed(bench, 8).await;
    let fail = |index: usize, outage: bool| {
        let (call, commit) = intent(&items[index], Limits::default());
        async move {
            assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
            bench.store.settle(settled(call.id, CallState::Failed, outage)).await.unwrap();
        }
    };
    for (index, outage) in [true, true, true, true, false].into_iter().enumerate() {
        fail(index, outage).await;
    }
    assert_eq!((gate(bench).await.outages, gate(bench).await.closed_until), (0, None), "an answer ends the row");
    let (stray, commit) = intent(&items[7], Limits::default());
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    for index in 0..5 {
        assert_eq!(gate(bench).await.closed_until, None);
        fail(index, true).await;
    }
    let until = bench.store.now().await.unwrap().after(Duration::from_secs(10));
    assert_eq!((gate(bench).await.outages, gate(bench).await.closed_until), (5, Some(until)));
    let refused = CommitReply::Refused(Refusal::Gate(Some(until)));
    assert_eq!(bench.commit(session, intent(&items[5], Limits::default()).1).await, refused);
    bench.store.settle(settled(stray.id, CallState::Failed, true)).await.unwrap();
    assert_eq!((gate(bench).await.outages, gate(bench).await.closed_until), (5, Some(until)), "sent before");
    bench.clock.advance(Duration::from_secs(10));
    let (probe, commit) = intent(&items[5], Limits::default());
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    let full = CommitReply::Refused(Refusal::Gate(None));
    assert_eq!(bench.commit(session, intent(&items[6], Limits::default()).1).await, full, "one at a time");
    // When that is another outage, the gate closes for longer.
    bench.store.settle(settled(probe.id, CallState::Failed, true)).await.unwrap();
    let until = bench.store.now().await.unwrap().after(Duration::from_secs(20));
    assert_eq!((gate(bench).await.outages, gate(bench).await.closed_until), (6, Some(until)));
    bench.store.heartbeat(session, Duration::from_secs(60)).await.unwrap();
    bench.clock.advance(Duration::from_secs(20));
    let (probe, commit) = intent(&items[5], Limits::default());
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    bench.store.settle(settled(probe.id, CallState::Succeeded, false)).await.unwrap();
    for claimed in &items[6..] {
        assert_eq!(bench.commit(session, intent(claimed, Limits::default()).1).await, CommitReply::Applied);
    }
}

/// A gate opens when its time has come, and what waited is handed out.
pub async fn gate_6_by_itself(bench: &Bench) {
    bench.submit_with(new_job(), (0..3).map(gated).collect()).await;
    let session = bench.session().await;
    bench.store.close_gate(key(), Duration::from_secs(7), "rest").await.unwrap();
    let until = bench.store.now().await.unwrap().after(Duration::from_secs(7));
    let claims = bench.claims(session, 10).await;
    assert_eq!((claims.units.len(), claims.next_at), (0, Some(until)));
    bench.clock.advance(Duration::from_secs(7));
    assert_eq!(bench.claim(session, 10).await.len(), 3);
}
