//! The clauses of `CallLedger`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::ErrorKind;
use pipeline_core::id::{CallId, Digest, ItemId, JobId, SendingId, Token};
use pipeline_core::model::{Failure, FailureCode, ItemStatus, Money};
use pipeline_core::storage::{
    AttachReply, BudgetKey, CallQuery, CallRecord, CallState, Commit, CommitReply, Decision, NewCall, NewJob,
    NewResolution, Refusal, Resolution, SettleReply, Settlement, Spend, SpendBy, SpendQuery,
};
use serde_json::json;

use super::fixture::{Bench, PATIENCE, ending, holding, new_call, new_item, new_job, releasing, stage, uuid};

fn succeeded(call: CallId) -> Settlement {
    Settlement {
        call,
        state: CallState::Succeeded,
        sending: None,
        cost: Money::from_micros(39_000),
        response: Some(json!({ "seed": u64::MAX, "text": "ü" })),
        failure: None,
        external_id: Some("task-1".to_owned()),
        outage: false,
    }
}

fn failed(call: CallId, state: CallState) -> Settlement {
    let failure = Some(Failure::permanent(FailureCode::OutcomeUnknown, "no answer"));
    Settlement { state, cost: Money::ZERO, response: None, failure, external_id: None, ..succeeded(call) }
}

/// Opens a call for two items of a fresh job.
async fn opened(bench: &Bench) -> (NewCall, Vec<ItemId>) {
    let (job, items) = bench.submit(2).await;
    let session = bench.session_for(Some(job)).await;
    let claimed = bench.claim(session, 2).await;
    let call = new_call(job, &[items[1], items[0]]);
    bench.commit(session, Commit { calls: vec![call.clone()], ..holding(&claimed[0]) }).await;
    (call, items)
}

async fn find(bench: &Bench, call: CallId) -> CallRecord {
    let calls = bench.store.calls(CallQuery::default()).await.unwrap();
    calls.into_iter().find(|record| record.id == call).unwrap()
}

/// A settlement is accepted from anyone, whoever holds the item.
pub async fn ledger_1_not_fenced(bench: &Bench) {
    let (call, items) = opened(bench).await;
    bench.clock.advance(super::fixture::LEASE);
    let session = bench.session().await;
    let claimed = bench.claim(session, 2).await;
    assert_eq!(claimed.len(), 2, "the first holder is gone");
    bench.commit(session, ending(&claimed[0], ItemStatus::Failed)).await;
    assert_eq!(bench.store.settle(succeeded(call.id)).await.unwrap(), SettleReply::Settled);
    let record = find(bench, call.id).await;
    assert_eq!((record.state, record.items), (CallState::Succeeded, vec![items[1], items[0]]));
}

