//! The clauses of `ItemStore`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::{Decision, ItemMachine, Retry, StageState, Stop};
use pipeline_core::id::{CallId, ItemId, JobId, ResultId};
use pipeline_core::model::{Failure, FailureCode, ItemStatus, Money};
use pipeline_core::storage::{Claimed, Commit, ItemQuery, ResultRecord, Reviewer, Ruling};

use super::fixture::{Bench, ending, expanding, holding, new_item, new_job, releasing, result, stage, uuid};

/// An unknown item is `NotFound`; unknown results are left out.
pub async fn item_1_not_found(bench: &Bench) {
    bench.submit(1).await;
    let error = bench.store.item(ItemId::from_uuid(uuid())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    let commit = ending(&claimed[0], ItemStatus::Succeeded);
    let known = commit.results[0].clone();
    bench.commit(session, commit).await;
    let found = bench.store.results(vec![ResultId::from_uuid(uuid()), known.id]).await.unwrap();
    assert_eq!(found, [known]);
    assert!(bench.store.results(vec![]).await.unwrap().is_empty());
}

/// Items are listed by ordinal and slot, every field of the query is honoured, and the cursor visits each once.
pub async fn item_2_order_and_cursor(bench: &Bench) {
    let mut items: Vec<_> = (0..4).map(new_item).collect();
    for slot in 1..3 {
        let mut sibling = new_item(1);
        sibling.slot = slot;
        items.push(sibling);
    }
    let stored = items.clone();
    items.rotate_left(3);
    let (job, _) = bench.submit_with(new_job(), items).await;
    let expected: Vec<(u32, u32)> = vec![(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0)];
    let all = bench.store.items(ItemQuery::of(job)).await.unwrap();
    assert_eq!(all.iter().map(|item| (item.ordinal, item.slot)).collect::<Vec<_>>(), expected);
    let first = all.iter().find(|item| item.id == stored[0].id).unwrap();
    assert_eq!((&first.name, &first.input, &first.machine), (&stored[0].name, &stored[0].input, &stored[0].machine));
    assert_eq!((first.job, first.parent, first.status), (job, None, ItemStatus::Pending));
    for limit in [1, 2, 4] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = bench.store.items(ItemQuery { after, limit, ..ItemQuery::of(job) }).await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some((last.ordinal, last.slot));
            seen.extend(page.iter().map(|item| (item.ordinal, item.slot)));
            assert!(seen.len() <= expected.len(), "an item is visited twice: {seen:?}");
        }
        assert_eq!(seen, expected);
    }
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    bench.commit(session, ending(&claimed[0], ItemStatus::Failed)).await;
    let list = async |query: ItemQuery| bench.store.items(query).await.unwrap();
    let running = list(ItemQuery { statuses: vec![ItemStatus::Running], ..ItemQuery::of(job) }).await;
    assert_eq!(running.iter().map(|item| item.id).collect::<Vec<_>>(), [claimed[1].item.id]);
    assert_eq!(running[0].status, ItemStatus::Running);
    let two = vec![ItemStatus::Failed, ItemStatus::Running];
    assert_eq!(list(ItemQuery { statuses: two, ..ItemQuery::of(job) }).await.len(), 2);
    let prefix = Some(claimed[1].item.id.to_string()[..23].to_owned());
    assert_eq!(list(ItemQuery { id_prefix: prefix, ..ItemQuery::of(job) }).await, running);
    let (other, _) = bench.submit(1).await;
    assert_eq!(list(ItemQuery::of(other)).await.len(), 1);
}

