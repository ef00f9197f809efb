//! The clauses of `ReviewDesk`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::{Decision, ItemEvent, Retry, StageState};
use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::{Control, ItemStatus, JobStatus};
use pipeline_core::storage::{EventBody, ItemQuery, JobKey, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply};

use super::fixture::{Bench, ending, new_item, new_job, uuid};

fn reviewer(reason: Option<&str>) -> Reviewer {
    Reviewer { actor: "anna".to_owned(), reason: reason.map(str::to_owned) }
}

/// A ruling that begins another round of an item.
async fn retry(bench: &Bench, item: ItemId) -> Ruling {
    let record = bench.store.item(item).await.unwrap();
    let decision = Decision::Retry(Retry { skip: vec![1], revision: 2, ..Retry::from(Some(1)) });
    let mut machine = record.machine.clone();
    machine.round += 1;
    machine.revision = 2;
    machine.stages[1] = StageState::Ready { attempt: 1 };
    Ruling {
        job: record.job,
        item,
        expected: record.machine,
        status: ItemStatus::Pending,
        claimable_at: Some(bench.store.now().await.unwrap()),
        unit: None,
        gate: None,
        decision: decision.clone(),
        events: vec![ItemEvent::Decided { decision, round: machine.round }],
        machine,
    }
}

/// A ruling that marks an item.
pub(super) async fn discard(bench: &Bench, item: ItemId) -> Ruling {
    let record = bench.store.item(item).await.unwrap();
    Ruling {
        machine: record.machine.clone(),
        status: record.status,
        claimable_at: None,
        decision: Decision::Discard,
        events: vec![ItemEvent::Decided { decision: Decision::Discard, round: record.machine.round }],
        ..retry(bench, item).await
    }
}

pub(super) async fn rule(bench: &Bench, ruling: Ruling) -> RulingReply {
    bench.store.rule(reviewer(None), vec![ruling]).await.unwrap()[0]
}

/// A job of so many items that have all been rejected.
async fn rejected(bench: &Bench, count: u32) -> (JobId, Vec<ItemId>) {
    let (job, items) = bench.submit(count).await;
    let session = bench.session().await;
    bench.drain(session, ItemStatus::Rejected).await;
    (job, items)
}

async fn reviews(bench: &Bench, query: ReviewQuery) -> Vec<ReviewRecord> {
    bench.store.reviews(query).await.unwrap()
}

/// A ruling counts only on an item that is as it was read and that nobody holds, and once a batch.
pub async fn review_1_only_what_was_read(bench: &Bench) {
    let (job, items) = rejected(bench, 4).await;
    let stale = retry(bench, items[0]).await;
    assert_eq!(rule(bench, stale.clone()).await, RulingReply::Applied);
    let before = bench.store.job(job).await.unwrap();
    assert_eq!(rule(bench, stale.clone()).await, RulingReply::Changed, "it has begun another round since");
    assert_eq!(bench.store.job(job).await.unwrap(), before);
    // Held, and with that nothing else changed.
    let session = bench.session().await;
    let held = bench.claim(session, 1).await;
    assert_eq!((held[0].item.id, held[0].item.machine.round), (items[0], 2));
    let taken = Ruling { expected: held[0].item.machine.clone(), ..stale };
    assert_eq!(rule(bench, taken).await, RulingReply::Changed);
    let (one, two) = (retry(bench, items[1]).await, retry(bench, items[2]).await);
    let batch = vec![one.clone(), one, two];
    let replies = bench.store.rule(reviewer(None), batch).await.unwrap();
    assert_eq!(replies, [RulingReply::Applied, RulingReply::Changed, RulingReply::Applied]);
    assert_eq!(reviews(bench, ReviewQuery::default()).await.len(), 3);
    // Cancelled is cancelled, for those that had ended before too.
    let last = retry(bench, items[3]).await;
    bench.store.control(job, Control::Cancel).await.unwrap();
    assert_eq!(rule(bench, last).await, RulingReply::Cancelled);
    assert_eq!(bench.store.item(items[3]).await.unwrap().status, ItemStatus::Rejected);
}

/// State, counters, events and the review appear together.
pub async fn review_2_together(bench: &Bench) {
    let (job, items) = rejected(bench, 3).await;
    let last = bench.store.job(job).await.unwrap().last_event;
    let (again, mark) = (retry(bench, items[0]).await, discard(bench, items[1]).await);
    bench.clock.advance(Duration::from_secs(7));
    let by = reviewer(Some("too \"dark\""));
    let replies = bench.store.rule(by.clone(), vec![again.clone(), mark.clone()]).await.unwrap();
    assert_eq!(replies, [RulingReply::Applied, RulingReply::Applied]);
    let other = bench.reopen().await;
    let item = other.item(items[0]).await.unwrap();
    let now = other.now().await.unwrap();
    assert_eq!((item.status, &item.machine, item.updated_at), (ItemStatus::Pending, &again.machine, now));
    let record = other.job(job).await.unwrap();
    assert_eq!((record.counts.planned, record.counts.pending, record.counts.rejected), (3, 1, 2));
    assert_eq!((record.steps_done, record.last_event.0), (5, last.0 + 3));
    let events = other.events(job, last, 10).await.unwrap();
    let told: Vec<&EventBody> = events.iter().map(|event| &event.body).collect();
    let of = |ruling: &Ruling| EventBody::Item { item: ruling.item, what: ruling.events[0].clone() };
    assert_eq!(told, [&EventBody::Reopened, &of(&again), &of(&mark)]);
    let kept = other.reviews(ReviewQuery::default()).await.unwrap();
    let review = |ruling: Ruling| ReviewRecord {
        job,
        item: ruling.item,
        round: ruling.machine.round,
        decision: ruling.decision,
        by: by.clone(),
        at: now,
    };
    assert_eq!(kept, [review(again), review(mark)]);
}

