//! The clauses of `BudgetKeeper`: what jobs and owners may spend.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::ErrorKind;
use pipeline_core::id::{CallId, JobId, SendingId, SessionId};
use pipeline_core::model::{ItemStatus, Limits, Money};
use pipeline_core::storage::{
    Budget, BudgetKey, BudgetScope, CallState, Claimed, Closed, Commit, CommitReply, GateKey, NewCall, NewItem, NewJob,
    Refusal, Settlement,
};

use super::fixture::{Bench, ending, new_item, new_job, releasing, uuid};
use super::gate_keeper::{intent, settled};

fn cents(cents: i64) -> Money {
    Money::from_micros(cents * 10_000)
}

/// A job with a budget, of items that come to a gate next.
fn priced(budget: i64, owner: &str) -> NewJob {
    NewJob { budget: Some(cents(budget)), owner: owner.to_owned(), ..new_job() }
}

fn gated(count: u32) -> Vec<NewItem> {
    (0..count).map(|ordinal| NewItem { gate: Some(GateKey::provider("studio")), ..new_item(ordinal) }).collect()
}

/// Makes the intent of a call that may cost so much.
fn buying(claimed: &Claimed, price: Option<Money>) -> (CallId, Commit) {
    let (call, commit) = intent(claimed, Limits::default());
    let call = NewCall { reserved: price, ..call };
    (call.id, Commit { calls: vec![call], ..commit })
}

/// Submits a job with a budget and claims all of its items.
async fn claimed(bench: &Bench, job: NewJob, count: u32) -> (JobId, SessionId, Vec<Claimed>) {
    let (id, _) = bench.submit_with(job, gated(count)).await;
    let session = bench.session_for(Some(id)).await;
    let items = bench.claim(session, count).await;
    assert_eq!(items.len(), count as usize);
    (id, session, items)
}

async fn budget(bench: &Bench, key: &BudgetKey) -> Budget {
    bench.store.budgets().await.unwrap().into_iter().find(|budget| budget.key == *key).unwrap()
}

fn paid(call: CallId, cost: Money) -> Settlement {
    Settlement { cost, ..settled(call, CallState::Succeeded, false) }
}

/// No intent passes the budget of its job or of its owner; several of one batch, and of several processes, count together.
pub async fn budget_1_never_passed(bench: &Bench) {
    let (job, session, items) = claimed(bench, priced(10, "ann"), 6).await;
    let all: Vec<Commit> = items.iter().take(4).map(|item| buying(item, Some(cents(4))).1).collect();
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Wants(cents(4))));
    let replies = bench.store.commit(session, all.clone()).await.unwrap();
    assert_eq!(replies, [CommitReply::Applied, CommitReply::Applied, refused, refused]);
    let elsewhere = bench.reopen().await;
    assert_eq!(elsewhere.commit(session, vec![all[2].clone()]).await.unwrap(), [refused], "it holds for every process");
    assert_eq!(
        bench.commit(session, all[0].clone()).await,
        CommitReply::Applied,
        "the same call again is the same call"
    );
    let last = buying(&items[4], Some(cents(2))).1;
    assert_eq!(bench.commit(session, last).await, CommitReply::Applied, "to the last cent");
    let free = buying(&items[5], Some(Money::ZERO)).1;
    assert_eq!(bench.commit(session, free).await, CommitReply::Applied, "what costs nothing passes");
    let key = BudgetKey::Job(job);
    let stands =
        Budget { reserved: cents(10), closed: Some(Closed::Wants(cents(4))), ..Budget::new(key.clone(), cents(10)) };
    assert_eq!(budget(bench, &key).await, stands);
    assert_eq!(bench.store.job(job).await.unwrap().budget, Some(stands));

    // The owner's holds over all of the owner's jobs, and a call that fits one of the two reserves of neither.
    let owner = BudgetKey::Owner("bea".to_owned());
    bench.store.set_budget(owner.clone(), Some(cents(5))).await.unwrap();
    let (one, first, ones) = claimed(bench, priced(100, "bea"), 1).await;
    let (_, second, others) = claimed(bench, NewJob { owner: "bea".to_owned(), ..new_job() }, 1).await;
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Owner, Closed::Wants(cents(6))));
    assert_eq!(bench.commit(first, buying(&ones[0], Some(cents(6))).1).await, refused);
    assert_eq!(budget(bench, &BudgetKey::Job(one)).await.reserved, Money::ZERO);
    assert_eq!(bench.commit(first, buying(&ones[0], Some(cents(3))).1).await, CommitReply::Applied);
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Owner, Closed::Wants(cents(3))));
    assert_eq!(bench.commit(second, buying(&others[0], Some(cents(3))).1).await, refused);
    assert_eq!(budget(bench, &owner).await.reserved, cents(3));
    assert_eq!(budget(bench, &BudgetKey::Job(one)).await.reserved, cents(3));
}

