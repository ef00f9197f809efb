//! Clauses 1 to 4, 6, 9, 10 and 12 of `JobStore`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::ErrorKind;
use pipeline_core::id::{Digest, EventSeq, JobId};
use pipeline_core::model::{Control, ItemStatus, JobStatus};
use pipeline_core::storage::{EventBody, Idempotency, JobPlan, JobQuery, NewJob};
use serde_json::json;

use super::fixture::{Bench, new_item, new_job, uuid};

/// When `submit` returns, job and items survive; when it fails, nothing is stored.
pub async fn job_1_durable_submit(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    let again = bench.reopen().await;
    assert_eq!(again.job(job).await.unwrap(), bench.store.job(job).await.unwrap());
    for item in items {
        assert_eq!(again.item(item).await.unwrap().job, job);
    }
    let (refused, twin) = (new_job(), new_item(0));
    let id = refused.id;
    assert!(bench.store.submit(refused, vec![new_item(1), twin.clone(), twin.clone()]).await.is_err());
    assert_eq!(bench.store.job(id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bench.store.item(twin.id).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Job, items and the event `Submitted` appear together; a job without items is `empty` and `Finished` at once.
pub async fn job_2_whole_submit(bench: &Bench) {
    let mut wide = new_item(0);
    wide.machine.leaves = 4;
    let (job, _) = bench.submit_with(new_job(), vec![wide, new_item(1)]).await;
    let record = bench.store.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.planned, record.counts.pending), (JobStatus::Queued, 5, 5));
    assert_eq!((record.last_event, record.started_at, record.ended_at), (EventSeq(1), None, None));
    let events = bench.store.events(job, EventSeq::START, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].seq, &events[0].body), (EventSeq(1), &EventBody::Submitted { planned: 5 }));

    let (empty, _) = bench.submit(0).await;
    let record = bench.store.job(empty).await.unwrap();
    assert_eq!((record.status, record.last_event), (JobStatus::Empty, EventSeq(2)));
    assert!(record.ended_at.is_some());
    let events = bench.store.events(empty, EventSeq(1), 10).await.unwrap();
    assert!(matches!(events[0].body, EventBody::Finished { status: JobStatus::Empty, .. }), "{events:?}");
}

