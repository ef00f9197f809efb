//! What is peculiar to the PostgreSQL store: several processes, lost servers, poisoned connections, what errors show.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod hints;
mod races;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline_core::ErrorKind;
use pipeline_core::error::{Error, Retryability, chain};
use pipeline_core::id::{EventSeq, ItemId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus, JobStatus, Limits};
use pipeline_core::storage::{
    ClaimRequest, Claimed, Commit, CommitReply, EventBody, EventLog, GateKeeper, GateKey, GatePass, ItemQuery,
    ItemStore, JobStore, NewCall, NewItem, NewSession, Store, WorkQueue,
};
use pipeline_store::{PostgresOptions, PostgresStore};
use pipeline_testkit::cluster::Cluster;
use pipeline_testkit::conformance::fixture::{
    ending, expanding, holding, new_call, new_item, new_job, releasing, uuid,
};
use pipeline_testkit::conformance::old::{stop, stopped};
use sqlx::Executor as _;

/// The number of the newest migration.
const SCHEMA: i64 = 13;

/// Returns the address of a fresh database on the server these tests share.
async fn database() -> Option<String> {
    Some(Cluster::shared()?.create_database().await)
}

/// Starts a server for one test alone, and returns it with the address of a fresh database.
async fn server(start: impl FnOnce() -> Cluster) -> Option<(Cluster, String)> {
    let cluster = Cluster::require().then(start)?;
    let url = cluster.create_database().await;
    Some((cluster, url))
}

/// Opens the store with a small pool.
async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect_with(url, small()).await.unwrap()
}

fn small() -> PostgresOptions {
    PostgresOptions { connections: 4, acquire_timeout: Duration::from_mins(1), ..PostgresOptions::default() }
}

async fn submit(store: &PostgresStore, count: u32) -> (JobId, Vec<ItemId>) {
    let (job, items) = (new_job(), (0..count).map(new_item).collect::<Vec<_>>());
    let (id, ids) = (job.id, items.iter().map(|item| item.id).collect());
    store.submit(job, items).await.unwrap();
    (id, ids)
}

async fn session_of(store: &PostgresStore, lease: Duration) -> SessionId {
    let id = SessionId::from_uuid(uuid());
    let new = NewSession { id, host: "here".to_owned(), pid: std::process::id(), lease, focus: None };
    store.open_session(new).await.unwrap();
    id
}

async fn session(store: &PostgresStore) -> SessionId {
    // An hour: nothing here may depend on a lease running out.
    session_of(store, Duration::from_secs(3_600)).await
}

async fn claim(store: &PostgresStore, session: SessionId, limit: u32) -> Vec<Claimed> {
    let claims = store.claim(ClaimRequest { session, limit, job: None }).await.unwrap();
    claims.units.into_iter().flatten().collect()
}

async fn finish(store: &PostgresStore, worker: SessionId, claimed: &[Claimed], status: ItemStatus) {
    let commits = claimed.iter().map(|claimed| ending(claimed, status)).collect();
    let replies = store.commit(worker, commits).await.unwrap();
    assert!(replies.iter().all(|reply| *reply == CommitReply::Applied), "{replies:?}");
}

/// Asserts that the events of a job are 1, 2, 3, …, that `Finished` is there once and last, and returns how many.
async fn gapless(store: &PostgresStore, job: JobId) -> usize {
    let events = store.events(job, EventSeq::START, 100_000).await.unwrap();
    let expected: Vec<i64> = (1..=i64::try_from(events.len()).unwrap()).collect();
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), expected);
    let finished = |body: &EventBody| matches!(body, EventBody::Finished { .. });
    assert_eq!(events.iter().filter(|event| finished(&event.body)).count(), 1, "{job}");
    assert!(finished(&events.last().unwrap().body));
    events.len()
}