/// An open or unknown call keeps its reservation, and a settled one counts with what it cost.
pub async fn budget_2_reserved_until_known(bench: &Bench) {
    let (job, session, items) = claimed(bench, priced(10, "me"), 4).await;
    let key = BudgetKey::Job(job);
    let (call, commit) = buying(&items[0], Some(cents(6)));
    assert_eq!(bench.commit(session, commit.clone()).await, CommitReply::Applied);
    bench.store.settle(settled(call, CallState::Unknown, false)).await.unwrap();
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Wants(cents(5))));
    assert_eq!(bench.commit(session, buying(&items[1], Some(cents(5))).1).await, refused);
    let again = NewCall { sending: SendingId::from_uuid(uuid()), ..commit.calls[0].clone() };
    let again = Commit { calls: vec![again], ..commit };
    assert_eq!(bench.commit(session, again).await, CommitReply::Applied, "opened again, it is not reserved twice");
    assert_eq!(budget(bench, &key).await.reserved, cents(6));
    bench.store.settle(paid(call, cents(7))).await.unwrap();
    bench.store.settle(paid(call, cents(7))).await.unwrap();
    let stands = budget(bench, &key).await;
    assert_eq!((stands.spent, stands.reserved), (cents(7), Money::ZERO), "what it cost, once");
    let (call, commit) = buying(&items[2], Some(cents(3)));
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    bench.store.settle(settled(call, CallState::Failed, false)).await.unwrap();
    let stands = budget(bench, &key).await;
    assert_eq!((stands.spent, stands.reserved), (cents(7), Money::ZERO), "what failed is free again");
    assert_eq!(bench.commit(session, buying(&items[3], Some(cents(3))).1).await, CommitReply::Applied);
    let kept = bench.reopen().await.budgets().await.unwrap();
    assert_eq!(kept.iter().find(|budget| budget.key == key).map(|budget| budget.reserved), Some(cents(3)));
}

/// After a refusal nothing of the job that comes to a gate is handed out, and nobody is told to wait for it.
pub async fn budget_3_closed(bench: &Bench) {
    let mut items = gated(4);
    items.push(new_item(9));
    let (id, _) = bench.submit_with(priced(10, "ann"), items).await;
    let (other, _) = bench.submit_with(NewJob { owner: "bea".to_owned(), ..new_job() }, gated(2)).await;
    let session = bench.session_for(Some(id)).await;
    let held = bench.claim(session, 2).await;
    assert_eq!(held.len(), 2);
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Wants(cents(11))));
    assert_eq!(bench.commit(session, buying(&held[0], Some(cents(11))).1).await, refused);
    let gate = Some(GateKey::provider("studio"));
    for (item, later) in held.iter().zip([None, Some(std::time::Duration::from_secs(5))]) {
        let now = bench.store.now().await.unwrap();
        let parked =
            Commit { gate: gate.clone(), ..releasing(item, Some(later.map_or(now, |later| now.after(later)))) };
        assert_eq!(bench.commit(session, parked).await, CommitReply::Applied);
    }
    let free = bench.claim(session, 10).await;
    assert_eq!(free.iter().map(|item| item.item.ordinal).collect::<Vec<_>>(), [9], "only what comes to no gate");
    assert_eq!(bench.claims(session, 10).await.next_at, None, "no time helps, and waiting items do not count");
    let anyone = bench.session().await;
    let elsewhere = bench.claim(anyone, 10).await;
    assert!(elsewhere.len() == 2 && elsewhere.iter().all(|item| item.item.job == other), "other jobs go on");

    bench.store.set_budget(BudgetKey::Owner("bea".to_owned()), Some(cents(1))).await.unwrap();
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Owner, Closed::Wants(cents(2))));
    assert_eq!(bench.commit(anyone, buying(&elsewhere[0], Some(cents(2))).1).await, refused);
    bench.submit_with(NewJob { owner: "bea".to_owned(), ..new_job() }, gated(2)).await;
    assert!(bench.claim(anyone, 10).await.is_empty(), "an owner's budget closes every job of the owner");

    // A call that was made is gone on with.
    assert_eq!(bench.commit(anyone, buying(&elsewhere[1], Some(cents(1))).1).await, CommitReply::Applied);
    bench.store.close_session(anyone).await.unwrap();
    let heir = bench.session().await;
    let left = bench.claim(heir, 10).await;
    assert_eq!(left.iter().map(|item| item.item.id).collect::<Vec<_>>(), [elsewhere[1].item.id]);
}