/// The first known outcome wins; an unknown one may still become known.
pub async fn ledger_2_once(bench: &Bench) {
    let (call, _) = opened(bench).await;
    let settle = async |settlement| bench.store.settle(settlement).await.unwrap();
    assert_eq!(settle(failed(call.id, CallState::Unknown)).await, SettleReply::Settled);
    let unknown = find(bench, call.id).await;
    assert_eq!(unknown.state, CallState::Unknown);
    assert_eq!(settle(failed(call.id, CallState::Unknown)).await, SettleReply::AlreadySettled);
    assert_eq!(settle(succeeded(call.id)).await, SettleReply::Settled);
    let known = find(bench, call.id).await;
    assert_eq!(
        (known.state, known.cost, known.failure.clone()),
        (CallState::Succeeded, Some(Money::from_micros(39_000)), None)
    );
    assert_eq!(known.response, succeeded(call.id).response);
    for state in [CallState::Failed, CallState::Unknown, CallState::Succeeded] {
        assert_eq!(settle(failed(call.id, state)).await, SettleReply::AlreadySettled);
    }
    assert_eq!(find(bench, call.id).await, known);
    let (call, _) = opened(bench).await;
    assert_eq!(settle(failed(call.id, CallState::Failed)).await, SettleReply::Settled);
    assert_eq!(settle(succeeded(call.id)).await, SettleReply::AlreadySettled);
    let error = bench.store.settle(failed(call.id, CallState::Open)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // What became of an earlier sending says nothing of the last, unless it brought an answer.
    let (job, _) = bench.submit(1).await;
    let session = bench.session_for(Some(job)).await;
    let claimed = bench.claim(session, 1).await;
    let first = new_call(job, &[claimed[0].item.id]);
    let second = NewCall { sending: SendingId::from_uuid(uuid()), ..first.clone() };
    let of = |call: &NewCall, state| Settlement { sending: Some(call.sending), ..failed(call.id, state) };
    bench.commit(session, Commit { calls: vec![first.clone()], ..holding(&claimed[0]) }).await;
    assert_eq!(settle(of(&second, CallState::Failed)).await, SettleReply::SentAgain);
    assert_eq!(settle(of(&first, CallState::Unknown)).await, SettleReply::Settled);
    bench.commit(session, Commit { calls: vec![second.clone()], ..holding(&claimed[0]) }).await;
    let open = find(bench, first.id).await;
    assert_eq!((open.state, open.sending), (CallState::Open, second.sending));
    for state in [CallState::Failed, CallState::Unknown] {
        assert_eq!(settle(of(&first, state)).await, SettleReply::SentAgain);
    }
    assert_eq!(find(bench, first.id).await, open);
    assert_eq!(settle(of(&second, CallState::Unknown)).await, SettleReply::Settled);
    assert_eq!(settle(of(&first, CallState::Unknown)).await, SettleReply::AlreadySettled);
    assert_eq!(settle(of(&first, CallState::Failed)).await, SettleReply::SentAgain);
    let late = Settlement { sending: Some(first.sending), ..succeeded(first.id) };
    assert_eq!(settle(late).await, SettleReply::Settled);
    assert_eq!(settle(of(&second, CallState::Failed)).await, SettleReply::AlreadySettled);
    // Two at once: one of them.
    let (call, _) = opened(bench).await;
    let (one, two) =
        tokio::join!(bench.store.settle(succeeded(call.id)), bench.store.settle(failed(call.id, CallState::Failed)));
    assert_ne!(one.unwrap(), two.unwrap());
}

/// A settlement is durable when it returns.
pub async fn ledger_3_durable(bench: &Bench) {
    let (call, _) = opened(bench).await;
    bench.store.settle(succeeded(call.id)).await.unwrap();
    let record = find(bench, call.id).await;
    assert_eq!((record.round, record.attempt, record.capability), (call.round, call.attempt, call.capability));
    assert_eq!(
        (&record.provider, record.request, Some(record.reserved)),
        (&call.provider, call.request, call.reserved)
    );
    assert_eq!((&record.model, &record.prompt), (&call.model, &call.prompt));
    assert_eq!((record.external_id.as_deref(), record.stage.clone()), (Some("task-1"), call.stage));
    assert!(record.settled_at.is_some());
    let again = bench.reopen().await.calls(CallQuery::default()).await.unwrap();
    assert_eq!(again, [record]);
}

/// An unknown call is `NotFound`.
pub async fn ledger_4_not_found(bench: &Bench) {
    opened(bench).await;
    let error = bench.store.settle(succeeded(CallId::from_uuid(uuid()))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// A call that serves several items is found by each; every field of the query is honoured, oldest first.
pub async fn ledger_5_by_item(bench: &Bench) {
    let (job, items) = bench.submit(3).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 3).await;
    let both = new_call(job, &items[..2]);
    let mut one = new_call(job, &items[2..]);
    one.stage = stage("qc");
    // Both items of the call bring its intent; it is written once.
    let commit = |index: usize, call: &NewCall| Commit { calls: vec![call.clone()], ..holding(&claimed[index]) };
    bench.store.commit(session, vec![commit(0, &both), commit(1, &both), commit(2, &one)]).await.unwrap();
    let (foreign, _) = opened(bench).await;
    bench.store.settle(succeeded(one.id)).await.unwrap();
    let list = async |query| {
        let calls = bench.store.calls(query).await.unwrap();
        calls.into_iter().map(|call| call.id).collect::<Vec<_>>()
    };
    let any = CallQuery::default;
    assert_eq!(list(any()).await, [both.id, one.id, foreign.id]);
    assert_eq!(list(CallQuery { job: Some(job), ..any() }).await, [both.id, one.id]);
    for (item, call) in items.iter().zip([both.id, both.id, one.id]) {
        assert_eq!(list(CallQuery { item: Some(*item), ..any() }).await, [call]);
    }
    assert_eq!(list(CallQuery { stage: Some(stage("qc")), ..any() }).await, [one.id]);
    assert_eq!(list(CallQuery { states: vec![CallState::Open], ..any() }).await, [both.id, foreign.id]);
    assert_eq!(list(CallQuery { limit: 2, ..any() }).await, [both.id, one.id]);
    let states = vec![CallState::Open, CallState::Succeeded];
    assert_eq!(list(CallQuery { states, ..any() }).await.len(), 3);
}

/// The first id stays, on open and unknown calls only, from anyone, durable when it returns.
pub async fn ledger_6_attached(bench: &Bench) {
    let (call, _) = opened(bench).await;
    let attach = async |call: CallId, task: &str| bench.store.attach(call, task.to_owned()).await.unwrap();
    bench.clock.advance(super::fixture::LEASE);
    assert_eq!(attach(call.id, "task \u{e9}/1").await, AttachReply::Attached);
    let record = find(bench, call.id).await;
    assert_eq!((record.state, record.external_id.as_deref()), (CallState::Open, Some("task \u{e9}/1")));
    assert!(record.settled_at.is_none() && record.cost.is_none());
    let again = bench.reopen().await.calls(CallQuery::default()).await.unwrap();
    assert_eq!(again, [record]);
    assert_eq!(attach(call.id, "task \u{e9}/1").await, AttachReply::Attached);
    assert_eq!(attach(call.id, "task-2").await, AttachReply::OtherTask);
    // An unknown outcome keeps the task; a call without one may still get it.
    bench.store.settle(failed(call.id, CallState::Unknown)).await.unwrap();
    assert_eq!(attach(call.id, "task-2").await, AttachReply::OtherTask);
    assert_eq!(find(bench, call.id).await.external_id.as_deref(), Some("task \u{e9}/1"));
    let (late, _) = opened(bench).await;
    bench.store.settle(failed(late.id, CallState::Unknown)).await.unwrap();
    assert_eq!(attach(late.id, "task-3").await, AttachReply::Attached);
    bench.store.settle(failed(late.id, CallState::Failed)).await.unwrap();
    assert_eq!(find(bench, late.id).await.external_id.as_deref(), Some("task-3"));
    let known = find(bench, late.id).await;
    for task in ["task-3", "task-4"] {
        assert_eq!(attach(late.id, task).await, AttachReply::AlreadySettled);
    }
    let (other, _) = opened(bench).await;
    bench.store.settle(succeeded(other.id)).await.unwrap();
    assert_eq!(attach(other.id, "task-5").await, AttachReply::AlreadySettled);
    assert_eq!(find(bench, late.id).await, known);
    let error = bench.store.attach(CallId::from_uuid(uuid()), "task-6".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Two at once: one of them.
    let (call, _) = opened(bench).await;
    let (one, two) = tokio::join!(attach(call.id, "task-7"), attach(call.id, "task-8"));
    assert_ne!(one, two);
}

/// A commit says that its item has used an answer up, for this item only, and only with its state.
pub async fn ledger_7_used_up(bench: &Bench) {
    let (job, items) = bench.submit(2).await;
    let session = bench.session_for(Some(job)).await;
    let claimed = bench.claim(session, 2).await;
    let (call, other) = (new_call(job, &[items[1], items[0]]), new_call(job, &items));
    let calls = vec![call.clone(), other.clone()];
    bench.commit(session, Commit { calls, ..holding(&claimed[0]) }).await;
    bench.store.settle(succeeded(call.id)).await.unwrap();
    let unused = async |item| {
        let calls = bench.store.calls(CallQuery { item: Some(item), unused: true, ..CallQuery::default() }).await;
        calls.unwrap().into_iter().map(|call| call.id).collect::<Vec<_>>()
    };
    assert_eq!((unused(items[0]).await, unused(items[1]).await.len()), (vec![call.id, other.id], 2));
    // Who does not hold the item uses nothing up.
    let stale = Commit { used: vec![call.id], token: Token(claimed[0].token.0 - 1), ..holding(&claimed[0]) };
    let reply = bench.store.commit(session, vec![stale]).await.unwrap();
    assert_eq!((reply, unused(items[0]).await.len()), (vec![CommitReply::Superseded], 2));
    bench.commit(session, Commit { used: vec![call.id], ..holding(&claimed[0]) }).await;
    assert_eq!((unused(items[0]).await, unused(items[1]).await.len()), (vec![other.id], 2));
    assert_eq!(find(bench, call.id).await.used_by, [items[0]]);
    assert_eq!(find(bench, other.id).await.used_by, []);
    // The second time nothing changes.
    bench.commit(session, Commit { used: vec![call.id], ..holding(&claimed[0]) }).await;
    bench.commit(session, Commit { used: vec![call.id], ..holding(&claimed[1]) }).await;
    assert_eq!(find(bench, call.id).await.used_by, [items[1], items[0]], "in the order of the call");
    let all = bench.store.calls(CallQuery { item: Some(items[0]), ..CallQuery::default() }).await.unwrap();
    assert_eq!(all.len(), 2);
    let again =
        bench.reopen().await.calls(CallQuery { states: vec![CallState::Succeeded], ..CallQuery::default() }).await;
    assert_eq!(again.unwrap()[0].used_by, [items[1], items[0]]);
}

/// The intent of an unknown call opens it again; that of a settled one is refused.
pub async fn ledger_8_opened_again(bench: &Bench) {
    bench.submit(1).await;
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    let call = new_call(claimed[0].item.job, &[claimed[0].item.id]);
    let intent = || Commit { calls: vec![call.clone()], ..holding(&claimed[0]) };
    bench.commit(session, intent()).await;
    let call = NewCall { attempt: call.attempt + 1, sending: SendingId::from_uuid(uuid()), ..call.clone() };
    let intent = || Commit { calls: vec![call.clone()], ..holding(&claimed[0]) };
    let first = find(bench, call.id).await;
    assert_eq!(first.deadline, first.opened_at.after(PATIENCE));
    bench.store.settle(failed(call.id, CallState::Unknown)).await.unwrap();
    bench.clock.advance(std::time::Duration::from_secs(5));
    bench.commit(session, intent()).await;
    let again = find(bench, call.id).await;
    assert_eq!((again.state, again.settled_at), (CallState::Open, None));
    assert_eq!((again.sending, again.attempt), (call.sending, call.attempt));
    assert_eq!(again.opened_at, first.opened_at.after(std::time::Duration::from_secs(5)));
    assert_eq!(again.deadline, again.opened_at.after(PATIENCE));
    bench.store.settle(succeeded(call.id)).await.unwrap();
    let settled = find(bench, call.id).await;
    let replies = bench.store.commit(session, vec![intent()]).await.unwrap();
    assert_eq!(replies, [CommitReply::Refused(Refusal::Settled)]);
    assert_eq!(find(bench, call.id).await, settled);
}

fn decided(call: CallId, decision: Decision) -> NewResolution {
    let response = (decision == Decision::Answered).then(|| json!({ "pictures": 1 }));
    let (by, why) = ("ann".to_owned(), "the vendor said so".to_owned());
    NewResolution { call, decision, by, why, cost: Money::from_micros(30_000), response }
}

/// A person ends a call of which nobody knows what became, in each of three ways; its items go on then.
pub async fn ledger_9_resolved(bench: &Bench) {
    let (job, _) = bench.submit(4).await;
    let key = BudgetKey::Job(job);
    bench.store.set_budget(key.clone(), Some(Money::from_micros(1_000_000))).await.unwrap();
    let session = bench.session().await;
    let items = bench.claim(session, 4).await;
    let mut spent = 0;
    for (item, decision) in items.iter().zip([Decision::Answered, Decision::Repeat, Decision::GiveUp]) {
        let call = new_call(job, &[item.item.id]);
        let commit = Commit { calls: vec![call.clone()], ..holding(item) };
        assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
        assert_eq!(bench.commit(session, releasing(item, None)).await, CommitReply::Applied);
        let error = bench.store.resolve(decided(call.id, decision)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "its answer may still come: {error}");
        let unknown = Settlement { state: CallState::Unknown, response: None, ..succeeded(call.id) };
        bench.store.settle(unknown).await.unwrap();
        assert!(bench.claim(session, 3).await.is_empty(), "it waits for a person");
        let resolved = bench.store.resolve(decided(call.id, decision)).await.unwrap();
        let state = if decision == Decision::Answered { CallState::Succeeded } else { CallState::Failed };
        assert_eq!((resolved.state, resolved.cost), (state, Some(Money::from_micros(30_000))));
        assert_eq!(resolved.response.is_some(), decision == Decision::Answered);
        let now = bench.store.now().await.unwrap();
        let kept = Resolution { decision, by: "ann".to_owned(), why: "the vendor said so".to_owned(), at: now };
        assert_eq!(bench.reopen().await.call(call.id).await.unwrap().resolution, Some(kept));
        let query = CallQuery { item: Some(item.item.id), unused: true, ..CallQuery::default() };
        let serves = bench.store.calls(query).await.unwrap();
        assert_eq!(serves.is_empty(), decision == Decision::Repeat, "what is to be repeated serves no more");
        let error = bench.store.resolve(decided(call.id, Decision::GiveUp)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "once: {error}");
        spent += 30_000;
        let budgets = bench.store.budgets().await.unwrap();
        let budget = budgets.iter().find(|budget| budget.key == key).unwrap();
        assert_eq!((budget.spent, budget.reserved), (Money::from_micros(spent), Money::ZERO));
        let again = bench.claim(session, 3).await;
        assert_eq!(again.len(), 1);
        assert_eq!(bench.commit(session, ending(&again[0], ItemStatus::Succeeded)).await, CommitReply::Applied);
    }
    let call = new_call(job, &[items[3].item.id]);
    let commit = Commit { calls: vec![call.clone()], ..holding(&items[3]) };
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    bench.store.settle(Settlement { state: CallState::Unknown, response: None, ..succeeded(call.id) }).await.unwrap();
    let error = bench.store.resolve(decided(call.id, Decision::Repeat)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "whoever holds its item may still go on with it: {error}");
    let nothing = bench.store.resolve(decided(CallId::from_uuid(uuid()), Decision::Repeat)).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
}

/// A call is found by its id; another id is not found.
pub async fn ledger_10_by_its_id(bench: &Bench) {
    let (job, _) = bench.submit(1).await;
    let session = bench.session().await;
    let item = bench.claim(session, 1).await.remove(0);
    let call = new_call(job, &[item.item.id]);
    assert_eq!(
        bench.commit(session, Commit { calls: vec![call.clone()], ..holding(&item) }).await,
        CommitReply::Applied
    );
    let found = bench.store.call(call.id).await.unwrap();
    assert_eq!(
        (found.id, found.sending, found.state, found.resolution),
        (call.id, call.sending, CallState::Open, None)
    );
    let error = bench.store.call(CallId::from_uuid(uuid())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// The newest answer to the same request is found by the jobs of its owner, and by nobody else.
pub async fn ledger_11_answered(bench: &Bench) {
    let job_of = async |owner: &str| {
        let job = NewJob { owner: owner.to_owned(), ..new_job() };
        bench.submit_with(job, vec![new_item(0)]).await.0
    };
    let called = async |job: JobId, request: Digest, state: CallState| {
        let session = bench.session_for(Some(job)).await;
        let item = bench.claim(session, 1).await.remove(0);
        let call = NewCall { request, ..new_call(job, &[item.item.id]) };
        bench.commit(session, Commit { calls: vec![call.clone()], ..holding(&item) }).await;
        bench.store.settle(Settlement { state, ..succeeded(call.id) }).await.unwrap();
        bench.commit(session, ending(&item, ItemStatus::Succeeded)).await;
        call.id
    };
    let (request, other) = (Digest::of(b"one request"), Digest::of(b"another"));
    let (first, second, asking) = (job_of("ann").await, job_of("ann").await, job_of("ann").await);
    let (stranger, strange) = (job_of("bob").await, job_of("bob").await);
    let found = async |job, request| bench.store.answered(job, request).await.unwrap().map(|call| call.id);
    called(first, request, CallState::Failed).await;
    called(stranger, other, CallState::Succeeded).await;
    assert_eq!(found(asking, request).await, None, "it failed");
    assert_eq!(found(asking, other).await, None, "another owner has it");
    let old = called(second, request, CallState::Succeeded).await;
    assert_eq!(found(asking, request).await, Some(old));
    assert_eq!(found(strange, request).await, None, "another owner asks");
    assert_eq!(found(JobId::from_uuid(uuid()), request).await, None, "nobody asks");
    let newest = job_of("ann").await;
    let new = called(newest, request, CallState::Succeeded).await;
    let answer = bench.reopen().await.answered(asking, request).await.unwrap().unwrap();
    assert_eq!((answer.id, answer.response), (new, succeeded(new).response));
    bench.store.delete(newest).await.unwrap();
    assert_eq!(found(asking, request).await, Some(old), "the newest one is deleted");
}

/// Calls are added up by what is asked for, those of deleted jobs too.
pub async fn ledger_12_added_up(bench: &Bench) {
    let mut jobs = Vec::new();
    let begin = bench.store.now().await.unwrap();
    for (owner, model, prompt) in
        [("ann", Some("fast"), "a cat"), ("ann", None, "a dog"), ("bob", Some("fast"), "a cat")]
    {
        let job = NewJob { owner: owner.to_owned(), ..new_job() };
        let (job, _) = bench.submit_with(job, vec![new_item(0), new_item(1)]).await;
        let session = bench.session_for(Some(job)).await;
        for (index, item) in bench.claim(session, 2).await.iter().enumerate() {
            let (model, prompt) = (model.map(str::to_owned), Some(prompt.to_owned()));
            let call = NewCall { model, prompt, ..new_call(job, &[item.item.id]) };
            bench.commit(session, Commit { calls: vec![call.clone()], ..holding(item) }).await;
            if index == 0 || owner == "bob" {
                bench.store.settle(succeeded(call.id)).await.unwrap();
            }
            bench.commit(session, ending(item, ItemStatus::Succeeded)).await;
        }
        jobs.push(job);
        bench.clock.advance(std::time::Duration::from_hours(24));
    }
    bench.store.delete(jobs[2]).await.unwrap();
    let sums = async |query: SpendQuery| -> Vec<(String, u64, i64, u64, i64)> {
        let sums = bench.store.spend(query).await.unwrap();
        let micros = |sum: &Spend| (sum.spent.as_micros(), sum.reserved.as_micros());
        sums.into_iter()
            .map(|sum| (sum.key.clone(), sum.calls, micros(&sum).0, sum.unsettled, micros(&sum).1))
            .collect()
    };
    let row = |key: &str, calls, unsettled| {
        (key.to_owned(), calls, 39_000 * calls as i64, unsettled, 40_000 * unsettled as i64)
    };
    let query = SpendQuery::by;
    assert_eq!(sums(query(SpendBy::Stage)).await, [row("generate", 4, 2)]);
    assert_eq!(sums(query(SpendBy::Provider)).await, [row("bench", 4, 2)]);
    assert_eq!(sums(query(SpendBy::Owner)).await, [row("ann", 2, 2), row("bob", 2, 0)]);
    assert_eq!(sums(query(SpendBy::Model)).await, [row("", 1, 1), row("fast", 3, 1)]);
    assert_eq!(sums(query(SpendBy::Prompt)).await, [row("a cat", 3, 1), row("a dog", 1, 1)]);
    let mut by_job =
        vec![row(&jobs[0].to_string(), 1, 1), row(&jobs[1].to_string(), 1, 1), row(&jobs[2].to_string(), 2, 0)];
    by_job.sort();
    assert_eq!(sums(query(SpendBy::Job)).await, by_job);
    let days = sums(query(SpendBy::Day)).await;
    assert_eq!(days.iter().map(|day| (day.1, day.3)).collect::<Vec<_>>(), [(1, 1), (1, 1), (2, 0)]);
    let hours = |hours| Some(begin.after(std::time::Duration::from_hours(hours)));
    assert_eq!(days[2].0, hours(48).unwrap().to_string()[..10]);
    let last = SpendQuery { since: hours(36), ..query(SpendBy::Stage) };
    assert_eq!(sums(last.clone()).await, [row("generate", 2, 0)]);
    let first = SpendQuery { until: last.since, since: None, ..last.clone() };
    assert_eq!(sums(first).await, [row("generate", 2, 2)]);
    let theirs = SpendQuery { owner: Some("ann".to_owned()), ..query(SpendBy::Stage) };
    assert_eq!(sums(theirs).await, [row("generate", 2, 2)]);
    let own = SpendQuery { job: Some(jobs[0]), ..query(SpendBy::Stage) };
    assert_eq!(sums(own).await, [row("generate", 1, 1)]);
    while bench.store.sweep(10).await.unwrap() > 0 {}
    assert_eq!(sums(query(SpendBy::Owner)).await, [row("ann", 2, 2), row("bob", 2, 0)]);
    assert_eq!(sums(query(SpendBy::Prompt)).await, [row("", 2, 0), row("a cat", 1, 1), row("a dog", 1, 1)]);
}