/// Stage, code and round are filters, alone and together, and go by what the machine is now.
pub async fn item_7_filters(bench: &Bench) {
    let (job, _) = bench.submit(6).await;
    let (other, _) = bench.submit(1).await;
    let session = bench.session_for(Some(job)).await;
    let failed = |code| Stop::Failed { failure: Failure::permanent(code, "no answer") };
    let timeout = FailureCode::Port(ErrorKind::Timeout);
    let undecided = Stop::Undecided { failure: Some(Failure::permanent(timeout, "late")) };
    let stops = [
        (0, failed(timeout), ItemStatus::Failed),
        (1, failed(FailureCode::CrashLoop), ItemStatus::Failed),
        (1, Stop::Rejected, ItemStatus::Rejected),
        (1, undecided, ItemStatus::Undecided),
        (0, failed(timeout), ItemStatus::Failed),
    ];
    let claimed = bench.claim(session, 6).await;
    let ended = |claimed: &Claimed, (at, stop, status): &(usize, Stop, ItemStatus)| {
        let mut commit = ending(claimed, *status);
        commit.machine.stages[*at] = StageState::Stopped { stop: stop.clone(), result: None };
        commit
    };
    let commits: Vec<Commit> = claimed.iter().zip(&stops).map(|(claimed, stop)| ended(claimed, stop)).collect();
    for commit in &commits {
        bench.commit(session, commit.clone()).await;
    }
    let focused = bench.session_for(Some(other)).await;
    let stray = bench.claim(focused, 1).await;
    bench.commit(focused, ended(&stray[0], &stops[0])).await;

    let all = ItemQuery::of(job);
    let list = async |query: ItemQuery| {
        bench.store.items(query).await.unwrap().into_iter().map(|item| item.ordinal).collect::<Vec<_>>()
    };
    let code = |code| ItemQuery { code: Some(code), ..ItemQuery::of(job) };
    assert_eq!(list(ItemQuery { stage: Some(0), ..all.clone() }).await, [0, 4]);
    assert_eq!(list(ItemQuery { stage: Some(1), ..all.clone() }).await, [1, 2, 3]);
    assert_eq!(list(code(timeout)).await, [0, 3, 4]);
    assert_eq!(list(code(FailureCode::CrashLoop)).await, [1]);
    assert!(list(code(FailureCode::Port(ErrorKind::Refused))).await.is_empty());
    assert_eq!(list(ItemQuery { stage: Some(1), ..code(timeout) }).await, [3]);
    assert_eq!(list(ItemQuery { statuses: vec![ItemStatus::Failed], ..code(timeout) }).await, [0, 4]);
    let page = ItemQuery { statuses: vec![ItemStatus::Undecided, ItemStatus::Failed], limit: 2, ..all.clone() };
    assert_eq!(list(page.clone()).await, [0, 1]);
    assert_eq!(list(ItemQuery { after: Some((1, 0)), ..page }).await, [3, 4]);
    assert_eq!(list(ItemQuery { after: Some((0, 0)), limit: 1, ..code(timeout) }).await, [3]);
    let prefix = Some(claimed[4].item.id.to_string());
    assert_eq!(list(ItemQuery { id_prefix: prefix, ..code(timeout) }).await, [4]);
    assert_eq!(list(ItemQuery { round: Some(1), ..all.clone() }).await.len(), 6);
    assert!(list(ItemQuery { round: Some(2), ..all.clone() }).await.is_empty());
    assert_eq!(list(ItemQuery { statuses: vec![ItemStatus::Running], ..all.clone() }).await, [5]);

    // A new round takes away what ended the last one, however it is written.
    let expected = commits[0].machine.clone();
    let machine = ItemMachine { round: 2, ..claimed[0].item.machine.clone() };
    let ruling = Ruling {
        job,
        item: claimed[0].item.id,
        expected,
        machine: machine.clone(),
        status: ItemStatus::Pending,
        claimable_at: Some(bench.store.now().await.unwrap()),
        unit: None,
        gate: None,
        decision: Decision::Retry(Retry::default()),
        events: Vec::new(),
    };
    bench.store.rule(Reviewer { actor: "ann".to_owned(), reason: None }, vec![ruling]).await.unwrap();
    assert_eq!(list(code(timeout)).await, [3, 4]);
    assert_eq!(list(ItemQuery { round: Some(2), ..all.clone() }).await, [0]);
    assert_eq!(list(ItemQuery { round: Some(1), ..all.clone() }).await, [1, 2, 3, 4, 5]);
    let again = bench.claim(session, 1).await;
    let mut commit = ended(&again[0], &stops[1]);
    commit.machine.round = 2;
    bench.commit(session, commit).await;
    assert_eq!(list(code(FailureCode::CrashLoop)).await, [0, 1]);
    assert_eq!(list(ItemQuery { round: Some(2), stage: Some(1), ..all }).await, [0]);
}

