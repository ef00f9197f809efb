//! What only a store in a file must do: survive, refuse what it cannot read, and share the file with other processes.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline_core::ErrorKind;
use pipeline_core::error::chain;
use pipeline_core::id::{EventSeq, ItemId, JobId, SessionId};
use pipeline_core::model::{ItemStatus, JobStatus};
use pipeline_core::storage::{
    ClaimRequest, Commit, CommitReply, EventLog, ItemStore, JobStore, NewSession, Steward, Store, WorkQueue,
};
use pipeline_store::{SqliteOptions, SqliteStore, Synchronous};
use pipeline_testkit::conformance::fixture::{LEASE, SteppedClock, ending, new_item, new_job, uuid};
use pipeline_testkit::conformance::old::{stop, stopped};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

/// The number of the newest migration.
const SCHEMA: i64 = 13;

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).await.unwrap()
}

async fn submit(store: &SqliteStore, count: u32) -> (JobId, Vec<ItemId>) {
    let (job, items) = (new_job(), (0..count).map(new_item).collect::<Vec<_>>());
    let (id, ids) = (job.id, items.iter().map(|item| item.id).collect());
    store.submit(job, items).await.unwrap();
    (id, ids)
}

async fn session(store: &SqliteStore) -> SessionId {
    // An hour: nothing here may depend on a lease running out.
    session_of(store, Duration::from_secs(3_600)).await
}

async fn session_of(store: &SqliteStore, lease: Duration) -> SessionId {
    let id = SessionId::from_uuid(uuid());
    let new = NewSession { id, host: "here".to_owned(), pid: std::process::id(), lease, focus: None };
    store.open_session(new).await.unwrap();
    id
}

async fn claim(store: &SqliteStore, session: SessionId, limit: u32) -> Vec<pipeline_core::storage::Claimed> {
    let claims = store.claim(ClaimRequest { session, limit, job: None }).await.unwrap();
    claims.units.into_iter().flatten().collect()
}

#[tokio::test]
async fn everything_is_still_there_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    assert_eq!(store.path(), path);
    let (job, items) = submit(&store, 3).await;
    let worker = session(&store).await;
    let claimed = claim(&store, worker, 2).await;
    let commits = claimed.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
    store.commit(worker, commits).await.unwrap();
    let (record, item, history) =
        (store.job(job).await.unwrap(), store.item(items[0]).await.unwrap(), store.history(items[0]).await.unwrap());
    store.close().await;
    drop(store);
    let store = open(&path).await;
    assert_eq!(store.job(job).await.unwrap(), record);
    assert_eq!(store.item(items[0]).await.unwrap(), item);
    assert_eq!(store.history(items[0]).await.unwrap(), history);
    assert_eq!(store.events(job, EventSeq::START, 10).await.unwrap().len(), 3);
    let info = store.info();
    assert_eq!((info.backend.as_str(), info.schema, info.durable), ("sqlite", SCHEMA, true));
    assert!(info.engine.starts_with("SQLite 3."), "{info:?}");
}

#[tokio::test]
async fn claims_of_a_store_that_vanished_are_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let (crashing, living) = (open(&path).await, open(&path).await);
    let (job, items) = submit(&crashing, 3).await;
    let (doomed, worker) = (session(&crashing).await, session(&living).await);
    let held = claim(&crashing, doomed, 2).await;
    assert_eq!(claim(&living, worker, 10).await.len(), 1, "a live store keeps its claims");
    assert_eq!(living.sessions(Some(job)).await.unwrap().len(), 2);
    drop(crashing);
    // The last connection of a dropped store closes in the background; its lock is gone at once.
    let taken = claim(&living, worker, 10).await;
    assert_eq!(taken.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), items[..2]);
    assert!(taken[0].token > held[0].token);
    assert_eq!(living.sessions(Some(job)).await.unwrap().len(), 1);
    assert_eq!(
        living.commit(doomed, vec![ending(&held[0], ItemStatus::Failed)]).await.unwrap(),
        [CommitReply::Superseded]
    );
    let left: Vec<_> = std::fs::read_dir(folder.path().join("jobs.db-sessions")).unwrap().collect();
    assert_eq!(left.len(), 1, "the lock file of the dead session is removed");
    living.close_session(worker).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("jobs.db-sessions")).unwrap().count(), 0);
}

