//! The clauses of `ScheduleKeeper`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::id::{JobId, ScheduleId};
use pipeline_core::storage::{NewSchedule, Occasion, Outcome, ScheduleRecord};
use pipeline_core::time::Timestamp;

use super::fixture::{Bench, uuid};
use super::template_keeper::request;

const MINUTE: Duration = Duration::from_secs(60);

/// Makes a schedule that is due in so many minutes.
async fn new(bench: &Bench, owner: &str, name: &str, minutes: u32) -> NewSchedule {
    NewSchedule {
        id: ScheduleId::from_uuid(uuid()),
        owner: owner.to_owned(),
        name: name.to_owned(),
        every: "*/5 * * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        overlap: minutes % 2 == 1,
        request: request(name),
        next_at: bench.store.now().await.unwrap().after(MINUTE * minutes),
    }
}

async fn add(bench: &Bench, owner: &str, name: &str, minutes: u32) -> ScheduleRecord {
    bench.store.schedule(new(bench, owner, name, minutes).await).await.unwrap()
}

async fn only(bench: &Bench, id: ScheduleId) -> ScheduleRecord {
    let all = bench.reopen().await.schedules(None).await.unwrap();
    all.into_iter().find(|record| record.id == id).unwrap()
}

async fn due(bench: &Bench) -> (Vec<String>, Option<Timestamp>) {
    let due = bench.store.due().await.unwrap();
    (due.schedules.into_iter().map(|record| record.name).collect(), due.next_at)
}

fn job() -> JobId {
    JobId::from_uuid(uuid())
}

