//! `kill-loop`: kills the real program again and again while it spends money, and checks that nothing was lost or paid
//! twice. `cargo build --release --workspace --bins`, then
//! `cargo run --release -p pipeline-testkit --bin kill-loop -- --kills 500`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test program talks to a person and stops at the first fault"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::core::id::JobId;
use pipeline::core::model::ItemStatus;
use pipeline::core::storage::{CallQuery, CallState, ItemQuery, JobQuery, Store};
use pipeline::store::{PostgresStore, SqliteStore};
use pipeline_testkit::cluster::Cluster;
use pipeline_testkit::vendor::VendorProgram;
use tokio::process::{Child, Command};

const USAGE: &str = "kill-loop [--kills N] [--store URL] [--vendor idempotent|resumable|plain] [--workers N] [--seed N]
  --store S     sqlite (a fresh file, the default), postgres (a throwaway server), or the postgres:// URL of an empty
                database";

#[derive(Clone, Debug)]
struct Options {
    kills: u32,
    store: Option<String>,
    vendor: String,
    workers: usize,
    seed: u64,
}

/// A small generator: the order of events depends on the machine anyway; only the delays are drawn.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What every command of the program is started with.
struct Bench {
    home: PathBuf,
    out: PathBuf,
    store: String,
}

impl Bench {
    fn command(&self, arguments: &[&str]) -> Command {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new(own.with_file_name(format!("pipeline{}", std::env::consts::EXE_SUFFIX)));
        command.arg("--home").arg(&self.home).arg("--store").arg(&self.store).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn worker(&self) -> Child {
        let mut command = self.command(&["worker", "--concurrency", "6", "--poll", "50"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the worker starts")
    }

    /// Submits a job; when the program is killed in the middle, only an id that was printed counts as acknowledged.
    async fn submit(&self, number: u32, keywords: &Path, kill_after: Option<Duration>) -> Option<JobId> {
        let (label, out) = (format!("job-{number}"), self.out.join(format!("{number}")));
        let mut child = self
            .command(&["submit", "factory", "--count", "6", "--label", &label, "-o", "json", "-i"])
            .arg(keywords)
            .arg("--out")
            .arg(out)
            .args(["--set", "generate.provider=studio", "--set", "generate.sizes=64x64"])
            .args([
                "--set",
                "generate.variations=2",
                "--set",
                "qc.enabled=false",
                "--set",
                "generate.timeout_seconds=5",
            ])
            .spawn()
            .expect("submit starts");
        if let Some(after) = kill_after {
            tokio::time::sleep(after).await;
            child.start_kill().ok();
        }
        let output = child.wait_with_output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let id = serde_json::from_str::<serde_json::Value>(text.trim()).ok()?.get("id")?.as_str()?.parse().ok();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(id.is_some() || kill_after.is_some(), "submit: {said}");
        id
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options { kills: 100, store: None, vendor: "idempotent".to_owned(), workers: 2, seed: 0 };
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let value = given.next();
        let number = |value: &Option<String>| value.as_ref().and_then(|text| text.parse::<u64>().ok());
        match (option.as_str(), &value) {
            ("--kills", _) if number(&value).is_some() => options.kills = number(&value).unwrap_or(0) as u32,
            ("--workers", _) if number(&value).is_some() => options.workers = number(&value).unwrap_or(1) as usize,
            ("--seed", _) if number(&value).is_some() => options.seed = number(&value).unwrap_or(0),
            ("--store", Some(url)) => options.store = Some(url.clone()),
            ("--vendor", Some(kind)) if ["idempotent", "resumable", "plain"].contains(&kind.as_str()) => {
                options.vendor.clone_from(kind);
            }
            _ => {
                eprintln!("{option} {}: not understood\n{USAGE}", value.unwrap_or_default());
                return ExitCode::from(2);
            }
        }
    }
    if options.seed == 0 {
        options.seed = u64::from(std::process::id()) * 2_654_435_761 + 1;
    }
    let problems = run(&options).await;
    for problem in &problems {
        println!("VIOLATION: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(options: &Options) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let log = folder.path().join("sales.log");
    let terms = match options.vendor.as_str() {
        "idempotent" => "--idempotent ",
        _ => "",
    };
    let program = own.with_file_name(format!("fake-vendor{}", std::env::consts::EXE_SUFFIX));
    let arguments = format!("{terms}--latency-ms 60 --fail-every 37 --log {}", log.display());
    let vendor = VendorProgram::start(program, &arguments).await.expect("the vendor starts");
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut cluster = None;
    let store = match options.store.as_deref() {
        None | Some("sqlite") => format!("sqlite:{}", home.join("pipeline.db").display()),
        Some("postgres") => {
            let started = Cluster::start();
            let url = started.create_database().await;
            cluster = Some(started);
            url
        }
        Some(url) => url.to_owned(),
    };
    let bench = Bench { home: home.clone(), out: folder.path().join("out"), store: store.clone() };
    let mode = if options.vendor == "resumable" { "task" } else { "direct" };
    let providers = format!(
        "[providers.studio]\nkind = \"http\"\nurl = \"{}\"\nmode = \"{mode}\"\nidempotent = {}\nprice = 0.04\n\
         max_per_call = 4\npoll_seconds = 0.02\nlimits = {{ concurrency = 6 }}\n",
        vendor.url(),
        options.vendor == "idempotent"
    );
    std::fs::write(home.join("providers.toml"), providers).unwrap();
    let keywords = folder.path().join("keywords.txt");
    std::fs::write(&keywords, "misty mountains\nglass garden\nautumn forest\n").unwrap();

    println!(
        "seed {}, {} kills, {} workers, vendor {}, store {store}",
        options.seed, options.kills, options.workers, options.vendor
    );
    let mut draw = Draw(options.seed);
    let start = Instant::now();
    let mut acknowledged: Vec<JobId> = Vec::new();
    let (mut number, mut killed_submits) = (0_u32, 0_u32);
    for _ in 0..3 {
        acknowledged.extend(bench.submit(number, &keywords, None).await);
        number += 1;
    }
    let watcher = open(&store, &home).await;
    let mut workers: Vec<Child> = (0..options.workers).map(|_| bench.worker()).collect();
    for kill in 0..options.kills {
        tokio::time::sleep(Duration::from_millis(5 + draw.below(495))).await;
        let victim = draw.below(workers.len() as u64) as usize;
        let worker = workers.get_mut(victim).expect("the victim is one of them");
        worker.kill().await.ok();
        *worker = bench.worker();
        if kill % 4 == 0 && open_jobs(watcher.as_ref()).await < 4 {
            // Every second submit is killed, too.
            let after = (draw.below(2) == 0).then(|| Duration::from_millis(draw.below(60)));
            killed_submits += u32::from(after.is_some());
            acknowledged.extend(bench.submit(number, &keywords, after).await);
            number += 1;
        }
    }
    for mut worker in workers {
        worker.kill().await.ok();
    }
    let killed = start.elapsed();
    let last = bench.command(&["worker", "--drain", "--poll", "50"]).output();
    let drained = tokio::time::timeout(Duration::from_mins(5), last).await.expect("the rest is done in time").unwrap();
    if !drained.status.success() {
        eprintln!("the last worker: {}\n{}", drained.status, String::from_utf8_lossy(&drained.stderr));
    }
    println!(
        "{} kills of workers and {killed_submits} of submits in {:.0} s, the rest done in {:.0} s",
        options.kills,
        killed.as_secs_f64(),
        start.elapsed().saturating_sub(killed).as_secs_f64()
    );
    let problems = check(options, &bench, watcher.as_ref(), &acknowledged, &vendor).await;
    drop(cluster);
    problems
}

async fn open(url: &str, home: &Path) -> Arc<dyn Store> {
    if url.starts_with("postgres") {
        Arc::new(PostgresStore::connect(url).await.expect("the database answers"))
    } else {
        Arc::new(SqliteStore::open(home.join("pipeline.db")).await.expect("the file opens"))
    }
}

async fn open_jobs(store: &dyn Store) -> usize {
    let jobs = store.jobs(JobQuery { limit: 50, ..JobQuery::default() }).await.unwrap();
    jobs.iter().filter(|job| !job.status.is_terminal()).count()
}

/// Compares what the store, the vendor and the folders say.
async fn check(
    options: &Options,
    bench: &Bench,
    store: &dyn Store,
    acknowledged: &[JobId],
    vendor: &VendorProgram,
) -> Vec<String> {
    let mut problems = Vec::new();
    let jobs = store.jobs(JobQuery { limit: 10_000, ..JobQuery::default() }).await.unwrap();
    let known: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    problems.extend(acknowledged.iter().filter(|id| !known.contains(id)).map(|id| format!("job {id} is lost")));
    let (mut succeeded, mut held, mut failed, mut published) = (0, 0, 0, BTreeSet::new());
    for job in &jobs {
        let waits = job.counts.waiting;
        held += waits;
        succeeded += job.counts.succeeded;
        failed += job.counts.failed;
        if !job.status.is_terminal() && waits == 0 {
            problems.push(format!("job {} has not ended: {:?}", job.id, job.counts));
        }
        if waits > 0 && !may_hold(options, store, job.id).await {
            problems.push(format!("job {} holds items although its calls can be gone on with", job.id));
        }
        if !job.counts.reconciles() {
            problems.push(format!("job {}: the counts do not add up: {:?}", job.id, job.counts));
        }
        let mut after = None;
        loop {
            let query = ItemQuery { statuses: vec![ItemStatus::Succeeded], after, limit: 500, ..ItemQuery::of(job.id) };
            let items = store.items(query).await.unwrap();
            let Some(last) = items.last() else { break };
            after = Some((last.ordinal, last.slot));
            for item in &items {
                for result in store.history(item.id).await.unwrap() {
                    published.extend(result.fields.get("path").and_then(|path| path.as_str()).map(PathBuf::from));
                }
            }
        }
    }
    let calls = store.calls(CallQuery { limit: 1_000_000, ..CallQuery::default() }).await.unwrap();
    let count = |state| calls.iter().filter(|call| call.state == state).count() as u64;
    let (answered, unknown, open) = (count(CallState::Succeeded), count(CallState::Unknown), count(CallState::Open));
    let statement = vendor.statement().await.unwrap();
    println!(
        "jobs {} (acknowledged {}), items succeeded {succeeded} failed {failed} held {held}; calls answered {answered} \
         unknown {unknown} open {open} failed {}; vendor charged {} for {} requests, the same twice {}",
        jobs.len(),
        acknowledged.len(),
        count(CallState::Failed),
        statement.charges,
        statement.requests,
        statement.repeated,
    );
    if statement.repeated > 0 {
        problems.push(format!("{} charges were for what had been charged before", statement.repeated));
    }
    if open > 0 {
        problems.push(format!("{open} calls are open although everybody has ended"));
    }
    if unknown > u64::from(options.kills) {
        problems.push(format!("{unknown} calls are unknown after {} kills", options.kills));
    }
    if options.vendor == "idempotent" && unknown > 0 && failed == 0 {
        problems.push(format!("{unknown} calls are unknown although none of their items has ended badly"));
    }
    // An unknown call was perhaps charged: it was in flight at the kill that ended its items as a crash loop.
    if statement.charges < answered || statement.charges > answered + unknown {
        problems.push(format!(
            "the vendor charged {}, the ledger has {answered} to {}",
            statement.charges,
            answered + unknown
        ));
    }
    let found = files(&bench.out);
    problems.extend(found.difference(&published).map(|path| format!("a stray file: {}", path.display())));
    problems.extend(published.difference(&found).map(|path| format!("a file is missing: {}", path.display())));
    let parts = files(&bench.home.join("artifacts"));
    let left = parts.iter().filter(|path| path.extension().is_some());
    println!("files {} published {}, artifacts {}", found.len(), published.len(), parts.len());
    problems.extend(left.map(|path| format!("a half-written artifact: {}", path.display())));
    problems
}

/// Tells whether a job has a call that nobody can go on with: sent by a process that was killed before it heard of a task.
async fn may_hold(options: &Options, store: &dyn Store, job: JobId) -> bool {
    let query = CallQuery { job: Some(job), states: vec![CallState::Unknown], limit: 10_000, ..CallQuery::default() };
    let unknown = store.calls(query).await.unwrap();
    match options.vendor.as_str() {
        "plain" => !unknown.is_empty(),
        "resumable" => unknown.iter().any(|call| call.external_id.is_none()),
        _ => false,
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.extend([path]) }
    }
    found
}
