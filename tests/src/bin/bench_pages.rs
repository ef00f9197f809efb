//! Measures pages of jobs and of items. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-pages [-- --jobs N --items N --big N --postgres]`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench talks to a person and stops at the first fault")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use pipeline::core::ErrorKind;
use pipeline::core::executor::{Decision, ItemMachine, Retry, StageState, Stop};
use pipeline::core::id::JobId;
use pipeline::core::model::{Failure, FailureCode, ItemStatus, JobStatus};
use pipeline::core::storage::{ItemQuery, JobCursor, JobOrder, JobQuery, NewItem, NewJob, Reviewer, Ruling, Store};
use pipeline::store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Synchronous};
use pipeline_testkit::cluster::Cluster;
use pipeline_testkit::conformance::fixture::{SteppedClock, machine, new_item, new_job};

/// How often each page is read.
const TIMES: usize = 60;

/// How many rows a page has.
const PAGE: u32 = 50;

/// Measures pages of jobs and of items.
#[derive(Parser)]
struct Options {
    /// How many jobs
    #[arg(long, default_value_t = 1_000)]
    jobs: u32,
    /// How many items, over all jobs
    #[arg(long, default_value_t = 1_000_000)]
    items: u32,
    /// How many of them one job has; the others share the rest
    #[arg(long, default_value_t = 200_000)]
    big: u32,
    /// Measure a throwaway PostgreSQL server instead of a SQLite file
    #[arg(long)]
    postgres: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir().unwrap();
    let clock = SteppedClock::new();
    let cluster = options.postgres.then(Cluster::start_volatile);
    let store: Arc<dyn Store> = match &cluster {
        Some(cluster) => {
            let url = cluster.create_database().await;
            let options = PostgresOptions { clock: Some(clock.clone()), ..PostgresOptions::default() };
            Arc::new(PostgresStore::connect_with(&url, options).await.unwrap())
        }
        None => {
            let options =
                SqliteOptions { synchronous: Synchronous::Normal, clock: clock.clone(), ..SqliteOptions::default() };
            Arc::new(SqliteStore::open_with(folder.path().join("jobs.db"), options).await.unwrap())
        }
    };
    let began = Instant::now();
    let big = fill(store.as_ref(), &clock, &options).await;
    println!("{} jobs with {} items stored in {:.1} s", options.jobs, options.items, began.elapsed().as_secs_f64());
    println!("{:<44} {:>6} {:>9} {:>9} {:>9}", "page", "rows", "p50 ms", "p95 ms", "max ms");
    jobs(store.as_ref(), &options).await;
    items(store.as_ref(), big, options.big).await;
}

async fn jobs(store: &dyn Store, options: &Options) {
    let page = || JobQuery { limit: PAGE, ..JobQuery::default() };
    let text = |text: &str| Some(text.to_owned());
    let mut pages = vec![("jobs".to_owned(), page())];
    for order in ["created", "-ended", "-priority", "label", "-cost"] {
        let order: JobOrder = order.parse().unwrap();
        pages.push((format!("jobs by {order}"), JobQuery { order, ..page() }));
        let all = store.jobs(JobQuery { order, limit: options.jobs, ..JobQuery::default() }).await.unwrap();
        let late = all.get(all.len() * 9 / 10).unwrap();
        let after = Some(JobCursor::of(late, order));
        pages.push((format!("jobs by {order}, nine tenths down"), JobQuery { order, after, ..page() }));
    }
    let failed = vec![JobStatus::Failed, JobStatus::CompletedWithFailures];
    let early = store.jobs(JobQuery { order: "created".parse().unwrap(), ..page() }).await.unwrap();
    let until = early.last().map(|job| job.created_at);
    pages.push(("jobs that failed".to_owned(), JobQuery { statuses: failed, ..page() }));
    pages.push(("jobs in the queue".to_owned(), JobQuery { statuses: vec![JobStatus::Queued], ..page() }));
    pages.push(("jobs of an owner".to_owned(), JobQuery { owner: text("owner 3"), ..page() }));
    pages.push(("jobs of a pipeline".to_owned(), JobQuery { pipeline: text("pipeline 4"), ..page() }));
    pages.push(("jobs whose label begins".to_owned(), JobQuery { label_prefix: text("label 07"), ..page() }));
    pages.push(("jobs of an early time".to_owned(), JobQuery { until, ..page() }));
    pages.push(("jobs with retries".to_owned(), JobQuery { retried: Some(true), ..page() }));
    for (name, query) in pages {
        measure(&name, || async { store.jobs(query.clone()).await.unwrap().len() }).await;
    }
}