#[tokio::test]
async fn claims_of_a_killed_process_are_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let (job, items) = submit(&store, 2).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_claims_and_hangs", "--ignored", "--nocapture"])
        .env("CLAIM_IN", &path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("claimed 2")), "the process did not claim");
    let worker = session(&store).await;
    assert!(claim(&store, worker, 10).await.is_empty(), "the other process lives");
    let sessions = store.sessions(Some(job)).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].pid), (1, child.id()), "it says who holds the job");
    child.kill().unwrap();
    child.wait().unwrap();
    let taken = claim(&store, worker, 10).await;
    assert_eq!(taken.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), items);
}

#[tokio::test]
#[ignore = "the other half of `claims_of_a_killed_process_are_free_at_once`"]
async fn a_process_that_claims_and_hangs() {
    let Some(path) = std::env::var_os("CLAIM_IN") else { return };
    let store = open(Path::new(&path)).await;
    let worker = session(&store).await;
    println!("claimed {}", claim(&store, worker, 10).await.len());
    std::future::pending::<()>().await;
}

/// Opens the same file twice, with one clock.
async fn two_with(clock: &Arc<SteppedClock>, folder: &Path) -> (SqliteStore, SqliteStore) {
    let (path, clock) = (folder.join("jobs.db"), Arc::clone(clock));
    let options = SqliteOptions { clock, ..SqliteOptions::default() };
    let one = SqliteStore::open_with(&path, options.clone()).await.unwrap();
    (one, SqliteStore::open_with(&path, options).await.unwrap())
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_ahead_ends_every_session_and_loses_no_work() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SteppedClock::new());
    let (one, two) = two_with(&clock, folder.path()).await;
    let (job, items) = submit(&one, 3).await;
    let (worker, other) = (session_of(&one, LEASE).await, session_of(&two, LEASE).await);
    let held = claim(&one, worker, 2).await;
    clock.advance(Duration::from_secs(3_600));
    // Its process lives and holds the lock, but nobody can tell a jump from an hour without a word.
    assert!(!one.heartbeat(worker, LEASE).await.unwrap().alive);
    let late = one.commit(worker, vec![ending(&held[0], ItemStatus::Succeeded)]).await.unwrap();
    assert_eq!(late, [CommitReply::Superseded]);
    assert!(two.sessions(None).await.unwrap().is_empty());
    assert!(!two.heartbeat(other, LEASE).await.unwrap().alive);
    assert_eq!(std::fs::read_dir(folder.path().join("jobs.db-sessions")).unwrap().count(), 0);
    let worker = session_of(&one, LEASE).await;
    let again = claim(&one, worker, 10).await;
    assert_eq!(again.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), items);
    assert!(one.heartbeat(worker, LEASE).await.unwrap().alive);
    let commits = again.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
    one.commit(worker, commits).await.unwrap();
    assert_eq!(two.job(job).await.unwrap().status, JobStatus::Completed);
}

#[tokio::test]
async fn a_clock_set_back_an_hour_ends_no_session_and_hides_no_dead_one() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SteppedClock::new());
    let (one, two) = two_with(&clock, folder.path()).await;
    let (_, items) = submit(&one, 3).await;
    let (doomed, worker) = (session_of(&one, LEASE).await, session_of(&two, LEASE).await);
    assert_eq!(claim(&one, doomed, 2).await.len(), 2);
    clock.set_back(Duration::from_secs(3_600));
    assert!(one.heartbeat(doomed, LEASE).await.unwrap().alive && two.heartbeat(worker, LEASE).await.unwrap().alive);
    assert_eq!(claim(&two, worker, 10).await.len(), 1, "what is due stays due");
    let until = two.now().await.unwrap().after(LEASE);
    assert!(two.sessions(None).await.unwrap().iter().all(|session| session.lease_until == until));
    drop(one);
    let taken = claim(&two, worker, 10).await;
    assert_eq!(taken.iter().map(|claimed| claimed.item.id).collect::<Vec<_>>(), items[..2]);
}

