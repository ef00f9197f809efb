//! What must hold over all processes of a database, tried by several stores at once: limits, turns, pauses and cancels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline_core::ErrorKind;
use pipeline_core::id::{CallId, ItemId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus, JobStatus, Limits, Money};
use pipeline_core::storage::{
    CallLedger, CallQuery, CallRecord, CallState, ClaimRequest, Claimed, Commit, CommitReply, GateKeeper, GateKey,
    GatePass, JobKey, JobStore, NewItem, NewJob, Refusal, Settlement, WorkQueue,
};
use pipeline_store::PostgresStore;
use pipeline_testkit::conformance::fixture::{ending, holding, new_call, new_item, new_job, releasing, uuid};

use super::{claim, database, finish, gapless, open, recount, session, submit};

fn key() -> GateKey {
    GateKey::provider("studio")
}

fn gated(ordinal: u32) -> NewItem {
    NewItem { gate: Some(key()), ..new_item(ordinal) }
}

/// Makes the intent of a call that passes the gate.
fn intent(claimed: &Claimed, limits: Limits) -> (CallId, Commit) {
    let mut call = new_call(claimed.item.job, &[claimed.item.id]);
    call.gate = Some(GatePass { key: key(), limits });
    (call.id, Commit { gate: Some(key()), calls: vec![call], ..holding(claimed) })
}

async fn settle(store: &PostgresStore, call: CallId) {
    let (state, cost) = (CallState::Succeeded, Money::ZERO);
    let settlement = Settlement {
        call,
        state,
        sending: None,
        cost,
        response: None,
        failure: None,
        external_id: None,
        outage: false,
    };
    store.settle(settlement).await.unwrap();
}

async fn calls(store: &PostgresStore) -> Vec<CallRecord> {
    store.calls(CallQuery { limit: 100_000, ..CallQuery::default() }).await.unwrap()
}

/// Opens `count` stores, each with a session that holds `items` items of one job.
async fn holders(url: &str, count: u32, items: u32) -> (JobId, Vec<(PostgresStore, SessionId, Vec<Claimed>)>) {
    let (job, _) = submit(&open(url).await, count * items).await;
    let mut holders = Vec::new();
    for _ in 0..count {
        let store = open(url).await;
        let session = session(&store).await;
        let held = claim(&store, session, items).await;
        assert_eq!(held.len(), items as usize);
        holders.push((store, session, held));
    }
    (job, holders)
}

