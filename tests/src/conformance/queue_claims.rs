//! Clauses 1, 4 to 6, 11 and 12 of `WorkQueue`: what a claim hands out.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::collections::BTreeSet;
use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::id::{EventSeq, ItemId, SessionId};
use pipeline_core::model::{Control, ItemStatus, JobStatus};
use pipeline_core::storage::{ClaimRequest, Claimed};

use super::fixture::{Bench, LEASE, new_item, new_job, releasing, uuid};

fn ids(claimed: &[Claimed]) -> Vec<ItemId> {
    claimed.iter().map(|claimed| claimed.item.id).collect()
}

/// An item is held by at most one live session, and every claim raises its token and tells whether it is the first.
pub async fn queue_1_one_holder(bench: &Bench) {
    let (_, items) = bench.submit(40).await;
    let other = bench.reopen().await;
    let (one, two) = (bench.session().await, bench.session().await);
    let request = |session| ClaimRequest { session, limit: 13, job: None };
    let (a, b, c, d) = tokio::join!(
        bench.store.claim(request(one)),
        other.claim(request(two)),
        bench.store.claim(request(two)),
        other.claim(request(one)),
    );
    let all: Vec<Claimed> = [a, b, c, d].into_iter().flat_map(|claims| claims.unwrap().units).flatten().collect();
    assert_eq!(all.len(), 40, "claims overlap or leave something");
    assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>(), items.iter().copied().collect());
    assert!(bench.claim(one, 10).await.is_empty());
    assert!(all.iter().all(|claimed| claimed.first));
    let first = all.iter().find(|claimed| claimed.item.id == items[0]).unwrap();
    assert_eq!(first.item.status, ItemStatus::Running);
    bench.store.close_session(one).await.unwrap();
    bench.store.close_session(two).await.unwrap();
    let three = bench.session().await;
    let again = bench.claim(three, 1).await;
    assert_eq!(again[0].item.id, items[0]);
    assert!(again[0].token > first.token && !again[0].first);
    let unknown = ClaimRequest { session: SessionId::from_uuid(uuid()), limit: 1, job: None };
    assert_eq!(bench.store.claim(unknown).await.unwrap_err().kind(), ErrorKind::Conflict);
}

/// A claim hands out what is due, of jobs that run: by priority, then least recently served, then by place.
pub async fn queue_4_only_what_is_due(bench: &Bench) {
    let session = bench.session().await;
    let mut items: Vec<_> = (0..4).map(new_item).collect();
    items.reverse();
    let (first, mut in_first) = bench.submit_with(new_job(), items).await;
    in_first.reverse();
    let (second, in_second) = bench.submit(3).await;
    let mut urgent = new_job();
    urgent.priority = 5;
    let (_, in_urgent) = bench.submit_with(urgent, vec![new_item(0)]).await;
    let (paused, in_paused) = bench.submit(1).await;
    bench.store.control(paused, Control::Pause).await.unwrap();

    assert_eq!(ids(&bench.claim(session, 2).await), [in_urgent[0], in_first[0]]);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&bench.claim(session, 1).await), [in_second[0]], "the job least recently served is next");
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(ids(&bench.claim(session, 1).await), [in_first[1]]);
    bench.clock.advance(Duration::from_millis(1));
    let request = |job| ClaimRequest { session, limit: 1, job: Some(job) };
    let only = bench.store.claim(request(first)).await.unwrap();
    assert_eq!(ids(&only.units[0]), [in_first[2]], "a wish for one job is honoured");
    assert!(bench.store.claim(request(paused)).await.unwrap().units.is_empty());
    assert!(bench.store.claim(ClaimRequest { session, limit: 0, job: None }).await.unwrap().units.is_empty());

    let rest = bench.claim(session, 10).await;
    assert_eq!(ids(&rest), [in_second[1], in_second[2], in_first[3]]);
    assert!(bench.claim(session, 10).await.is_empty());
    let now = bench.store.now().await.unwrap();
    bench.commit(session, releasing(&rest[0], Some(now.after(Duration::from_secs(2))))).await;
    bench.commit(session, releasing(&rest[1], None)).await;
    bench.commit(session, releasing(&rest[2], Some(now))).await;
    assert_eq!(ids(&bench.claim(session, 10).await), [in_first[3]]);
    assert_eq!(bench.store.item(in_second[2]).await.unwrap().status, ItemStatus::Waiting);
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(ids(&bench.claim(session, 10).await), [in_second[1]]);
    bench.store.control(paused, Control::Run).await.unwrap();
    assert_eq!(ids(&bench.claim(session, 10).await), in_paused);
    let focused = bench.session_for(Some(first)).await;
    bench.submit(1).await;
    assert!(bench.claim(focused, 10).await.is_empty(), "a session for one job took another's item");
    assert_eq!(bench.store.job(second).await.unwrap().status, JobStatus::Running);
}

