//! Clauses 5 and 13 of `JobStore`: pages of jobs.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::{Decision, Retry};
use pipeline_core::id::JobId;
use pipeline_core::model::{Control, ItemStatus, JobStatus};
use pipeline_core::storage::{Commit, JobCursor, JobOrder, JobQuery, JobSort, NewJob, Reviewer, Ruling};

use super::fixture::{Bench, ending, new_item, new_job, result};

async fn list(bench: &Bench, query: JobQuery) -> Vec<JobId> {
    bench.store.jobs(query).await.unwrap().into_iter().map(|record| record.id).collect()
}

/// Jobs come in the order of the query, newest first where nothing is said, and the cursor visits each once.
pub async fn job_5_order_and_cursor(bench: &Bench) {
    let mut ids: Vec<JobId> = Vec::new();
    for (label, priority) in [("b", 1), ("a", 0), ("B", 1), ("\u{1f431}", -1), ("a", 2)] {
        let job = NewJob { label: label.to_owned(), priority, ..new_job() };
        ids.push(bench.submit_with(job, vec![new_item(0)]).await.0);
    }
    // The third ends, then the first, which costs something; the others stay.
    for (place, cost) in [(2, 0), (0, 7_000)] {
        bench.clock.advance(Duration::from_secs(1));
        let session = bench.session_for(Some(ids[place])).await;
        let held = bench.claim(session, 1).await;
        let made = result(held[0].item.id, "generate", Duration::from_secs(1), cost);
        let commit = Commit { results: vec![made], ..ending(&held[0], ItemStatus::Succeeded) };
        bench.commit(session, commit).await;
    }
    // Submitted last under the id of an earlier time: the time of the submit counts.
    let early = NewJob { id: JobId::from_uuid(uuid::Uuid::from_u128(ids[0].as_uuid().as_u128() - 1)), ..new_job() };
    ids.push(bench.submit_with(NewJob { label: "z".to_owned(), ..early }, vec![new_item(0)]).await.0);
    let at = |places: &[usize]| places.iter().map(|place| ids[*place]).collect::<Vec<_>>();
    assert_eq!(list(bench, JobQuery::default()).await, at(&[5, 4, 3, 2, 1, 0]));
    for (order, expected) in [
        ("created", [0, 1, 2, 3, 4, 5]),
        ("label", [2, 1, 4, 0, 5, 3]),
        ("priority", [3, 5, 1, 0, 2, 4]),
        ("ended", [2, 0, 5, 1, 3, 4]),
        ("cost", [5, 1, 2, 3, 4, 0]),
    ] {
        let ascending: JobOrder = order.parse().unwrap();
        let mut expected = at(&expected);
        for order in [ascending, JobOrder { descending: true, ..ascending }] {
            assert_eq!(list(bench, JobQuery { order, ..JobQuery::default() }).await, expected, "{order}");
            for limit in [1, 2, 4] {
                let (mut seen, mut after) = (Vec::new(), None);
                loop {
                    let query = JobQuery { order, after, limit, ..JobQuery::default() };
                    let page = bench.store.jobs(query).await.unwrap();
                    assert!(page.len() <= limit as usize);
                    let Some(last) = page.last() else { break };
                    // As whoever asks for the next page has it: as text.
                    after = Some(JobCursor::of(last, order).to_string().parse().unwrap());
                    seen.extend(page.iter().map(|job| job.id));
                    assert!(seen.len() <= expected.len(), "a job is visited twice in order {order}: {seen:?}");
                }
                assert_eq!(seen, expected, "{order} by {limit}");
            }
            expected.reverse();
        }
    }
    let newest = bench.store.job(ids[5]).await.unwrap();
    let after = Some(JobCursor::of(&newest, JobOrder { by: JobSort::Label, descending: false }));
    let error = bench.store.jobs(JobQuery { after, ..JobQuery::default() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Every filter is honoured, alone and together with others.
pub async fn job_13_filters(bench: &Bench) {
    let begun = bench.store.now().await.unwrap();
    let mut ids: Vec<JobId> = Vec::new();
    for (label, owner, pipeline) in
        [("cat 1", "ann", "factory"), ("cat 2", "ann", "screen"), ("Cat 3", "bea", "factory"), ("%", "ann", "factory")]
    {
        let mut job = NewJob { label: label.to_owned(), owner: owner.to_owned(), ..new_job() };
        job.plan.plan.pipeline = pipeline.to_owned();
        job.parent = ids.first().copied();
        ids.push(bench.submit_with(job, vec![new_item(0)]).await.0);
        bench.clock.advance(Duration::from_secs(10));
    }
    let empty = bench.submit_with(NewJob { owner: "eve".to_owned(), ..new_job() }, vec![]).await.0;
    ids.push(empty);
    let at = |places: &[usize]| places.iter().map(|place| ids[*place]).collect::<Vec<_>>();
    let query = JobQuery::default;
    let text = |text: &str| Some(text.to_owned());

    assert_eq!(list(bench, JobQuery { label: text("cat 1"), ..query() }).await, at(&[0]));
    assert_eq!(list(bench, JobQuery { label_prefix: text("cat"), ..query() }).await, at(&[1, 0]));
    assert_eq!(list(bench, JobQuery { label_prefix: text("%"), ..query() }).await, at(&[3]));
    assert_eq!(list(bench, JobQuery { label_prefix: text(""), ..query() }).await.len(), 5);
    assert_eq!(list(bench, JobQuery { owner: text("ann"), ..query() }).await, at(&[3, 1, 0]));
    assert_eq!(list(bench, JobQuery { pipeline: text("screen"), ..query() }).await, at(&[1]));
    assert_eq!(list(bench, JobQuery { parent: Some(ids[0]), ..query() }).await, at(&[3, 2, 1]));
    let (second, third) = (begun.after(Duration::from_secs(10)), begun.after(Duration::from_secs(20)));
    assert_eq!(list(bench, JobQuery { since: Some(third), ..query() }).await, at(&[4, 3, 2]));
    assert_eq!(list(bench, JobQuery { until: Some(third), ..query() }).await, at(&[1, 0]));
    assert_eq!(list(bench, JobQuery { since: Some(second), until: Some(third), ..query() }).await, at(&[1]));
    assert_eq!(list(bench, JobQuery { limit: 1, ..query() }).await, at(&[4]));
    let id = ids[1].to_string();
    assert_eq!(list(bench, JobQuery { id_prefix: Some(id.clone()), ..query() }).await, at(&[1]));
    assert_eq!(list(bench, JobQuery { id_prefix: Some(id[..23].to_uppercase()), ..query() }).await, at(&[1]));
    for nothing in ["zz", "%"] {
        assert!(list(bench, JobQuery { id_prefix: text(nothing), ..query() }).await.is_empty());
    }

    let of = async |statuses: &[JobStatus]| list(bench, JobQuery { statuses: statuses.to_vec(), ..query() }).await;
    assert_eq!(of(&[JobStatus::Queued]).await, at(&[3, 2, 1, 0]));
    let session = bench.session_for(Some(ids[0])).await;
    let held = bench.claim(session, 1).await;
    bench.store.control(ids[1], Control::Pause).await.unwrap();
    let other = bench.session_for(Some(ids[2])).await;
    let failed = bench.claim(other, 1).await;
    let ended = ending(&failed[0], ItemStatus::Failed);
    bench.commit(other, ended.clone()).await;
    assert_eq!(of(&[JobStatus::Queued]).await, at(&[3]));
    assert_eq!(of(&[JobStatus::Running]).await, at(&[0]));
    assert_eq!(of(&[JobStatus::Paused]).await, at(&[1]));
    assert_eq!(of(&[JobStatus::Failed]).await, at(&[2]));
    assert_eq!(of(&[JobStatus::Empty, JobStatus::Failed, JobStatus::Running]).await, at(&[4, 2, 0]));
    bench.store.control(ids[0], Control::Cancel).await.unwrap();
    assert_eq!(of(&[JobStatus::Cancelling]).await, at(&[0]), "what a session holds is not cancelled yet");
    assert!(of(&[JobStatus::Completed]).await.is_empty());
    assert_eq!(held[0].item.job, ids[0]);

    assert!(list(bench, JobQuery { retried: Some(true), ..query() }).await.is_empty());
    let machine = pipeline_core::executor::ItemMachine { round: 2, ..failed[0].item.machine.clone() };
    for (decision, machine) in
        [(Decision::Discard, ended.machine.clone()), (Decision::Retry(Retry::default()), machine)]
    {
        let ruling = Ruling {
            job: ids[2],
            item: failed[0].item.id,
            expected: ended.machine.clone(),
            machine,
            status: ItemStatus::Pending,
            claimable_at: Some(begun),
            unit: None,
            gate: None,
            decision,
            events: Vec::new(),
        };
        let by = Reviewer { actor: "ann".to_owned(), reason: None };
        assert!(list(bench, JobQuery { retried: Some(true), ..query() }).await.is_empty(), "a mark is no retry");
        bench.store.rule(by, vec![ruling]).await.unwrap();
    }
    assert_eq!(list(bench, JobQuery { retried: Some(true), ..query() }).await, at(&[2]));
    assert_eq!(list(bench, JobQuery { retried: Some(false), ..query() }).await, at(&[4, 3, 1, 0]));

    let all = JobQuery {
        owner: text("ann"),
        pipeline: text("factory"),
        label_prefix: text("c"),
        until: Some(third),
        statuses: vec![JobStatus::Cancelling, JobStatus::Paused],
        retried: Some(false),
        order: "label".parse().unwrap(),
        ..query()
    };
    assert_eq!(list(bench, all.clone()).await, at(&[0]));
    assert!(list(bench, JobQuery { pipeline: text("screen"), label: text("cat 1"), ..all }).await.is_empty());
}