async fn items(store: &dyn Store, job: JobId, count: u32) {
    let page = || ItemQuery { limit: PAGE, ..ItemQuery::of(job) };
    let timeout = Some(FailureCode::Port(ErrorKind::Timeout));
    let deep = Some((count / 10 * 9, 0));
    let of = |status: ItemStatus| ItemQuery { statuses: vec![status], ..page() };
    let pages = [
        ("items of the big job", page()),
        ("… nine tenths down", ItemQuery { after: deep, ..page() }),
        ("items that succeeded", of(ItemStatus::Succeeded)),
        ("… nine tenths down", ItemQuery { after: deep, ..of(ItemStatus::Succeeded) }),
        ("items that failed", of(ItemStatus::Failed)),
        ("… nine tenths down", ItemQuery { after: deep, ..of(ItemStatus::Failed) }),
        ("items that are pending, at the end", of(ItemStatus::Pending)),
        ("items that run: none", of(ItemStatus::Running)),
        (
            "items not good",
            ItemQuery {
                statuses: vec![ItemStatus::Rejected, ItemStatus::Undecided, ItemStatus::Failed],
                after: deep,
                ..page()
            },
        ),
        ("items of a code", ItemQuery { code: timeout, after: deep, ..page() }),
        ("items of a code that is rare", ItemQuery { code: Some(FailureCode::CrashLoop), ..page() }),
        ("items of a stage", ItemQuery { stage: Some(1), after: deep, ..page() }),
        ("items of a code and a stage", ItemQuery { stage: Some(0), code: timeout, after: deep, ..page() }),
        ("items of a round", ItemQuery { round: Some(2), after: deep, ..page() }),
    ];
    for (name, query) in pages {
        measure(name, || async { store.items(query.clone()).await.unwrap().len() }).await;
    }
}

async fn measure<F: Future<Output = usize>>(name: &str, read: impl Fn() -> F) {
    let mut took = Vec::with_capacity(TIMES);
    let mut rows = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        rows = read().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let ms = |place: usize| took.get(place).map_or(0.0, |took| took.as_secs_f64() * 1_000.0);
    println!("{name:<44} {rows:>6} {:>9.2} {:>9.2} {:>9.2}", ms(TIMES / 2), ms(TIMES * 95 / 100), ms(TIMES - 1));
}

/// Fills a store, and returns the job that has most of the items. They are stored as they would be at the end.
async fn fill(store: &dyn Store, clock: &SteppedClock, options: &Options) -> JobId {
    let share = (options.items - options.big) / (options.jobs - 1).max(1);
    let mut big = None;
    for number in 0..options.jobs {
        clock.advance(Duration::from_secs(1));
        let is_big = number == options.jobs / 2;
        let count = if is_big { options.big } else { share };
        let mut job = NewJob {
            label: format!("label {:03}", number * 7 % options.jobs),
            owner: format!("owner {}", number % 10),
            priority: i32::try_from(number % 5).unwrap(),
            ..new_job()
        };
        job.plan.plan.pipeline = format!("pipeline {}", number % 7);
        // Most jobs have ended; the big one has not.
        let open = is_big || number % 10 == 0;
        let items: Vec<NewItem> =
            (0..count).map(|ordinal| item(ordinal, open && ordinal >= count / 100 * 95)).collect();
        big = big.or(Some(job.id).filter(|_| is_big));
        let (id, first) = (job.id, items.first().cloned());
        store.submit(job, items).await.unwrap();
        if let Some(first) = first.filter(|_| number % 40 == 7) {
            retried(store, id, &first).await;
        }
    }
    big.unwrap()
}

/// Records that a person has retried an item.
async fn retried(store: &dyn Store, job: JobId, item: &NewItem) {
    let ruling = Ruling {
        job,
        item: item.id,
        expected: item.machine.clone(),
        machine: item.machine.clone(),
        status: item.status,
        claimable_at: None,
        unit: None,
        gate: None,
        decision: Decision::Retry(Retry::default()),
        events: Vec::new(),
    };
    store.rule(Reviewer { actor: "bench".to_owned(), reason: None }, vec![ruling]).await.unwrap();
}

/// Of a hundred items ninety succeeded, and the others ended in other ways; one of them in its second round.
fn item(ordinal: u32, open: bool) -> NewItem {
    let mut item = new_item(ordinal);
    if open {
        return item;
    }
    let done = StageState::Done { result: pipeline::core::id::ResultId::from_uuid(item.id.as_uuid()) };
    let failed = |code| Stop::Failed { failure: Failure::permanent(code, "no answer in time") };
    let timeout = FailureCode::Port(ErrorKind::Timeout);
    let (status, last) = match ordinal % 100 {
        0..=3 => (ItemStatus::Rejected, Some(Stop::Rejected)),
        4..=6 => (ItemStatus::Failed, Some(failed(timeout))),
        7 => (ItemStatus::Undecided, Some(Stop::Undecided { failure: None })),
        8 if ordinal % 50_000 == 8 => (ItemStatus::Failed, Some(failed(FailureCode::CrashLoop))),
        _ => (ItemStatus::Succeeded, None),
    };
    let last = last.map_or(done.clone(), |stop| StageState::Stopped { stop, result: None });
    item.machine = machine(item.id, 1, &[done, last]);
    item.machine = ItemMachine { round: if ordinal % 100 == 9 { 2 } else { 1 }, ..item.machine };
    item.status = status;
    item
}