/// The claimable items of one unit are claimed together, even beyond the limit.
pub async fn queue_5_whole_units(bench: &Bench) {
    let unit = Some(ItemId::from_uuid(uuid()));
    let items: Vec<_> = (0..30)
        .map(|ordinal| {
            let mut item = new_item(ordinal);
            // Two units of twelve woven into each other, and six items on their own.
            item.unit = match ordinal % 5 {
                0 | 1 => unit,
                2 | 3 => Some(ItemId::from_uuid(uuid::Uuid::from_u128(9))),
                _ => None,
            };
            item
        })
        .collect();
    let all: Vec<ItemId> = items.iter().map(|item| item.id).collect();
    bench.submit_with(new_job(), items).await;
    let session = bench.session().await;
    let units = bench.units(session, 1).await;
    assert_eq!(units.len(), 1);
    let expected: Vec<ItemId> =
        all.iter().copied().enumerate().filter(|(at, _)| at % 5 < 2).map(|(_, id)| id).collect();
    assert_eq!(ids(&units[0]), expected);
    // Only what is claimable comes along.
    let now = bench.store.now().await.unwrap();
    let back = |at: usize, due| {
        let mut commit = releasing(&units[0][at], due);
        commit.unit = unit;
        commit
    };
    let commits = vec![back(0, Some(now)), back(1, None), back(2, Some(now.after(LEASE))), back(3, Some(now))];
    bench.store.commit(session, commits).await.unwrap();
    let units = bench.units(session, 3).await;
    assert_eq!(units.iter().map(Vec::len).collect::<Vec<_>>(), [2, 12, 1]);
    assert_eq!(ids(&units[0]), [expected[0], expected[3]]);
    // A unit of one job never brings items of another.
    let shared = Some(ItemId::from_uuid(uuid()));
    let twin = || {
        let mut item = new_item(0);
        item.unit = shared;
        vec![item]
    };
    bench.submit_with(new_job(), twin()).await;
    bench.submit_with(new_job(), twin()).await;
    assert!(bench.units(session, 10).await.iter().all(|unit| unit.len() == 1));
    // More units than one look at the index finds.
    let many = (0..60)
        .map(|ordinal| {
            let mut item = new_item(ordinal);
            item.unit = Some(ItemId::from_uuid(uuid::Uuid::from_u128(100 + u128::from(ordinal / 20))));
            item
        })
        .collect();
    bench.submit_with(new_job(), many).await;
    assert_eq!(bench.units(session, 3).await.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 20]);
}

/// A claim writes no event; the first one sets the job's `started_at`.
pub async fn queue_6_quiet(bench: &Bench) {
    let (job, _) = bench.submit(2).await;
    let session = bench.session().await;
    assert_eq!(bench.store.job(job).await.unwrap().started_at, None);
    let started = bench.store.now().await.unwrap();
    bench.claim(session, 1).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.claim(session, 1).await;
    let record = bench.store.job(job).await.unwrap();
    assert_eq!((record.started_at, record.status), (Some(started), JobStatus::Running));
    assert_eq!(record.last_event, EventSeq(1));
    assert_eq!(bench.store.events(job, EventSeq::START, 10).await.unwrap().len(), 1);
}

/// The store's clock decides what is due and what is expired.
pub async fn queue_11_the_stores_clock(bench: &Bench) {
    let (_, items) = bench.submit(1).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    let now = bench.store.now().await.unwrap();
    let due = now.after(Duration::from_micros(2));
    bench.commit(session, releasing(&claimed[0], Some(due))).await;
    bench.clock.advance(Duration::from_micros(1));
    assert!(bench.claim(session, 1).await.is_empty());
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(bench.store.now().await.unwrap(), due);
    assert_eq!(ids(&bench.claim(session, 1).await), items);
    bench.clock.advance(LEASE.saturating_sub(Duration::from_micros(3)));
    assert_eq!(bench.store.sessions(None).await.unwrap().len(), 1);
    bench.clock.advance(Duration::from_micros(1));
    assert!(bench.store.sessions(None).await.unwrap().is_empty());
}

/// `next_at` is the earliest time of an unclaimed item of a job that is to run, and `None` when there is none.
pub async fn queue_12_next_at(bench: &Bench) {
    let next = async |session, job| bench.store.claim(ClaimRequest { session, limit: 1, job }).await.unwrap().next_at;
    let session = bench.session().await;
    assert_eq!(next(session, None).await, None);
    let (job, _) = bench.submit(3).await;
    let (other, _) = bench.submit(1).await;
    let claimed = bench.claim(session, 4).await;
    assert_eq!(next(session, None).await, None);
    let now = bench.store.now().await.unwrap();
    let at = |seconds| now.after(Duration::from_secs(seconds));
    let of = |job, nth| claimed.iter().filter(|claimed| claimed.item.job == job).nth(nth).unwrap();
    bench.commit(session, releasing(of(job, 0), Some(at(9)))).await;
    bench.commit(session, releasing(of(job, 1), Some(at(5)))).await;
    bench.commit(session, releasing(of(other, 0), Some(at(3)))).await;
    assert_eq!(next(session, None).await, Some(at(3)));
    assert_eq!(next(session, Some(job)).await, Some(at(5)));
    bench.store.control(other, Control::Pause).await.unwrap();
    assert_eq!(next(session, None).await, Some(at(5)));
    bench.store.control(job, Control::Pause).await.unwrap();
    assert_eq!(next(session, None).await, None, "time does not bring back what is paused");
    // When something due is left, it is at once.
    bench.submit(2).await;
    let left = next(session, None).await;
    assert!(left.is_some_and(|left| left <= now), "{left:?}");
}