/// Recounts a job from its items and compares with what its record says.
async fn recount(store: &PostgresStore, job: JobId) {
    let record = store.job(job).await.unwrap();
    let items = store.items(ItemQuery { limit: 1_000_000, ..ItemQuery::of(job) }).await.unwrap();
    for status in ItemStatus::ALL {
        let leaves: u64 =
            items.iter().filter(|item| item.status == *status).map(|item| u64::from(item.machine.leaves)).sum();
        assert_eq!(record.counts.of(*status), leaves, "{status} of {job}");
    }
    let steps: u64 = items.iter().map(|item| u64::from(item.machine.leaves) * u64::from(item.machine.steps())).sum();
    assert_eq!(record.steps_done, steps);
    assert!(record.counts.reconciles());
}

#[tokio::test]
async fn everything_is_still_there_after_closing_and_opening() {
    let Some(url) = database().await else { return };
    let store = PostgresStore::connect(&url).await.unwrap();
    let (job, items) = submit(&store, 3).await;
    let worker = session(&store).await;
    finish(&store, worker, &claim(&store, worker, 2).await, ItemStatus::Succeeded).await;
    let (record, item, history) =
        (store.job(job).await.unwrap(), store.item(items[0]).await.unwrap(), store.history(items[0]).await.unwrap());
    store.close().await;
    assert_eq!(store.job(job).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let store = open(&url).await;
    assert_eq!(store.job(job).await.unwrap(), record);
    assert_eq!(store.item(items[0]).await.unwrap(), item);
    assert_eq!(store.history(items[0]).await.unwrap(), history);
    let info = store.info();
    assert_eq!((info.backend.as_str(), info.schema, info.durable), ("postgres", SCHEMA, true));
    assert!(info.engine.starts_with("PostgreSQL 1"), "{info:?}");
    // The time is the database's.
    let told = store.now().await.unwrap();
    let here = pipeline_core::time::Clock::now(&pipeline_store::SystemClock);
    assert!(told.since(here) < Duration::from_secs(5) && here.since(told) < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_database_share_the_work_and_lose_nothing() {
    let Some(url) = database().await else { return };
    let first = open(&url).await;
    let (job, items) = submit(&first, 600).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let store = open(&url).await;
        for _ in 0..2 {
            let store = store.clone();
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                let mut done = Vec::new();
                loop {
                    let request = ClaimRequest { session: worker, limit: 7, job: None };
                    let claims = store.claim(request).await.unwrap();
                    let claimed: Vec<Claimed> = claims.units.into_iter().flatten().collect();
                    if claimed.is_empty() && claims.next_at.is_none() {
                        break done;
                    }
                    done.extend(claimed.iter().map(|claimed| claimed.item.id));
                    finish(&store, worker, &claimed, ItemStatus::Succeeded).await;
                }
            }));
        }
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    assert_eq!(done.len(), 600, "an item was handed out twice or never");
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>(), items.into_iter().collect());
    let record = first.job(job).await.unwrap();
    assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 600));
    assert_eq!(gapless(&first, job).await, 602);
    recount(&first, job).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_commits_that_end_the_last_items_at_once_exactly_one_ends_the_job() {
    let Some(url) = database().await else { return };
    let (one, two) = (open(&url).await, open(&url).await);
    let (of_one, of_two) = (session(&one).await, session(&two).await);
    for round in 0..60 {
        // Some rounds with several jobs, which the two commits have in common.
        let jobs = 1 + round % 3;
        let mut ids = Vec::new();
        for _ in 0..jobs {
            ids.push(submit(&one, 2).await.0);
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for job in &ids {
            for (store, worker, to) in [(&one, of_one, &mut left), (&two, of_two, &mut right)] {
                let request = ClaimRequest { session: worker, limit: 1, job: Some(*job) };
                to.extend(store.claim(request).await.unwrap().units.into_iter().flatten());
            }
        }
        right.reverse();
        let ended = |claimed: &[Claimed]| {
            claimed.iter().map(|claimed| ending(claimed, ItemStatus::Succeeded)).collect::<Vec<Commit>>()
        };
        let (left, right) = (ended(&left), ended(&right));
        assert_eq!((left.len(), right.len()), (ids.len(), ids.len()));
        let (a, b) = {
            let (one, two) = (one.clone(), two.clone());
            let a = tokio::spawn(async move { one.commit(of_one, left).await });
            let b = tokio::spawn(async move { two.commit(of_two, right).await });
            (a.await.unwrap().unwrap(), b.await.unwrap().unwrap())
        };
        assert!(a.iter().chain(&b).all(|reply| *reply == CommitReply::Applied));
        for job in ids {
            let record = one.job(job).await.unwrap();
            assert_eq!((record.status, record.counts.succeeded), (JobStatus::Completed, 2), "round {round}");
            assert_eq!(gapless(&one, job).await, 4);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_in_the_midst_of_claims_and_commits_leaves_nothing_open() {
    let Some(url) = database().await else { return };
    let (one, two) = (open(&url).await, open(&url).await);
    for round in 0..12_u64 {
        let (job, _) = submit(&one, 120).await;
        let mut workers = Vec::new();
        for store in [one.clone(), two.clone()] {
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                // Gives back, waits, expands and ends items, until nothing is left.
                for turn in 0.. {
                    let claimed = claim(&store, worker, 9).await;
                    if claimed.is_empty() && store.job(job).await.unwrap().ended_at.is_some() {
                        break;
                    }
                    let now = store.now().await.unwrap();
                    let commits = claimed.iter().enumerate().map(|(index, claimed)| match (turn + index) % 5 {
                        0 => releasing(claimed, Some(now.after(Duration::from_millis(2)))),
                        1 => releasing(claimed, Some(now)),
                        2 if claimed.item.parent.is_none() => expanding(claimed, 1),
                        _ => ending(claimed, ItemStatus::Succeeded),
                    });
                    store.commit(worker, commits.collect()).await.unwrap();
                    if turn == 3 {
                        // One that dies holding something.
                        let doomed = session(&store).await;
                        claim(&store, doomed, 5).await;
                        store.close_session(doomed).await.unwrap();
                    }
                }
            }));
        }
        tokio::time::sleep(Duration::from_millis(round * 6)).await;
        match one.control(job, Control::Cancel).await {
            Ok(record) => assert_eq!(record.control, Control::Cancel),
            // It had ended before.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
        for worker in workers {
            tokio::time::timeout(Duration::from_secs(30), worker).await.unwrap().unwrap();
        }
        let record = one.job(job).await.unwrap();
        assert_eq!((record.counts.open(), record.counts.planned), (0, 120), "{record:?}");
        assert!(matches!(record.status, JobStatus::Cancelled | JobStatus::Completed), "{record:?}");
        gapless(&one, job).await;
        recount(&one, job).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_at_once_never_tear_a_unit_apart() {
    let Some(url) = database().await else { return };
    let (one, two) = (open(&url).await, open(&url).await);
    for _ in 0..6 {
        let units: Vec<ItemId> = (0..40).map(|_| ItemId::from_uuid(uuid())).collect();
        let items = (0..200_u32).map(|ordinal| {
            let mut item = new_item(ordinal);
            // Woven into each other; every tenth is on its own.
            item.unit = (ordinal % 10 != 0).then(|| units[(ordinal % 40) as usize]);
            item
        });
        one.submit(new_job(), items.collect()).await.unwrap();
        let mut workers = Vec::new();
        for store in [one.clone(), two.clone(), one.clone(), two.clone()] {
            workers.push(tokio::spawn(async move {
                let worker = session(&store).await;
                let mut sizes = Vec::new();
                loop {
                    let request = ClaimRequest { session: worker, limit: 3, job: None };
                    let claims = store.claim(request).await.unwrap();
                    assert!(claims.units.len() <= 3);
                    if claims.units.is_empty() && claims.next_at.is_none() {
                        break sizes;
                    }
                    sizes.extend(claims.units.iter().map(Vec::len));
                    let claimed: Vec<Claimed> = claims.units.into_iter().flatten().collect();
                    finish(&store, worker, &claimed, ItemStatus::Succeeded).await;
                }
            }));
        }
        let mut sizes = Vec::new();
        for worker in workers {
            sizes.extend(worker.await.unwrap());
        }
        sizes.sort_unstable();
        assert_eq!(sizes, [vec![1; 20], vec![5; 36]].concat());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_claim_is_made_for_a_session_while_it_is_buried() {
    let Some(url) = database().await else { return };
    let (one, two) = (open(&url).await, open(&url).await);
    let (job, _) = submit(&one, 50).await;
    for _ in 0..30 {
        let brief = session_of(&one, Duration::from_millis(3)).await;
        let undertaker = two.clone();
        let burying = tokio::spawn(async move {
            for _ in 0..10 {
                undertaker.sessions(None).await.unwrap();
            }
        });
        for _ in 0..10 {
            match one.claim(ClaimRequest { session: brief, limit: 2, job: None }).await {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                    break;
                }
            }
        }
        burying.await.unwrap();
        one.close_session(brief).await.unwrap();
        assert_eq!(one.job(job).await.unwrap().counts.pending, 50, "the dead hold something");
    }
    recount(&one, job).await;
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_poison_the_pool() {
    let Some(url) = database().await else { return };
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    for polls in 0..150 {
        let (job, items) = (new_job(), vec![new_item(0), new_item(1)]);
        let (id, item) = (job.id, items[0].id);
        {
            let mut submitting = std::pin::pin!(store.submit(job, items));
            for _ in 0..polls % 30 {
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
        assert_eq!(store.job(id).await.is_ok(), polls % 30 > 0);
    }
}

#[tokio::test]
async fn a_transaction_that_was_forgotten_ends_before_the_next_borrower() {
    let Some(url) = database().await else { return };
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    // The store's own tasks are cancelled only with their runtime; this is what that would leave behind.
    for _ in 0..50 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clone = store.clone();
        let handle = std::thread::spawn(move || {
            runtime.block_on(async {
                let submitting = clone.submit(new_job(), vec![new_item(0)]);
                let _ = tokio::time::timeout(Duration::from_micros(700), submitting).await;
            });
            runtime.shutdown_background();
        });
        tokio::task::spawn_blocking(move || handle.join().unwrap()).await.unwrap();
        submit(&store, 1).await;
    }
    let begun = Instant::now();
    while Cluster::shared().unwrap().idles_in_transaction(&url).await {
        assert!(begun.elapsed() < Duration::from_mins(1), "a transaction was left open");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_stores_may_open_a_new_database_at_once() {
    let Some(url) = database().await else { return };
    let url = Arc::new(url);
    let opening = (0..8).map(|_| {
        let url = Arc::clone(&url);
        tokio::spawn(async move { open(&url).await.info().schema })
    });
    for opened in opening.collect::<Vec<_>>() {
        assert_eq!(opened.await.unwrap(), SCHEMA);
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let Some(url) = database().await else { return };
    open(&url).await.close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    pool.execute("INSERT INTO pipeline.schema_migrations VALUES (99, 'later', 0)").await.unwrap();
    pool.close().await;
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    for word in ["newer version", "99", "postgres://postgres@localhost"] {
        assert!(error.to_string().contains(word), "no {word}: {error}");
    }
}

#[tokio::test]
async fn a_process_that_ended_between_two_migrations_is_gone_on_for() {
    let Some(url) = database().await else { return };
    let store = open(&url).await;
    let (job, _) = submit(&store, 2).await;
    let (old, items) = submit(&store, 3).await;
    stop(&store, old).await;
    store.close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let before = "DROP TABLE pipeline.deliveries, pipeline.hook_lanes, pipeline.hooks; \
                  ALTER TABLE pipeline.jobs DROP COLUMN deleted; DROP INDEX pipeline.names_job; \
                  DROP TABLE pipeline.reviews, pipeline.revisions, pipeline.budgets; DROP INDEX pipeline.jobs_owner; \
                  ALTER TABLE pipeline.calls DROP COLUMN resolution, DROP COLUMN model, DROP COLUMN prompt; \
                  ALTER TABLE pipeline.results DROP COLUMN reused; DROP INDEX pipeline.calls_request; DROP INDEX pipeline.jobs_ended; \
                  DROP INDEX pipeline.jobs_created, pipeline.jobs_ended_order, pipeline.jobs_priority, \
                  pipeline.jobs_label_order, pipeline.jobs_status, pipeline.jobs_of_owner, pipeline.jobs_of_pipeline, \
                  pipeline.jobs_of_parent; ALTER TABLE pipeline.items DROP COLUMN stage, DROP COLUMN code, \
                  DROP COLUMN round; DROP INDEX IF EXISTS pipeline.items_ended; \
                  DROP TABLE pipeline.saved, pipeline.schedules, pipeline.logs; \
                  DELETE FROM pipeline.schema_migrations WHERE number > 3";
    pool.execute(before).await.unwrap();
    let store = open(&url).await;
    assert_eq!((store.info().schema, store.job(job).await.unwrap().counts.pending), (SCHEMA, 2));
    stopped(&store, old, &items).await;
    let made: bool =
        sqlx::query_scalar("SELECT to_regclass('pipeline.jobs_ended') IS NOT NULL").fetch_one(&pool).await.unwrap();
    assert!(made);
}

#[tokio::test]
async fn an_interrupted_migration_leaves_nothing_and_is_made_up_for() {
    let Some(url) = database().await else { return };
    // A table in the way lets the migration fail near its end.
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    pool.execute("CREATE SCHEMA pipeline; CREATE TABLE pipeline.names (a int)").await.unwrap();
    assert!(PostgresStore::connect(&url).await.is_err());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'pipeline'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 1, "half of a migration was left");
    pool.execute("DROP TABLE pipeline.names").await.unwrap();
    pool.close().await;
    let store = open(&url).await;
    submit(&store, 1).await;
}

#[tokio::test]
async fn two_schemas_of_one_database_know_nothing_of_each_other() {
    let Some(url) = database().await else { return };
    let one = open(&url).await;
    let two =
        PostgresStore::connect_with(&url, PostgresOptions { schema: "other".to_owned(), ..small() }).await.unwrap();
    let (job, _) = submit(&one, 1).await;
    assert_eq!(two.job(job).await.unwrap_err().kind(), ErrorKind::NotFound);
    let options = PostgresOptions { schema: "no; such".to_owned(), ..small() };
    let error = PostgresStore::connect_with(&url, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

fn assert_secret(error: &Error) {
    for text in [error.to_string(), format!("{error:?}"), chain(error)] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn no_error_and_no_description_shows_the_password() {
    let Some(url) = database().await else { return };
    let cluster = Cluster::shared().unwrap();
    cluster.administer("CREATE ROLE guest LOGIN PASSWORD 'other'").await;
    let name = url.split("localhost/").nth(1).unwrap().split('?').next().unwrap();
    let with = |user: &str, database: &str| {
        url.replace("postgres@", user).replace(&format!("/{name}?"), &format!("/{database}?"))
    };
    // Trust asks for no password, so the store opens; it is not told.
    let store = open(&with("postgres:hunter2@", name)).await;
    assert!(!store.info().location.contains("hunter2") && !format!("{store:?}").contains("hunter2"));
    assert!(store.info().location.starts_with("postgres://postgres@localhost"), "{}", store.info().location);
    for (url, kind) in [
        (with("postgres:hunter2@", "nowhere"), ErrorKind::NotFound),
        (with("stranger:hunter2@", name), ErrorKind::Unauthorized),
        // It may log in, but not look into the schema.
        (with("guest:hunter2@", name), ErrorKind::Unauthorized),
    ] {
        let error = PostgresStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_secret(&error);
    }
    for wrong in ["postgres://me:hunter2@127.0.0.1:1/jobs", "postgres://me:hunter2@no.invalid/jobs"] {
        let options = PostgresOptions { acquire_timeout: Duration::from_secs(3), ..small() };
        let error = PostgresStore::connect_with(wrong, options).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retryability()),
            (ErrorKind::Unavailable, Retryability::Transient),
            "{error:?}"
        );
        assert_secret(&error);
    }
    assert_secret(&PostgresStore::connect("postgres://me:hunter2@host:port/jobs").await.unwrap_err());
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_told_by_nobody() {
    if !Cluster::require() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The server is another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let rules = folder.path().join("hba.conf");
    std::fs::write(&rules, "local all postgres trust\nlocal all all scram-sha-256\n").unwrap();
    let settings = format!("-c fsync=off -c hba_file={}", rules.display());
    let Some((cluster, url)) = server(|| Cluster::start_with(&settings)).await else { return };
    cluster.administer("CREATE ROLE worker LOGIN SUPERUSER PASSWORD 'right'").await;
    let with = |user: &str| url.replace("postgres@", user);
    open(&with("worker:right@")).await.close().await;
    for user in ["worker:hunter2@", "worker@", "nobody:hunter2@"] {
        // One that is tried again would be `Unavailable` in the end.
        let error = PostgresStore::connect(&with(user)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        let text = chain(&error);
        assert!(text.contains("user or password") && text.contains("@localhost") && !text.contains("line"), "{text}");
        assert!(!text.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_and_not_waited_for() {
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = PostgresOptions { acquire_timeout: Duration::from_millis(200), ..small() };
    let url = format!("postgres://me:hunter2@127.0.0.1:{port}/jobs");
    let error = PostgresStore::connect_with(&url, options).await.unwrap_err();
    assert_eq!((error.kind(), error.retryability()), (ErrorKind::Unavailable, Retryability::Transient), "{error:?}");
    let text = chain(&error);
    assert!(text.contains(&format!("postgres://me@127.0.0.1:{port}/jobs")) && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_server_that_ends_loses_nothing_it_acknowledged() {
    let Some((cluster, url)) = server(Cluster::start).await else { return };
    let store = open(&url).await;
    // Opened while there is time for it.
    let hasty = PostgresOptions { acquire_timeout: Duration::from_secs(2), ..small() };
    let hasty = PostgresStore::connect_with(&url, hasty).await.unwrap();
    let (job, items) = submit(&store, 6).await;
    let worker = session(&store).await;
    let claimed = claim(&store, worker, 4).await;
    assert!(store.heartbeat(worker, Duration::from_secs(3_600)).await.unwrap().alive);
    finish(&store, worker, &claimed[..2], ItemStatus::Succeeded).await;

    // Connections that were closed from the other side are replaced, and nobody notices.
    cluster.terminate_backends().await;
    assert_eq!(store.job(job).await.unwrap().counts.succeeded, 2);
    assert!(store.heartbeat(worker, Duration::from_secs(3_600)).await.unwrap().alive);
    finish(&store, worker, &claimed[2..3], ItemStatus::Succeeded).await;

    cluster.kill();
    for error in [
        hasty.job(job).await.unwrap_err(),
        hasty.commit(worker, vec![holding(&claimed[3])]).await.unwrap_err(),
        hasty.heartbeat(worker, Duration::from_secs(3_600)).await.unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.retryability()),
            (ErrorKind::Unavailable, Retryability::Transient),
            "{error:?}"
        );
    }
    cluster.resume();
    let record = store.job(job).await.unwrap();
    assert_eq!(record.counts.succeeded, 3, "an acknowledged commit was lost");
    assert!(store.heartbeat(worker, Duration::from_secs(3_600)).await.unwrap().alive);
    // The claim need not have survived; if it has not, its commit is refused, and the item is claimed anew.
    let reply = store.commit(worker, vec![ending(&claimed[3], ItemStatus::Succeeded)]).await.unwrap();
    let again = claim(&store, worker, 10).await;
    let left = if reply == [CommitReply::Applied] { 2 } else { 3 };
    assert_eq!(again.len(), left);
    finish(&store, worker, &again, ItemStatus::Succeeded).await;
    assert_eq!(store.job(job).await.unwrap().status, JobStatus::Completed);
    assert_eq!(gapless(&store, job).await, 8);
    assert_eq!(items.len(), 6);
}

#[tokio::test]
async fn a_heart_on_a_thread_of_its_own_does_not_wait_behind_work() {
    let Some(url) = database().await else { return };
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    let worker = session_of(&store, Duration::from_secs(30)).await;
    submit(&store, 1).await;
    let held = claim(&store, worker, 1).await;
    // The only connection of the pool waits for a lock.
    let blocker = sqlx::PgPool::connect(&url).await.unwrap();
    let mut lock = blocker.begin().await.unwrap();
    lock.execute("LOCK TABLE pipeline.results").await.unwrap();
    let busy = store.clone();
    let committing = tokio::spawn(async move { busy.commit(worker, vec![ending(&held[0], ItemStatus::Failed)]).await });
    while !Cluster::shared().unwrap().waits_for_lock(&url).await {
        tokio::task::yield_now().await;
    }
    // And this runtime is kept from running anything meanwhile.
    let beating = store.clone();
    let beats = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let begun = Instant::now();
        for _ in 0..3 {
            assert!(runtime.block_on(beating.heartbeat(worker, Duration::from_secs(30))).unwrap().alive);
        }
        begun.elapsed()
    });
    let took = beats.join().unwrap();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!committing.is_finished());
    // The thread and its runtime are gone; another one beats on.
    assert!(store.heartbeat(worker, Duration::from_secs(30)).await.unwrap().alive);
    lock.rollback().await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), [CommitReply::Applied]);
}

#[tokio::test]
async fn releases_put_no_warning_into_the_log() {
    let Some((cluster, url)) = server(Cluster::start_volatile).await else { return };
    let store = open(&url).await;
    let worker = session(&store).await;
    submit(&store, 3).await;
    finish(&store, worker, &claim(&store, worker, 3).await, ItemStatus::Succeeded).await;
    store.close().await;
    assert!(!cluster.log().contains("WARNING"), "{}", cluster.log());
}

/// Claims and ends every item in batches of `batch`, and returns how long that took.
async fn drain(store: &PostgresStore, worker: SessionId, batch: u32) -> Duration {
    let begun = Instant::now();
    loop {
        let claimed = claim(store, worker, batch).await;
        if claimed.is_empty() {
            return begun.elapsed();
        }
        finish(store, worker, &claimed, ItemStatus::Succeeded).await;
    }
}

#[tokio::test]
async fn an_item_costs_the_same_in_a_large_job_as_in_a_small_one() {
    let Some(url) = database().await else { return };
    let store = open(&url).await;
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
async fn hot_statements_go_by_their_index_and_read_no_more_than_they_need() {
    // One in earnest: entries of taken items are passed by only once their commit is on the disk.
    let Some((_cluster, url)) = server(Cluster::start).await else { return };
    let store = open(&url).await;
    let worker = session(&store).await;
    // Plans are made while the tables are small, and have to do when they are not.
    submit(&store, 50).await;
    drain(&store, worker, 20).await;
    let (parked, _) = submit(&store, 500).await;
    let held = claim(&store, worker, 500).await;
    let later = store.now().await.unwrap().after(Duration::from_secs(3_600));
    let commits = held.iter().enumerate().map(|(index, claimed)| releasing(claimed, (index % 2 == 0).then_some(later)));
    store.commit(worker, commits.collect()).await.unwrap();
    // What is due at a closed gate, or at one without room, is not walked over either.
    let gate = |name, limits| GatePass { key: GateKey::provider(name), limits };
    for pass in [gate("closed", Limits::default()), gate("full", Limits { concurrency: Some(1), per_minute: None })] {
        let gated = |ordinal| NewItem { gate: Some(pass.key.clone()), ..new_item(ordinal) };
        store.submit(new_job(), (0..2_000).map(gated).collect()).await.unwrap();
        let held = claim(&store, worker, 1).await;
        let call = NewCall { gate: Some(pass.clone()), ..new_call(held[0].item.job, &[held[0].item.id]) };
        let intent = Commit { gate: Some(pass.key.clone()), calls: vec![call], ..holding(&held[0]) };
        assert_eq!(store.commit(worker, vec![intent]).await.unwrap(), [CommitReply::Applied]);
        if pass.limits == Limits::default() {
            store.close_gate(pass.key, Duration::from_secs(3_600), "rest").await.unwrap();
        }
    }
    let (job, items) = submit(&store, 3_000).await;
    drain(&store, worker, 20).await;
    assert_eq!(store.job(job).await.unwrap().status, JobStatus::Completed);
    store.item(items[7]).await.unwrap();
    store.history(items[7]).await.unwrap();
    assert_eq!(store.job(parked).await.unwrap().counts.open(), 500);
    store.heartbeat(worker, Duration::from_secs(3_600)).await.unwrap();
    store.close().await;
    // The server tells its statistics with a delay.
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let begun = Instant::now();
    let (scans, walked) = loop {
        let (written, scans, walked): (i64, String, i64) = sqlx::query_as(
            "SELECT (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'results')::bigint, \
             (SELECT coalesce(string_agg(relname, ' '), '') FROM pg_stat_user_tables WHERE seq_tup_read > 0 \
             AND relname IN ('jobs', 'items', 'item_inputs', 'results', 'events', 'turns')), \
             (SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'items_due')::bigint",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if written >= 3_050 {
            break (scans, walked);
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "the server tells nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(scans, "", "scanned from end to end");
    assert!(walked < 40_000, "claims walked over {walked} entries of their index for 3550 items");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn measure_claims_and_commits() {
    for settings in ["", "-c fsync=off"] {
        let cluster = Cluster::start_with(settings);
        let store = PostgresStore::connect(&cluster.create_database().await).await.unwrap();
        let worker = session(&store).await;
        submit(&store, 1_000).await;
        drain(&store, worker, 64).await;
        for (count, batch) in [(20_000, 64), (20_000, 256), (2_000, 1)] {
            let begun = Instant::now();
            submit(&store, count).await;
            let submitted = begun.elapsed();
            let took = drain(&store, worker, batch).await;
            println!(
                "{settings:?}: submit of {count} items {submitted:?}; drain in batches of {batch}: {took:?}, {:.0} items/s",
                f64::from(count) / took.as_secs_f64()
            );
        }
        // As the engine does it: claims and commits side by side.
        submit(&store, 40_000).await;
        let begun = Instant::now();
        let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<Claimed>>(2);
        let claimer = store.clone();
        let claiming = tokio::spawn(async move {
            loop {
                let claimed = claim(&claimer, worker, 64).await;
                if claimed.is_empty() || send.send(claimed).await.is_err() {
                    return;
                }
            }
        });
        while let Some(claimed) = receive.recv().await {
            finish(&store, worker, &claimed, ItemStatus::Succeeded).await;
        }
        claiming.await.unwrap();
        println!("{settings:?}: side by side: {:.0} items/s", 40_000.0 / begun.elapsed().as_secs_f64());
    }
}