/// Raising opens, and so does a settlement that makes room for what was refused.
pub async fn budget_4_opened(bench: &Bench) {
    let (id, _) = bench.submit_with(priced(10, "ann"), gated(4)).await;
    let session = bench.session().await;
    let held = bench.claim(session, 2).await;
    let (call, commit) = buying(&held[0], Some(cents(8)));
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
    let (_, second) = buying(&held[1], Some(cents(6)));
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Wants(cents(6))));
    assert_eq!(bench.commit(session, second.clone()).await, refused);
    assert!(bench.claim(session, 10).await.is_empty());
    bench.store.settle(paid(call, cents(3))).await.unwrap();
    assert_eq!(budget(bench, &BudgetKey::Job(id)).await.closed, None);
    let more = bench.claim(session, 1).await;
    assert_eq!(more.len(), 1, "there is room for what was refused");
    assert_eq!(bench.commit(session, second).await, CommitReply::Applied);
    let (_, third) = buying(&more[0], Some(cents(6)));
    assert_eq!(bench.commit(session, third.clone()).await, refused);
    assert!(bench.claim(session, 10).await.is_empty());
    let raised = bench.store.set_budget(BudgetKey::Job(id), Some(cents(15))).await.unwrap().unwrap();
    assert_eq!((raised.amount, raised.spent, raised.reserved, raised.closed), (cents(15), cents(3), cents(6), None));
    assert_eq!(bench.commit(session, third).await, CommitReply::Applied);
    assert_eq!(bench.claim(session, 10).await.len(), 1);
    bench.store.set_budget(BudgetKey::Job(id), None).await.unwrap();
    assert_eq!(bench.store.job(id).await.unwrap().budget, None);
}

/// A budget that is set later counts what was spent and reserved before.
pub async fn budget_5_at_any_time(bench: &Bench) {
    let (id, session, items) = claimed(bench, NewJob { owner: "ann".to_owned(), ..new_job() }, 4).await;
    let calls: Vec<(CallId, Commit)> = items.iter().map(|item| buying(item, Some(cents(4)))).collect();
    for (_, commit) in calls.iter().take(3) {
        assert_eq!(bench.commit(session, commit.clone()).await, CommitReply::Applied);
    }
    bench.store.settle(paid(calls[0].0, cents(3))).await.unwrap();
    bench.store.settle(settled(calls[1].0, CallState::Unknown, false)).await.unwrap();
    for key in [BudgetKey::Job(id), BudgetKey::Owner("ann".to_owned())] {
        let set = bench.store.set_budget(key.clone(), Some(cents(14))).await.unwrap().unwrap();
        assert_eq!((set.spent, set.reserved), (cents(3), cents(8)), "{key}");
    }
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Wants(cents(4))));
    assert_eq!(bench.commit(session, calls[3].1.clone()).await, refused);
    bench.store.set_budget(BudgetKey::Job(id), None).await.unwrap();
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Owner, Closed::Wants(cents(4))));
    assert_eq!(bench.commit(session, calls[3].1.clone()).await, refused);
    bench.store.settle(paid(calls[2].0, cents(2))).await.unwrap();
    assert_eq!(bench.commit(session, calls[3].1.clone()).await, CommitReply::Applied);
}

/// With a budget, a call of which nobody knows what it may cost is refused; without one it passes.
pub async fn budget_6_unpriced(bench: &Bench) {
    let (id, session, items) = claimed(bench, priced(1_000, "me"), 2).await;
    let (_, commit) = buying(&items[0], None);
    let refused = CommitReply::Refused(Refusal::Budget(BudgetScope::Job, Closed::Unpriced));
    assert_eq!(bench.commit(session, commit.clone()).await, refused);
    assert_eq!(budget(bench, &BudgetKey::Job(id)).await.closed, Some(Closed::Unpriced));
    assert_eq!(bench.commit(session, buying(&items[1], Some(cents(1))).1).await, CommitReply::Applied);
    bench.store.set_budget(BudgetKey::Job(id), None).await.unwrap();
    assert_eq!(bench.commit(session, commit).await, CommitReply::Applied);
}

/// A wrong amount, no job and an ended job are refused, and nothing is changed.
pub async fn budget_7_only_good_ones(bench: &Bench) {
    let (id, session, items) = claimed(bench, priced(10, "me"), 1).await;
    for amount in [-1, 0] {
        for key in [BudgetKey::Job(id), BudgetKey::Owner("me".to_owned())] {
            let error = bench.store.set_budget(key, Some(cents(amount))).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
    }
    let nobody = BudgetKey::Job(JobId::from_uuid(uuid()));
    let error = bench.store.set_budget(nobody, Some(cents(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let all = bench.store.budgets().await.unwrap();
    assert_eq!(all, [Budget::new(BudgetKey::Job(id), cents(10))]);
    assert_eq!(bench.commit(session, ending(&items[0], ItemStatus::Succeeded)).await, CommitReply::Applied);
    let error = bench.store.set_budget(BudgetKey::Job(id), Some(cents(20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(bench.store.budgets().await.unwrap().is_empty(), "that of an ended job is not listed");
    assert_eq!(bench.store.job(id).await.unwrap().budget.map(|budget| budget.amount), Some(cents(10)), "but kept");
}