/// Asserts that no transaction had to be broken off because others waited for it in a circle.
async fn no_deadlocks(url: &str) {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let found: i64 = sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(found, 0, "deadlocks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_calls_are_open_than_the_gate_allows() {
    let Some(url) = database().await else { return };
    let limits = Limits { concurrency: Some(3), per_minute: None };
    let (_, holders) = holders(&url, 3, 20).await;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let turned_away = Arc::new(AtomicBool::new(false));
    let mut workers = Vec::new();
    for (store, session, held) in holders {
        for share in [held[..10].to_vec(), held[10..].to_vec()] {
            let (store, open, most) = (store.clone(), Arc::clone(&open), Arc::clone(&most));
            let turned_away = Arc::clone(&turned_away);
            workers.push(tokio::spawn(async move {
                let mut refused = 0;
                for claimed in &share {
                    // A new call each time; sometimes two in a batch.
                    loop {
                        let batch = [intent(claimed, limits), intent(claimed, limits)];
                        let commits = batch.iter().map(|(_, commit)| commit.clone()).collect();
                        let replies = store.commit(session, commits).await.unwrap();
                        let passed: Vec<CallId> = batch
                            .iter()
                            .zip(&replies)
                            .filter(|(_, reply)| **reply == CommitReply::Applied)
                            .map(|((id, _), _)| *id)
                            .collect();
                        most.fetch_max(open.fetch_add(passed.len(), Ordering::SeqCst) + passed.len(), Ordering::SeqCst);
                        if passed.len() < replies.len() {
                            turned_away.store(true, Ordering::SeqCst);
                        }
                        // What is open first stays so until the gate was seen full, however slow the machine is.
                        let patience = Instant::now() + Duration::from_secs(20);
                        let full = || most.load(Ordering::SeqCst) >= 3 && turned_away.load(Ordering::SeqCst);
                        while !passed.is_empty() && !full() && Instant::now() < patience {
                            tokio::time::sleep(Duration::from_millis(2)).await;
                        }
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        for call in &passed {
                            open.fetch_sub(1, Ordering::SeqCst);
                            settle(&store, *call).await;
                        }
                        refused += replies.len() - passed.len();
                        if !passed.is_empty() {
                            break;
                        }
                    }
                }
                refused
            }));
        }
    }
    let mut refused = 0;
    for worker in workers {
        refused += worker.await.unwrap();
    }
    assert!(refused > 0, "nobody was in anybody's way");
    assert_eq!(most.load(Ordering::SeqCst), 3);
    // As the store has it: at the time of each intent at most two others were open.
    let calls = calls(&super::open(&url).await).await;
    for call in &calls {
        let at = call.opened_at;
        let open = calls.iter().filter(|other| other.opened_at <= at && other.settled_at.unwrap() > at).count();
        assert!(open <= 3, "{open} calls were open");
    }
    no_deadlocks(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_intents_pass_in_a_minute_than_the_gate_allows() {
    let Some(url) = database().await else { return };
    let limits = Limits { concurrency: None, per_minute: Some(7) };
    let (_, holders) = holders(&url, 3, 20).await;
    let mut workers = Vec::new();
    for (store, session, held) in holders {
        workers.push(tokio::spawn(async move {
            let mut passed = 0;
            for claimed in &held {
                let (call, commit) = intent(claimed, limits);
                match store.commit(session, vec![commit]).await.unwrap()[0] {
                    CommitReply::Applied => {
                        passed += 1;
                        settle(&store, call).await;
                    }
                    CommitReply::Refused(Refusal::Gate(until)) => assert!(until.is_some()),
                    other => panic!("{other:?}"),
                }
            }
            passed
        }));
    }
    let mut passed = 0;
    for worker in workers {
        passed += worker.await.unwrap();
    }
    assert_eq!(passed, 7);
    no_deadlocks(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gate_that_was_closed_lets_nothing_pass_afterwards() {
    let Some(url) = database().await else { return };
    // Without limits intents do not wait for each other, and still none slips by.
    let (_, holders) = holders(&url, 3, 10).await;
    let main = open(&url).await;
    for round in 0..8_u64 {
        hammer(&holders, Limits::default(), &main, async |main| {
            tokio::time::sleep(Duration::from_millis(10 + round)).await;
            main.close_gate(key(), Duration::from_secs(600), "enough").await.unwrap();
        })
        .await;
        main.open_gate(key()).await.unwrap();
    }
    no_deadlocks(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_pause_of_everything_no_intent_is_accepted_and_nothing_handed_out() {
    let Some(url) = database().await else { return };
    let (_, holders) = holders(&url, 3, 10).await;
    let main = open(&url).await;
    submit(&main, 3).await;
    for round in 0..8_u64 {
        hammer(&holders, Limits::default(), &main, async |main| {
            tokio::time::sleep(Duration::from_millis(10 + round)).await;
            main.pause_all(true).await.unwrap();
        })
        .await;
        let (store, session, _) = &holders[0];
        assert!(claim(store, *session, 5).await.is_empty());
        main.pause_all(false).await.unwrap();
    }
    assert_eq!(claim(&main, session(&main).await, 5).await.len(), 3);
    no_deadlocks(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_pause_and_a_cancel_of_a_job_no_intent_is_accepted() {
    let Some(url) = database().await else { return };
    let main = open(&url).await;
    for round in 0..4_u64 {
        let (job, holders) = holders(&url, 3, 10).await;
        for control in [Control::Pause, Control::Cancel] {
            hammer(&holders, Limits::default(), &main, async |main| {
                tokio::time::sleep(Duration::from_millis(10 + round)).await;
                main.control(job, control).await.unwrap();
            })
            .await;
            if control == Control::Pause {
                main.control(job, Control::Run).await.unwrap();
            }
        }
        for (store, session, held) in &holders {
            finish(store, *session, held, ItemStatus::Succeeded).await;
            store.close_session(*session).await.unwrap();
        }
        assert!(main.job(job).await.unwrap().ended_at.is_some());
        gapless(&main, job).await;
        recount(&main, job).await;
    }
    no_deadlocks(&url).await;
}

/// Has every holder write intents until they are refused. What had been written when `stop` was acknowledged must be all.
async fn hammer(
    holders: &[(PostgresStore, SessionId, Vec<Claimed>)],
    limits: Limits,
    main: &PostgresStore,
    stop: impl AsyncFnOnce(&PostgresStore),
) {
    let stopped = Arc::new(AtomicBool::new(false));
    let mut workers = Vec::new();
    for (store, session, held) in holders {
        for claimed in [&held[0], &held[1]] {
            let (store, session, claimed, stopped) = (store.clone(), *session, claimed.clone(), Arc::clone(&stopped));
            workers.push(tokio::spawn(async move {
                let mut passed = 0;
                loop {
                    let before = stopped.load(Ordering::SeqCst);
                    let (call, commit) = intent(&claimed, limits);
                    match store.commit(session, vec![commit]).await.unwrap()[0] {
                        CommitReply::Applied => {
                            assert!(!before, "an intent was accepted");
                            passed += 1;
                            settle(&store, call).await;
                        }
                        CommitReply::Refused(_) if before => return passed,
                        CommitReply::Refused(_) => {}
                        CommitReply::Superseded => unreachable!("nobody else claims these"),
                    }
                }
            }));
        }
    }
    let before = calls(main).await.len();
    // On a busy machine the first takes a while.
    while calls(main).await.len() == before {
        tokio::task::yield_now().await;
    }
    stop(main).await;
    let acknowledged = calls(main).await.len();
    stopped.store(true, Ordering::SeqCst);
    let mut passed = 0;
    for worker in workers {
        passed += worker.await.unwrap();
    }
    assert_eq!(calls(main).await.len(), acknowledged, "an intent was written after the acknowledgement");
    assert!(passed > 0 && acknowledged > before, "nothing was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_with_one_key_take_turns_over_all_processes() {
    let Some(url) = database().await else { return };
    let main = open(&url).await;
    let mut jobs = BTreeSet::new();
    for index in 0..24_u32 {
        let key = JobKey { name: format!("press {}", index % 2), limit: 1 + index % 2 };
        let job = NewJob { key: Some(key), ..new_job() };
        jobs.insert((job.id, index % 2));
        main.submit(job, (0..3).map(new_item).collect()).await.unwrap();
    }
    let kinds: BTreeMap<JobId, u32> = jobs.iter().copied().collect();
    // How many items are left of the jobs in work.
    let at: Arc<Mutex<BTreeMap<JobId, u32>>> = Arc::default();
    let mut workers = Vec::new();
    for index in 0..6 {
        let store = open(&url).await;
        let (at, kinds) = (Arc::clone(&at), kinds.clone());
        workers.push(tokio::spawn(async move {
            let worker = session(&store).await;
            loop {
                let request = ClaimRequest { session: worker, limit: 1 + index % 4, job: None };
                let claims = store.claim(request).await.unwrap();
                let claimed: Vec<Claimed> = claims.units.into_iter().flatten().collect();
                if claimed.is_empty() && claims.next_at.is_none() {
                    return;
                }
                {
                    let mut at = at.lock().unwrap();
                    for claimed in &claimed {
                        at.entry(claimed.item.job).or_insert(3);
                    }
                    for kind in [0, 1] {
                        let working = at.keys().filter(|job| kinds[job] == kind).count();
                        assert!(working <= kind as usize + 1, "{working} jobs of key {kind} are in work");
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
                for claimed in &claimed {
                    {
                        let mut at = at.lock().unwrap();
                        let left = at.get_mut(&claimed.item.job).unwrap();
                        *left -= 1;
                        if *left == 0 {
                            at.remove(&claimed.item.job);
                        }
                    }
                    finish(&store, worker, std::slice::from_ref(claimed), ItemStatus::Succeeded).await;
                }
            }
        }));
    }
    for worker in workers {
        tokio::time::timeout(Duration::from_secs(60), worker).await.unwrap().unwrap();
    }
    for (job, _) in jobs {
        assert_eq!(main.job(job).await.unwrap().status, JobStatus::Completed);
    }
    no_deadlocks(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_units_of_a_job_are_held_than_it_allows_over_all_processes() {
    let Some(url) = database().await else { return };
    let mut job = new_job();
    job.plan.plan.concurrency = Some(3);
    let units: Vec<ItemId> = (0..30).map(|_| ItemId::from_uuid(uuid())).collect();
    let items = (0..60_u32).map(|ordinal| NewItem { unit: Some(units[ordinal as usize / 2]), ..new_item(ordinal) });
    held_at_most(&url, job, items.collect(), 3, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_is_handed_out_for_a_gate_than_it_has_room_over_all_processes() {
    let Some(url) = database().await else { return };
    // A call declares what holds there.
    let (_, holders) = holders(&url, 1, 1).await;
    let (store, session, held) = &holders[0];
    let (call, commit) = intent(&held[0], Limits { concurrency: Some(2), per_minute: None });
    assert_eq!(store.commit(*session, vec![commit]).await.unwrap(), [CommitReply::Applied]);
    settle(store, call).await;
    finish(store, *session, held, ItemStatus::Succeeded).await;
    held_at_most(&url, new_job(), (0..40).map(gated).collect(), 2, 40).await;
}

/// Has six claimers of three stores work off a job of `count` units, and asserts that never more than `most` are held.
async fn held_at_most(url: &str, job: NewJob, items: Vec<NewItem>, most: usize, count: usize) {
    let main = open(url).await;
    let id = job.id;
    main.submit(job, items).await.unwrap();
    let (held, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = Vec::new();
    for store in [open(url).await, open(url).await, open(url).await] {
        for limit in [1, 5] {
            let (store, held, seen) = (store.clone(), Arc::clone(&held), Arc::clone(&seen));
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                let mut done = 0;
                loop {
                    let claims = store.claim(ClaimRequest { session: worker, limit, job: None }).await.unwrap();
                    if claims.units.is_empty() && claims.next_at.is_none() {
                        return done;
                    }
                    let now = held.fetch_add(claims.units.len(), Ordering::SeqCst) + claims.units.len();
                    seen.fetch_max(now, Ordering::SeqCst);
                    // What is claimed first is kept until a second claim is seen beside it, however slow the machine is.
                    let patience = Instant::now() + Duration::from_secs(20);
                    while !claims.units.is_empty() && seen.load(Ordering::SeqCst) < 2 && Instant::now() < patience {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    for unit in &claims.units {
                        done += 1;
                        held.fetch_sub(1, Ordering::SeqCst);
                        finish(&store, worker, unit, ItemStatus::Succeeded).await;
                    }
                }
            }));
        }
    }
    let mut done = 0;
    for worker in workers {
        done += tokio::time::timeout(Duration::from_secs(60), worker).await.unwrap().unwrap();
    }
    assert_eq!(done, count);
    let seen = seen.load(Ordering::SeqCst);
    assert!((2..=most).contains(&seen), "{seen} were held");
    assert_eq!(main.job(id).await.unwrap().status, JobStatus::Completed);
    recount(&main, id).await;
    no_deadlocks(url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_abandoned_job_ends_at_once_in_the_midst_of_claims_and_commits() {
    let Some(url) = database().await else { return };
    let (one, two) = (open(&url).await, open(&url).await);
    for round in 0..12_u64 {
        let (job, _) = submit(&one, 200).await;
        let over = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for store in [one.clone(), two.clone()] {
            let over = Arc::clone(&over);
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                while !over.load(Ordering::SeqCst) {
                    let held = claim(&store, worker, 9).await;
                    let now = store.now().await.unwrap();
                    let commits = held.iter().enumerate().map(|(index, claimed)| match index % 4 {
                        0 => releasing(claimed, Some(now)),
                        1 => intent(claimed, Limits::default()).1,
                        _ => ending(claimed, ItemStatus::Succeeded),
                    });
                    store.commit(worker, commits.collect()).await.unwrap();
                }
                assert!(claim(&store, worker, 9).await.is_empty());
            }));
        }
        tokio::time::sleep(Duration::from_millis(round * 4)).await;
        match one.abandon(job).await {
            Ok(record) => {
                assert_eq!((record.counts.open(), record.counts.planned), (0, 200), "{record:?}");
                assert!(record.ended_at.is_some());
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
        let ended = one.job(job).await.unwrap();
        over.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(one.job(job).await.unwrap(), ended, "something was written after the end");
        gapless(&one, job).await;
        recount(&one, job).await;
    }
}