#[tokio::test]
async fn a_session_whose_lock_file_is_missing_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let (one, two) = (open(&path).await, open(&path).await);
    let gone = session(&one).await;
    assert_eq!(two.sessions(None).await.unwrap().len(), 1);
    std::fs::remove_file(folder.path().join(format!("jobs.db-sessions/{gone}.lock"))).unwrap();
    assert!(two.sessions(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    open(&path).await.close().await;
    alter(&path, "INSERT INTO schema_migrations VALUES (99, 'later', 0)").await;
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    for word in ["newer version", "99", "jobs.db"] {
        assert!(error.to_string().contains(word), "no {word}: {error}");
    }
}

/// Changes a store behind its back.
async fn alter(path: &Path, sql: &'static str) -> SqliteConnection {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection
}

#[tokio::test]
async fn a_store_of_an_older_version_is_brought_up_with_all_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let (job, _) = submit(&store, 2).await;
    let (old, items) = submit(&store, 3).await;
    stop(&store, old).await;
    store.close().await;
    let before = "DROP TRIGGER items_added; DROP TRIGGER items_changed; DROP TRIGGER items_removed; DROP TABLE counts; \
                  DROP INDEX items_place; CREATE INDEX items_place ON items (job, ordinal, slot) WHERE replaced = 0; \
                  CREATE INDEX items_count ON items (job, status, leaves, steps); DROP TABLE deliveries; DROP TABLE hook_lanes; DROP TABLE hooks; DROP INDEX jobs_deleted; DROP INDEX names_job; ALTER TABLE jobs DROP COLUMN deleted; \
                  DROP TABLE reviews; DROP TABLE revisions; DROP TABLE budgets; DROP INDEX jobs_owner; \
                  ALTER TABLE calls DROP COLUMN resolution; DROP INDEX calls_request; DROP INDEX results_reused; \
                  ALTER TABLE calls DROP COLUMN model; ALTER TABLE calls DROP COLUMN prompt; \
                  ALTER TABLE results DROP COLUMN reused; DROP INDEX jobs_ended; \
                  DROP INDEX jobs_created; DROP INDEX jobs_ended_order; DROP INDEX jobs_priority; \
                  DROP INDEX jobs_status; DROP INDEX jobs_of_owner; DROP INDEX jobs_of_pipeline; \
                  DROP INDEX jobs_of_parent; DROP INDEX items_listed; DROP INDEX items_stage; DROP INDEX items_code; \
                  DROP INDEX items_round; ALTER TABLE items DROP COLUMN stage; ALTER TABLE items DROP COLUMN code; \
                  ALTER TABLE items DROP COLUMN round; DROP TABLE saved; DROP TABLE schedules; \
                  DELETE FROM schema_migrations WHERE number > 3";
    alter(&path, before).await;
    let store = open(&path).await;
    assert_eq!((store.info().schema, store.job(job).await.unwrap().counts.pending), (SCHEMA, 2));
    stopped(&store, old, &items).await;
    store.close().await;
    let refused = SqliteConnection::connect(&format!("sqlite://{}", path.display()));
    let made = refused.await.unwrap().execute("CREATE INDEX jobs_ended ON jobs (ended_at)").await;
    assert!(made.unwrap_err().to_string().contains("already exists"));
}

#[tokio::test]
async fn counts_that_are_not_those_of_the_items_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let (job, _) = submit(&store, 3).await;
    assert!(store.audit(job).await.unwrap().breaches.is_empty());
    alter(&path, "UPDATE counts SET leaves = leaves + 1 WHERE status = 'pending'").await;
    let breaches = store.audit(job).await.unwrap().breaches;
    assert!(breaches.iter().any(|breach| breach.message.contains("counts")), "{breaches:?}");
}