/// A schedule is kept as it is stored, its name is its owner's, and the list is by owner and name.
pub async fn schedule_1_kept(bench: &Bench) {
    let stored = new(bench, "bea", "b", 1).await;
    let record = bench.store.schedule(stored.clone()).await.unwrap();
    let expected = ScheduleRecord {
        id: stored.id,
        owner: stored.owner.clone(),
        name: stored.name.clone(),
        every: stored.every.clone(),
        timezone: stored.timezone.clone(),
        overlap: stored.overlap,
        request: stored.request.clone(),
        paused: false,
        next_at: stored.next_at,
        last: None,
        last_job: None,
        created_at: bench.store.now().await.unwrap(),
    };
    assert_eq!(record, expected);
    assert_eq!(only(bench, stored.id).await, expected);
    let twin = NewSchedule { next_at: stored.next_at.after(MINUTE), ..new(bench, "bea", "b", 4).await };
    assert_eq!(bench.store.schedule(twin).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(only(bench, stored.id).await, expected);
    for (owner, name) in [("ann", "c"), ("bea", "a"), ("ann", "b")] {
        add(bench, owner, name, 2).await;
    }
    let list = async |owner: Option<&str>| {
        let found = bench.store.schedules(owner).await.unwrap();
        found.iter().map(|record| format!("{}/{}", record.owner, record.name)).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, ["ann/b", "ann/c", "bea/a", "bea/b"]);
    assert_eq!(list(Some("ann")).await, ["ann/b", "ann/c"]);
    assert!(list(Some("eve")).await.is_empty());
}

/// What is due is told by the store's clock, with what was begun, and when the next of the others comes.
pub async fn schedule_2_due(bench: &Bench) {
    assert_eq!(due(bench).await, (vec![], None));
    let (one, two) = (add(bench, "ann", "one", 1).await, add(bench, "ann", "two", 2).await);
    let three = add(bench, "ann", "three", 3).await;
    bench.store.pause_schedule("ann", "three").await.unwrap();
    assert_eq!(due(bench).await, (vec![], Some(one.next_at)));
    bench.clock.advance(MINUTE.saturating_sub(Duration::from_micros(1)));
    assert_eq!(due(bench).await.0, Vec::<String>::new());
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(due(bench).await, (vec!["one".to_owned()], Some(two.next_at)));
    let later = one.next_at.after(MINUTE * 10);
    assert!(bench.store.take(one.id, one.next_at, later, Outcome::Begun).await.unwrap());
    assert_eq!(due(bench).await, (vec!["one".to_owned()], Some(two.next_at)), "what is begun is not done");
    bench.store.pause_schedule("ann", "one").await.unwrap();
    assert_eq!(due(bench).await.0, ["one"], "a pause does not lose what was begun");
    bench.clock.advance(MINUTE);
    assert_eq!(due(bench).await, (vec!["one".to_owned(), "two".to_owned()], None));
    bench.store.settle_occasion(one.id, one.next_at, Outcome::Submitted { job: job() }).await.unwrap();
    assert_eq!(due(bench).await, (vec!["two".to_owned()], None));
    assert!(three.next_at > two.next_at);
}

/// Of many that take an occasion one has it, and what has moved on is left alone.
pub async fn schedule_3_one_takes_it(bench: &Bench) {
    let record = add(bench, "ann", "one", 0).await;
    let (at, next) = (record.next_at, record.next_at.after(MINUTE));
    let again = bench.reopen().await;
    let (one, two, three) = tokio::join!(
        bench.store.take(record.id, at, next, Outcome::Begun),
        again.take(record.id, at, next, Outcome::Begun),
        bench.store.take(record.id, at, next, Outcome::Begun),
    );
    let taken = [one.unwrap(), two.unwrap(), three.unwrap()];
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
    let stands = only(bench, record.id).await;
    assert_eq!((stands.next_at, &stands.last), (next, &Some(Occasion { at, outcome: Outcome::Begun })));
    let later = next.after(MINUTE);
    assert!(!bench.store.take(record.id, next, later, Outcome::Begun).await.unwrap(), "the last one is not settled");
    let first = job();
    bench.store.settle_occasion(record.id, at, Outcome::Submitted { job: first }).await.unwrap();
    assert!(!bench.store.take(record.id, at, later, Outcome::Begun).await.unwrap(), "it is at another occasion");
    bench.store.pause_schedule("ann", "one").await.unwrap();
    assert!(!bench.store.take(record.id, next, later, Outcome::Begun).await.unwrap(), "it is paused");
    bench.store.resume_schedule("ann", "one", next).await.unwrap();
    let skipped = Outcome::Skipped { open: first };
    assert!(bench.store.take(record.id, next, later, skipped.clone()).await.unwrap());
    let stands = only(bench, record.id).await;
    assert_eq!((stands.next_at, stands.last_job), (later, Some(first)));
    assert_eq!(stands.last, Some(Occasion { at: next, outcome: skipped }));
    let nobody = ScheduleId::from_uuid(uuid());
    assert!(!bench.store.take(nobody, later, later, Outcome::Begun).await.unwrap());
}

/// An occasion is settled once, durably, and the last job is the last that was submitted.
pub async fn schedule_4_settled_once(bench: &Bench) {
    let record = add(bench, "ann", "one", 0).await;
    let (at, next) = (record.next_at, record.next_at.after(MINUTE));
    let (first, stray) = (job(), job());
    let settle = async |at, outcome| bench.store.settle_occasion(record.id, at, outcome).await.unwrap();
    assert!(!settle(at, Outcome::Submitted { job: stray }).await, "nobody has taken it");
    bench.store.take(record.id, at, next, Outcome::Begun).await.unwrap();
    assert!(!settle(next, Outcome::Submitted { job: stray }).await, "it is another occasion");
    assert!(settle(at, Outcome::Submitted { job: first }).await);
    assert!(!settle(at, Outcome::Submitted { job: stray }).await, "it is settled");
    let stands = only(bench, record.id).await;
    assert_eq!(
        (stands.last_job, stands.last),
        (Some(first), Some(Occasion { at, outcome: Outcome::Submitted { job: first } }))
    );
    bench.store.take(record.id, next, next.after(MINUTE), Outcome::Begun).await.unwrap();
    let failed = Outcome::Failed { reason: "no \"input\"\n\u{1f431}".to_owned() };
    assert!(settle(next, failed.clone()).await);
    let stands = only(bench, record.id).await;
    assert_eq!((stands.last_job, stands.last), (Some(first), Some(Occasion { at: next, outcome: failed })));
}

/// A paused schedule is not due, and goes on from the occasion it is given.
pub async fn schedule_5_paused(bench: &Bench) {
    let record = add(bench, "ann", "one", 0).await;
    let paused = bench.store.pause_schedule("ann", "one").await.unwrap();
    assert_eq!(paused, ScheduleRecord { paused: true, ..record.clone() });
    assert_eq!(bench.store.pause_schedule("ann", "one").await.unwrap(), paused);
    assert_eq!(due(bench).await, (vec![], None));
    bench.clock.advance(MINUTE * 7);
    let next_at = record.next_at.after(MINUTE * 10);
    let resumed = bench.store.resume_schedule("ann", "one", next_at).await.unwrap();
    assert_eq!(resumed, ScheduleRecord { next_at, ..record.clone() });
    assert_eq!(due(bench).await, (vec![], Some(next_at)), "what passed is left out");
    let again = bench.store.resume_schedule("ann", "one", next_at.after(MINUTE)).await.unwrap();
    assert_eq!(again, resumed, "one that is not paused stays as it is");
    assert_eq!(only(bench, record.id).await, resumed);
}

/// What is not there is `NotFound`, and what was removed is not there.
pub async fn schedule_6_not_found(bench: &Bench) {
    let record = add(bench, "ann", "one", 0).await;
    let refused = async |owner: &str, name: &str| {
        let store = &bench.store;
        assert_eq!(store.pause_schedule(owner, name).await.unwrap_err().kind(), ErrorKind::NotFound);
        let resumed = store.resume_schedule(owner, name, record.next_at).await;
        assert_eq!(resumed.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.unschedule(owner, name).await.unwrap_err().kind(), ErrorKind::NotFound);
    };
    refused("bea", "one").await;
    refused("ann", "two").await;
    assert_eq!(only(bench, record.id).await, record);
    bench.store.unschedule("ann", "one").await.unwrap();
    refused("ann", "one").await;
    let again = bench.reopen().await;
    assert!(again.schedules(None).await.unwrap().is_empty());
    assert_eq!(due(bench).await, (vec![], None));
    let later = record.next_at.after(MINUTE);
    assert!(!again.take(record.id, record.next_at, later, Outcome::Begun).await.unwrap());
    add(bench, "ann", "one", 0).await;
}