/// A job that has ended opens, is worked on, and ends again.
pub async fn review_3_the_job_opens(bench: &Bench) {
    let (job, items) = rejected(bench, 2).await;
    let ended = bench.store.job(job).await.unwrap();
    assert_eq!((ended.status, ended.ended_at.is_some()), (JobStatus::Failed, true));
    assert_eq!(rule(bench, retry(bench, items[1]).await).await, RulingReply::Applied);
    let open = bench.store.job(job).await.unwrap();
    assert_eq!((open.status, open.ended_at), (JobStatus::Running, None));
    assert_eq!(open.started_at, ended.started_at);
    let session = bench.session().await;
    let claimed = bench.claim(session, 10).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), [items[1]]);
    bench.commit(session, ending(&claimed[0], ItemStatus::Succeeded)).await;
    let again = bench.store.job(job).await.unwrap();
    assert_eq!((again.status, again.ended_at.is_some()), (JobStatus::CompletedWithFailures, true));
    let told = bench.store.events(job, EventSeq::START, 100).await.unwrap();
    let ends = told.iter().filter(|event| matches!(event.body, EventBody::Finished { .. })).count();
    assert_eq!((ends, told.len() as i64), (2, again.last_event.0));
    // What is over at once ends the job at once.
    let over = Ruling { status: ItemStatus::Succeeded, claimable_at: None, ..retry(bench, items[0]).await };
    assert_eq!(rule(bench, over).await, RulingReply::Applied);
    let record = bench.store.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 2));
    // One with a key waits until the other has ended.
    let keyed = || {
        let mut new = new_job();
        new.key = Some(JobKey { name: "press".to_owned(), limit: 1 });
        new
    };
    let (first, of_first) = bench.submit_with(keyed(), vec![new_item(0)]).await;
    bench.drain(session, ItemStatus::Rejected).await;
    let (second, of_second) = bench.submit_with(keyed(), vec![new_item(0), new_item(1)]).await;
    let held = bench.claim(session, 1).await;
    assert_eq!(held[0].item.id, of_second[0]);
    assert_eq!(rule(bench, retry(bench, of_first[0]).await).await, RulingReply::Applied);
    bench.commit(session, ending(&held[0], ItemStatus::Succeeded)).await;
    let next = bench.claim(session, 10).await;
    assert_eq!(next.iter().map(|claimed| claimed.item.job).collect::<Vec<_>>(), [second]);
    bench.commit(session, ending(&next[0], ItemStatus::Succeeded)).await;
    assert_eq!(bench.claim(session, 10).await[0].item.job, first);
}

/// A mark is told and kept, and opens nothing.
pub async fn review_4_a_mark(bench: &Bench) {
    let (job, items) = rejected(bench, 1).await;
    let (before, item) = (bench.store.job(job).await.unwrap(), bench.store.item(items[0]).await.unwrap());
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(rule(bench, discard(bench, items[0]).await).await, RulingReply::Applied);
    let after = bench.store.job(job).await.unwrap();
    assert_eq!((after.status, after.ended_at, &after.counts), (before.status, before.ended_at, &before.counts));
    assert_eq!(after.last_event.0, before.last_event.0 + 1);
    assert_eq!(bench.store.item(items[0]).await.unwrap(), item);
}

/// Reviews are listed in order, by every field of the query.
pub async fn review_5_append_only(bench: &Bench) {
    let (job, items) = rejected(bench, 3).await;
    let (other, others) = rejected(bench, 1).await;
    for item in [items[2], items[0], others[0], items[2]] {
        rule(bench, discard(bench, item).await).await;
    }
    let of = |reviews: Vec<ReviewRecord>| reviews.into_iter().map(|review| review.item).collect::<Vec<_>>();
    assert_eq!(of(reviews(bench, ReviewQuery::default()).await), [items[2], items[0], others[0], items[2]]);
    let by_job = ReviewQuery { job: Some(job), ..ReviewQuery::default() };
    assert_eq!(of(reviews(bench, by_job.clone()).await), [items[2], items[0], items[2]]);
    assert_eq!(of(reviews(bench, ReviewQuery { skip: 1, limit: 1, ..by_job.clone() }).await), [items[0]]);
    assert_eq!(of(reviews(bench, ReviewQuery { skip: 3, ..by_job }).await), []);
    let by_item = ReviewQuery { item: Some(items[2]), ..ReviewQuery::default() };
    assert_eq!(reviews(bench, by_item.clone()).await.len(), 2);
    assert_eq!(reviews(bench, ReviewQuery { job: Some(other), ..by_item }).await, []);
}

/// A ruling on what is not there is an error, and nothing of its batch is applied.
pub async fn review_6_not_found(bench: &Bench) {
    let (job, items) = rejected(bench, 1).await;
    let good = retry(bench, items[0]).await;
    let strangers = [
        Ruling { item: ItemId::from_uuid(uuid()), ..good.clone() },
        Ruling { job: JobId::from_uuid(uuid()), ..good.clone() },
    ];
    for stranger in strangers {
        let error = bench.store.rule(reviewer(None), vec![good.clone(), stranger]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(bench.store.items(ItemQuery::of(job)).await.unwrap()[0].status, ItemStatus::Rejected);
    }
    assert!(reviews(bench, ReviewQuery::default()).await.is_empty());
}