#[tokio::test]
async fn whoever_only_looks_does_not_wait_for_another_process_that_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let (job, _) = submit(&open(&path).await, 1).await;
    let writing = alter(&path, "BEGIN IMMEDIATE; UPDATE jobs SET label = 'later'").await;
    let options = SqliteOptions { busy_timeout: Duration::from_millis(50), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    assert_eq!(store.job(job).await.unwrap().label, "bench");
    let error = store.submit(new_job(), Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("locked by another process"), "{error}");
    writing.close().await.unwrap();
    submit(&store, 1).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holiday.jpg");
    let content = "this is not a database ".repeat(500);
    std::fs::write(&path, &content).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(chain(&error).contains("holiday.jpg") && chain(&error).contains("not a SQLite database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = SqliteStore::open(folder.path().join("file/jobs.db")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unauthorized), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
    let error = SqliteStore::open(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_stores_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("jobs.db"));
    let opening = (0..8).map(|_| {
        let path = Arc::clone(&path);
        tokio::spawn(async move { open(&path).await.info().schema })
    });
    for opened in opening.collect::<Vec<_>>() {
        assert_eq!(opened.await.unwrap(), SCHEMA);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_share_the_work_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let options = SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() };
    let first = SqliteStore::open_with(&path, options.clone()).await.unwrap();
    let (job, items) = submit(&first, 300).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let store = SqliteStore::open_with(&path, options.clone()).await.unwrap();
        for _ in 0..2 {
            let store = store.clone();
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                let mut done = Vec::new();
                loop {
                    let claimed = claim(&store, worker, 7).await;
                    if claimed.is_empty() {
                        break done;
                    }
                    done.extend(claimed.iter().map(|claimed| claimed.item.id));
                    let commits = claimed.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
                    let replies = store.commit(worker, commits).await.unwrap();
                    assert!(replies.iter().all(|reply| *reply == CommitReply::Applied));
                }
            }));
        }
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    assert_eq!(done.len(), 300, "an item was handed out twice or never");
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>(), items.into_iter().collect());
    let record = first.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 300));
    let events = first.events(job, EventSeq::START, 1_000).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), (1..=302).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_break_the_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("jobs.db")).await;
    for polls in 0..20 {
        let (job, items) = (new_job(), vec![new_item(0), new_item(1)]);
        let (id, item) = (job.id, items[0].id);
        {
            let mut submitting = std::pin::pin!(store.submit(job, items));
            for _ in 0..polls {
                let waker = std::task::Waker::noop();
                if submitting.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // Whole or not at all, and the next writer is not disturbed.
        submit(&store, 1).await;
        assert_eq!(store.job(id).await.is_ok(), store.item(item).await.is_ok());
        assert_eq!(store.job(id).await.is_ok(), polls > 0);
    }
}

/// Claims and ends every item of a job in batches of `batch`, and returns how long that took.
async fn drain(store: &SqliteStore, worker: SessionId, batch: u32) -> Duration {
    let begun = Instant::now();
    loop {
        let claimed = claim(store, worker, batch).await;
        if claimed.is_empty() {
            return begun.elapsed();
        }
        let commits: Vec<Commit> = claimed.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect();
        store.commit(worker, commits).await.unwrap();
    }
}

#[tokio::test]
async fn an_item_costs_the_same_in_a_large_job_as_in_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() };
    let store = SqliteStore::open_with(folder.path().join("jobs.db"), options).await.unwrap();
    let worker = session(&store).await;
    submit(&store, 200).await;
    drain(&store, worker, 20).await;
    let mut best = f64::INFINITY;
    // The machine is shared: the best of a few tries counts. What grew with the job would cost ten times as much.
    for _ in 0..5 {
        submit(&store, 200).await;
        let small = drain(&store, worker, 20).await / 200;
        submit(&store, 2_000).await;
        let large = drain(&store, worker, 20).await / 2_000;
        best = best.min(large.as_secs_f64() / small.as_secs_f64());
        if best < 4.0 {
            return;
        }
    }
    panic!("an item of the large job costs {best:.1} times as much");
}

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn measure_claims_and_commits() {
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let folder = tempfile::tempdir_in(std::env::var("MEASURE_IN").unwrap_or_else(|_| "/tmp".to_owned())).unwrap();
        let options = SqliteOptions { synchronous, ..SqliteOptions::default() };
        let store = SqliteStore::open_with(folder.path().join("jobs.db"), options).await.unwrap();
        let worker = session(&store).await;
        let (begun, cpu) = (Instant::now(), cpu_time());
        submit(&store, 10_000).await;
        println!(
            "{synchronous:?}: submit of 10000 items {:?}, cpu {:?}",
            begun.elapsed(),
            cpu_time().saturating_sub(cpu)
        );
        let cpu = cpu_time();
        let took = drain(&store, worker, 50).await;
        let used = cpu_time().saturating_sub(cpu);
        println!(
            "{synchronous:?}: drain of 10000 items in batches of 50: {took:?}, {:.0} items/s, cpu {:?} an item",
            10_000.0 / took.as_secs_f64(),
            used / 10_000
        );
    }
}

/// The processor time of this process, user and system, where `/proc` tells it.
fn cpu_time() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return Duration::ZERO };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
