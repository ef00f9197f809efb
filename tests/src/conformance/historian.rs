//! The clauses of `Historian`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "test code: a failed step is a failed test"
)]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::{Decision, ItemEvent, Retry, StageState, Stop, Wait, Why};
use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::{Failure, FailureCode, ItemStatus};
use pipeline_core::storage::{
    Commit, EventBody, JobProfile, Retries, RetryQuery, Reviewer, Ruling, RulingReply, StageTimes,
};

use super::fixture::{Bench, ending, expanding, holding, machine, new_item, new_job, releasing, result, stage, uuid};

fn failure(code: FailureCode) -> Failure {
    Failure::permanent(code, "a \"failure\":{ with a NUL \u{0} in it")
}

/// Leaves are counted by stage and state; items replaced by children have none.
pub async fn historian_1_states(bench: &Bench) {
    let mut wide = new_item(0);
    wide.machine.leaves = 5;
    let mut splitting = new_item(1);
    splitting.machine.leaves = 2;
    let items = vec![wide, splitting, new_item(2), new_item(3), new_item(4), new_item(5)];
    let (job, _) = bench.submit_with(new_job(), items).await;
    bench.submit(3).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 5).await;
    let done = StageState::Done { result: result(claimed[0].item.id, "qc", Duration::ZERO, 0).id };
    let stop = |stop| StageState::Stopped { stop, result: None };
    let until = Wait::Until { at: bench.store.now().await.unwrap(), reason: "a \u{0} wait".to_owned() };
    let waiting = StageState::Waiting { attempt: 2, on: until, resume: None };
    let states = [
        [done.clone(), StageState::Running { attempt: 1, resume: None }],
        [stop(Stop::Failed { failure: failure(FailureCode::CrashLoop) }), waiting],
        [stop(Stop::Rejected), StageState::Skipped { why: Why::ItemStopped, result: None }],
        [stop(Stop::Undecided { failure: None }), stop(Stop::Cancelled)],
    ];
    bench.commit(session, expanding(&claimed[1], 2)).await;
    for (claimed, states) in [&claimed[0], &claimed[2], &claimed[3], &claimed[4]].into_iter().zip(&states) {
        let machine = machine(claimed.item.id, claimed.item.machine.leaves, states);
        assert_eq!(
            bench.commit(session, Commit { machine, ..holding(claimed) }).await,
            pipeline_core::storage::CommitReply::Applied
        );
    }
    let states = bench.store.profile(job).await.unwrap().states;
    let told: Vec<(usize, &str, u64)> =
        states.iter().map(|((index, word), leaves)| (*index, word.as_str(), *leaves)).collect();
    let expected = [
        (0, "done", 5),
        (0, "failed", 1),
        (0, "ready", 3),
        (0, "rejected", 1),
        (0, "undecided", 1),
        (1, "blocked", 3),
        (1, "cancelled", 1),
        (1, "running", 5),
        (1, "skipped", 1),
        (1, "waiting", 1),
    ];
    assert_eq!(told, expected);
}

/// Times are nearest ranks over all results, by stage.
pub async fn historian_2_times(bench: &Bench) {
    let (job, items) = bench.submit(1).await;
    bench.submit(1).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    let took = |millis: u64| Duration::from_millis(millis);
    let mut results: Vec<_> = (1..=40).rev().map(|n| result(items[0], "generate", took(n * n), 0)).collect();
    for (place, result) in results.iter_mut().enumerate() {
        result.round = 1 + place as u32 % 3;
    }
    results.push(result(items[0], "qc", took(7), 0));
    bench.commit(session, Commit { results, ..holding(&claimed[0]) }).await;
    let other = vec![result(claimed[1].item.id, "generate", took(9_999), 0)];
    bench.commit(session, Commit { results: other, ..holding(&claimed[1]) }).await;
    let times = bench.store.profile(job).await.unwrap().times;
    let of = |name, count, median, p95, longest| StageTimes {
        stage: stage(name),
        count,
        median: took(median),
        p95: took(p95),
        longest: took(longest),
    };
    assert_eq!(times, [of("generate", 40, 20 * 20, 38 * 38, 40 * 40), of("qc", 1, 7, 7, 7)]);
    // Of so many leaves every second item has to be looked at.
    let large = [2 * JobProfile::LOOKED_AT as u32, 1, 1].into_iter().enumerate().map(|(ordinal, leaves)| {
        let mut item = new_item(ordinal as u32);
        item.machine.leaves = leaves;
        item
    });
    let (large, _) = bench.submit_with(new_job(), large.collect()).await;
    for claimed in bench.claim(session, 3).await {
        let results = vec![result(claimed.item.id, "generate", took(u64::from(claimed.item.ordinal) + 5), 0)];
        bench.commit(session, Commit { results, ..holding(&claimed) }).await;
    }
    let times = bench.store.profile(large).await.unwrap().times;
    let [times] = times.as_slice() else { panic!("{times:?}") };
    assert!((2..=3).contains(&times.count) && times.longest == took(7), "{times:?}");
    assert_eq!(JobProfile::stride(2 * JobProfile::LOOKED_AT - 1), 1, "all of fewer");
}