/// Items replaced by children are not listed, but found by id.
pub async fn item_3_replaced(bench: &Bench) {
    let mut wide = new_item(0);
    wide.machine.leaves = 3;
    let (job, items) = bench.submit_with(new_job(), vec![wide, new_item(1)]).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    bench.commit(session, expanding(&claimed[0], 3)).await;
    let listed = bench.store.items(ItemQuery::of(job)).await.unwrap();
    assert_eq!(
        listed.iter().map(|item| (item.ordinal, item.slot)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (0, 2), (1, 0)]
    );
    assert_eq!(listed[0].parent, Some(items[0]));
    assert!(listed.iter().all(|item| item.id != items[0]));
    assert_eq!(bench.store.item(items[0]).await.unwrap().machine.expanded, Some(3));
}

/// Every result of an item is kept, oldest first, over all rounds.
pub async fn item_4_history(bench: &Bench) {
    let (_, items) = bench.submit(1).await;
    let session = bench.session().await;
    let now = bench.store.now().await.unwrap();
    let mut expected = Vec::new();
    for round in 1..4 {
        let claimed = bench.claim(session, 1).await;
        let mut made: Vec<_> =
            ["qc", "generate"].iter().map(|name| result(items[0], name, Duration::ZERO, 5)).collect();
        for result in &mut made {
            result.round = round;
        }
        expected.extend(made.clone());
        let commit = Commit { results: made, ..releasing(&claimed[0], Some(now)) };
        bench.commit(session, commit).await;
    }
    assert_eq!(bench.reopen().await.history(items[0]).await.unwrap(), expected);
    assert_eq!(bench.store.item(items[0]).await.unwrap().cost, Money::from_micros(30));
    assert!(bench.store.history(ItemId::from_uuid(uuid())).await.unwrap().is_empty());
}

/// Tallies sum over all results of the job, by stage.
pub async fn item_5_tallies(bench: &Bench) {
    let (job, _) = bench.submit(2).await;
    bench.submit(1).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 3).await;
    for (claimed, seconds) in claimed.iter().zip([1, 3, 100]) {
        let id = claimed.item.id;
        let qc = result(id, "qc", Duration::from_millis(500), 0);
        let made = result(id, "generate", Duration::from_secs(seconds), 7);
        bench.commit(session, Commit { results: vec![qc], ..holding(claimed) }).await;
        bench.commit(session, Commit { results: vec![made], ..holding(claimed) }).await;
    }
    let tallies = bench.store.tallies(job).await.unwrap();
    assert_eq!(tallies.iter().map(|tally| tally.stage.as_str()).collect::<Vec<_>>(), ["generate", "qc"]);
    let of = &tallies[0];
    assert_eq!((of.count, of.total, of.cost), (2, Duration::from_secs(4), Money::from_micros(14)));
    assert!((of.sum_squares - 10.0).abs() < 1e-9 && (tallies[1].sum_squares - 0.5).abs() < 1e-9, "{tallies:?}");
    assert_eq!(bench.store.job(job).await.unwrap().cost, Money::from_micros(14));
}

/// Results that are made of earlier answers are counted by stage, and say of which call.
pub async fn item_6_reused(bench: &Bench) {
    let (job, _) = bench.submit(2).await;
    let (other, _) = bench.submit(1).await;
    let session = bench.session().await;
    let call = CallId::from_uuid(uuid());
    for claimed in bench.claim(session, 3).await {
        let id = claimed.item.id;
        let reused = ResultRecord { reused: Some(call), ..result(id, "generate", Duration::from_secs(1), 0) };
        let bought = result(id, "qc", Duration::from_secs(1), 5);
        bench.commit(session, Commit { results: vec![reused.clone(), bought], ..holding(&claimed) }).await;
        let history = bench.reopen().await.history(id).await.unwrap();
        assert_eq!(history.iter().map(|result| result.reused).collect::<Vec<_>>(), [Some(call), None]);
    }
    let counts = |count| BTreeMap::from([(stage("generate"), count)]);
    assert_eq!(bench.store.reused(job).await.unwrap(), counts(2));
    assert_eq!(bench.store.reused(other).await.unwrap(), counts(1));
    assert_eq!(bench.store.reused(JobId::from_uuid(uuid())).await.unwrap(), BTreeMap::new());
}