/// A second submit of the same id is a conflict and changes nothing.
pub async fn job_3_unique(bench: &Bench) {
    let job = new_job();
    bench.submit_with(job.clone(), vec![new_item(0)]).await;
    let before = bench.store.job(job.id).await.unwrap();
    let twin = NewJob { label: "another".to_owned(), ..job.clone() };
    let error = bench.store.submit(twin, vec![new_item(0), new_item(1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(bench.store.job(job.id).await.unwrap(), before);
}

/// Counts add up in every record returned, whatever happens.
pub async fn job_4_counts_reconcile(bench: &Bench) {
    let (job, _) = bench.submit(6).await;
    let check = async |running, ended| {
        let one = bench.store.job(job).await.unwrap();
        let listed = bench.store.jobs(JobQuery::default()).await.unwrap();
        assert_eq!(listed.into_iter().find(|record| record.id == job).unwrap(), one);
        assert!(one.counts.reconciles(), "{one:?}");
        assert_eq!((one.counts.planned, one.counts.running, one.counts.ended()), (6, running, ended));
        assert_eq!(one.steps_planned, 0);
    };
    check(0, 0).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 4).await;
    check(4, 0).await;
    bench.commit(session, super::fixture::ending(&claimed[0], ItemStatus::Rejected)).await;
    bench.commit(session, super::fixture::releasing(&claimed[1], None)).await;
    check(2, 1).await;
    bench.store.control(job, Control::Cancel).await.unwrap();
    check(2, 4).await;
    bench.store.close_session(session).await.unwrap();
    check(0, 6).await;
}

/// An unknown job is `NotFound`.
pub async fn job_6_not_found(bench: &Bench) {
    bench.submit(1).await;
    let id = JobId::from_uuid(uuid());
    assert_eq!(bench.store.job(id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bench.store.plan(id).await.unwrap_err().kind(), ErrorKind::NotFound);
    for control in Control::ALL {
        assert_eq!(bench.store.control(id, *control).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// The plan is returned as stored, byte for byte equal after serialisation.
pub async fn job_9_plan_as_stored(bench: &Bench) {
    let job = new_job();
    bench.submit_with(job.clone(), vec![new_item(0)]).await;
    let found = bench.reopen().await.plan(job.id).await.unwrap();
    assert_eq!(found, job.plan);
    assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&job.plan).unwrap());
}

/// A repeated submit with the same key and body finds the first job; another body is a conflict; owners are apart.
pub async fn job_10_repeated_submit(bench: &Bench) {
    let wish = |owner: &str, body: &[u8]| NewJob {
        owner: owner.to_owned(),
        idempotency: Some(Idempotency { key: "order-7".to_owned(), body: Digest::of(body) }),
        ..new_job()
    };
    let first = bench.store.submit(wish("ada", b"one"), vec![new_item(0)]).await.unwrap();
    let again = bench.store.submit(wish("ada", b"one"), vec![new_item(0), new_item(1)]).await.unwrap();
    assert_eq!(again, first);
    let error = bench.store.submit(wish("ada", b"two"), vec![new_item(0)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let other = bench.store.submit(wish("bob", b"two"), vec![new_item(0)]).await.unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(bench.store.jobs(JobQuery::default()).await.unwrap().len(), 2);
    let store = bench.reopen().await;
    let (one, two) = tokio::join!(
        bench.store.submit(wish("eve", b"x"), vec![new_item(0)]),
        store.submit(wish("eve", b"x"), vec![new_item(0)]),
    );
    assert_eq!(one.unwrap().id, two.unwrap().id, "two at once are one");
}

/// Further settings get numbers, the same ones the same number; each is returned as stored.
pub async fn job_12_revisions(bench: &Bench) {
    let (job, _) = bench.submit(1).await;
    let (other, _) = bench.submit(1).await;
    let plan = bench.store.plan(job).await.unwrap();
    let revised = |text: &str| {
        let mut revised = plan.clone();
        revised.plan.hash = Digest::of(text.as_bytes());
        revised.settings = json!({ "z": text, "a": [0.1 + 0.2, u64::MAX] });
        revised
    };
    let (one, two) = (revised("one"), revised("two"));
    assert_eq!(bench.store.revise(job, plan.clone()).await.unwrap(), 0);
    assert_eq!(bench.store.revise(job, one.clone()).await.unwrap(), 1);
    assert_eq!(bench.store.revise(job, two.clone()).await.unwrap(), 2);
    let again = JobPlan { settings: json!({}), ..one.clone() };
    assert_eq!(bench.store.revise(job, again).await.unwrap(), 1);
    assert_eq!(bench.store.revise(other, two.clone()).await.unwrap(), 1);
    let store = bench.reopen().await;
    assert_eq!(store.revision(job, 0).await.unwrap().plan.hash, plan.plan.hash);
    for (number, stored) in [(1, &one), (2, &two)] {
        let read = store.revision(job, number).await.unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(stored).unwrap());
    }
    let nobody = JobId::from_uuid(uuid());
    for (job, number) in [(job, 3), (other, 2), (nobody, 0), (nobody, 1)] {
        assert_eq!(store.revision(job, number).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(store.revise(nobody, plan.clone()).await.unwrap_err().kind(), ErrorKind::NotFound);
    // At once, each gets a number of its own.
    let (many, three) = (revised("many"), revised("three"));
    let (a, b) = tokio::join!(bench.store.revise(job, many), store.revise(job, three));
    let mut numbers = [a.unwrap(), b.unwrap()];
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4]);
}