/// Failures are counted over the whole log, with the item of the first as the example.
pub async fn historian_3_failures(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    bench.submit(1).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 4).await;
    let (timeout, crash) = (FailureCode::Port(ErrorKind::Timeout), FailureCode::CrashLoop);
    let at = bench.store.now().await.unwrap();
    let retrying = |name, code| ItemEvent::StageRetrying { stage: stage(name), attempt: 1, at, failure: failure(code) };
    let stopped = |name, stop| ItemEvent::StageStopped { stage: stage(name), stop };
    let skipped = |failure| ItemEvent::StageSkipped { stage: stage("qc"), why: Why::Failure, failure };
    let told = [
        vec![retrying("generate", timeout), stopped("qc", Stop::Undecided { failure: None }), skipped(None)],
        vec![retrying("generate", timeout), stopped("generate", Stop::Failed { failure: failure(crash) })],
        vec![
            stopped("generate", Stop::Failed { failure: failure(timeout) }),
            stopped("qc", Stop::Undecided { failure: Some(failure(timeout)) }),
            skipped(Some(failure(timeout))),
        ],
        vec![retrying("generate", timeout)],
    ];
    for (claimed, events) in claimed.iter().zip(told) {
        bench.commit(session, Commit { events, ..holding(claimed) }).await;
    }
    let failures = bench.store.profile(job).await.unwrap().failures;
    let of = |failure: &pipeline_core::storage::StageFailures| {
        (failure.stage.to_string(), failure.code, failure.count, failure.example)
    };
    let expected = [
        ("generate".to_owned(), timeout, 3, items[0]),
        ("qc".to_owned(), timeout, 2, items[2]),
        ("generate".to_owned(), crash, 1, items[1]),
    ];
    assert_eq!(failures.iter().map(of).collect::<Vec<_>>(), expected);
}

/// The jobs made from one are named; one that is not there has no profile.
pub async fn historian_4_descent(bench: &Bench) {
    let (job, _) = bench.submit(1).await;
    let made = || {
        let mut new = new_job();
        new.parent = Some(job);
        new
    };
    let (first, _) = bench.submit_with(made(), vec![new_item(0)]).await;
    let (gone, _) = bench.submit_with(made(), Vec::new()).await;
    let (last, _) = bench.submit_with(made(), vec![new_item(0)]).await;
    bench.store.delete(gone).await.unwrap();
    assert_eq!(bench.store.profile(job).await.unwrap().reruns, [first, last]);
    assert!(bench.store.profile(last).await.unwrap().reruns.is_empty());
    for missing in [gone, JobId::from_uuid(uuid())] {
        assert_eq!(bench.store.profile(missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Lets a person decide about an item, which then stands in the round after.
async fn decide(bench: &Bench, item: ItemId, decision: Decision) {
    let record = bench.store.item(item).await.unwrap();
    let mut machine = record.machine.clone();
    let mut status = record.status;
    if decision != Decision::Discard {
        machine.round += 1;
        machine.stages[1] = StageState::Ready { attempt: 1 };
        status = ItemStatus::Pending;
    }
    let ruling = Ruling {
        job: record.job,
        item,
        expected: record.machine,
        status,
        claimable_at: Some(bench.store.now().await.unwrap()),
        unit: None,
        gate: None,
        events: vec![ItemEvent::Decided { decision: decision.clone(), round: machine.round }],
        decision,
        machine,
    };
    let by = Reviewer { actor: "anna".to_owned(), reason: Some("too \"dark\"".to_owned()) };
    assert_eq!(bench.store.rule(by, vec![ruling]).await.unwrap(), [RulingReply::Applied]);
}

/// Ends what is claimable in the rounds people began, keeping the rounds.
async fn finish(bench: &Bench, item: ItemId, status: ItemStatus) {
    let session = bench.session().await;
    let claimed = bench.claim(session, 100).await;
    for claimed in claimed {
        let round = claimed.item.machine.round;
        let mut commit = if claimed.item.id == item {
            ending(&claimed, status)
        } else {
            releasing(&claimed, Some(bench.store.now().await.unwrap()))
        };
        commit.machine.round = round;
        bench.commit(session, commit).await;
    }
}

/// Each item whose round a person began is listed once, newest decision first.
pub async fn historian_5_later_rounds(bench: &Bench) {
    let (job, items) = bench.submit(4).await;
    let (other, of_other) = bench.submit(1).await;
    let session = bench.session().await;
    bench.drain(session, ItemStatus::Rejected).await;
    let again = || Decision::Retry(Retry::from(Some(1)));
    decide(bench, items[0], again()).await;
    finish(bench, items[0], ItemStatus::Rejected).await;
    decide(bench, items[1], again()).await;
    decide(bench, items[0], Decision::Approve).await;
    finish(bench, items[1], ItemStatus::Failed).await;
    decide(bench, items[1], Decision::Discard).await;
    decide(bench, items[3], Decision::Discard).await;
    decide(bench, of_other[0], again()).await;
    let list = async |query: RetryQuery| bench.store.retries(query).await.unwrap();
    let ids = |found: &Retries| found.records.iter().map(|record| record.review.item).collect::<Vec<_>>();
    let all = list(RetryQuery::default()).await;
    assert_eq!(ids(&all), [of_other[0], items[0], items[1]]);
    assert_eq!(all.counts.into_iter().collect::<Vec<_>>(), [(ItemStatus::Pending, 2), (ItemStatus::Failed, 1)]);
    let of_job = list(RetryQuery { job: Some(job), ..RetryQuery::default() }).await;
    assert_eq!(ids(&of_job), [items[0], items[1]]);
    let first = &of_job.records[0];
    assert_eq!((first.status, first.name.as_str(), first.review.round), (ItemStatus::Pending, "item \"0\"", 3));
    assert_eq!((&first.review.decision, first.review.by.actor.as_str()), (&Decision::Approve, "anna"));
    let failed = list(RetryQuery { job: Some(job), statuses: vec![ItemStatus::Failed], ..RetryQuery::default() }).await;
    assert_eq!((ids(&failed), failed.counts.values().sum::<u64>()), (vec![items[1]], 2));
    let (mut seen, mut before) = (Vec::new(), None);
    while seen.len() < 9 {
        let page = list(RetryQuery { before, limit: 1, ..RetryQuery::default() }).await;
        let Some(last) = page.records.last() else { break };
        before = Some(last.number);
        seen.extend(ids(&page));
    }
    assert_eq!(seen, [of_other[0], items[0], items[1]]);
    let claimed = bench.claim(session, 100).await;
    assert_eq!(
        list(RetryQuery { job: Some(other), ..RetryQuery::default() }).await.records[0].status,
        ItemStatus::Running
    );
    let commits = claimed.iter().map(|claimed| {
        let mut commit = ending(claimed, ItemStatus::Succeeded);
        commit.machine.round = claimed.item.machine.round;
        commit
    });
    bench.store.commit(session, commits.collect()).await.unwrap();
    bench.store.delete(other).await.unwrap();
    assert_eq!(ids(&list(RetryQuery::default()).await), [items[0], items[1]]);
}

/// The events of one item, in order, and no others.
pub async fn historian_6_of_one_item(bench: &Bench) {
    let (job, items) = bench.submit(2).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    let waits = |reason: String| ItemEvent::StageWaiting { stage: stage("generate"), reason };
    for _ in 0..2 {
        for claimed in &claimed {
            // The other's id in a text is no event of the other.
            let events = vec![waits(format!("for {} and {}", items[0], items[1])), waits("a NUL \u{0}".to_owned())];
            bench.commit(session, Commit { events, ..holding(claimed) }).await;
        }
    }
    let of: Vec<_> = bench
        .store
        .events(job, EventSeq::START, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| matches!(&event.body, EventBody::Item { item, .. } if *item == items[1]))
        .collect();
    assert_eq!(of.len(), 4);
    assert_eq!(bench.store.events_of(items[1]).await.unwrap(), of);
    let missing = bench.store.events_of(ItemId::from_uuid(uuid())).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}
