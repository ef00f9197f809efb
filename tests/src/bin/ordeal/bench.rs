//! The folder, the store and the vendor of an ordeal, and how the program is started in it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use pipeline::core::id::JobId;
use pipeline::core::storage::{JobQuery, Store};
use pipeline::store::{PostgresStore, SqliteStore};
use pipeline_testkit::cluster::Cluster;
use pipeline_testkit::vendor::VendorProgram;
use tokio::process::{Child, Command};

use super::Options;

/// What an ordeal is made of.
pub(crate) struct Wanted {
    /// `sqlite`, `postgres` (a throwaway server), or the address of an empty database.
    pub(crate) store: String,
    /// `idempotent`, `resumable` or `plain`.
    pub(crate) vendor: String,
    /// How long the vendor takes for an order.
    pub(crate) latency: Duration,
    /// How many calls the vendor is asked at once.
    pub(crate) calls: u32,
    /// The vendor fails every so many requests.
    pub(crate) fails: Option<u32>,
    /// Where home and output are, instead of beside the rest.
    pub(crate) place: Option<PathBuf>,
}

impl Wanted {
    /// A usual vendor of the kind and a store as asked for.
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            store: options.store.clone(),
            vendor: options.vendor.clone(),
            latency: Duration::from_millis(60),
            calls: 6,
            fails: Some(37),
            place: None,
        }
    }
}

/// Everything an ordeal happens to.
pub(crate) struct Bench {
    pub(crate) home: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) store: String,
    /// Reads what the program writes.
    pub(crate) watcher: Arc<dyn Store>,
    pub(crate) vendor: VendorProgram,
    pub(crate) vendor_kind: String,
    pub(crate) cluster: Option<Cluster>,
    /// Variables the program is started with.
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) keywords: PathBuf,
    pub(crate) folder: tempfile::TempDir,
    calls: u32,
}

impl Bench {
    /// Starts the vendor and the store.
    pub(crate) async fn start(wanted: Wanted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("sales.log");
        let terms = if wanted.vendor == "idempotent" { "--idempotent " } else { "" };
        let latency = wanted.latency.as_millis();
        let fails = wanted.fails.map(|every| format!("--fail-every {every} ")).unwrap_or_default();
        let arguments = format!("{terms}{fails}--latency-ms {latency} --log {}", log.display());
        let vendor = VendorProgram::start(program("fake-vendor"), &arguments).await.expect("the vendor starts");
        let place = wanted.place.unwrap_or_else(|| folder.path().to_path_buf());
        let (home, out) = (place.join("home"), place.join("out"));
        std::fs::create_dir_all(&home).unwrap();
        let mut cluster = None;
        let store = match wanted.store.as_str() {
            "sqlite" => format!("sqlite:{}", home.join("pipeline.db").display()),
            "postgres" => {
                let started = Cluster::start();
                let url = started.create_database().await;
                cluster = Some(started);
                url
            }
            url => url.to_owned(),
        };
        let keywords = folder.path().join("keywords.txt");
        std::fs::write(&keywords, "misty mountains\nglass garden\nautumn forest\n").unwrap();
        let watcher = open(&store).await;
        let bench = Self {
            home,
            out,
            store,
            watcher,
            vendor,
            vendor_kind: wanted.vendor,
            cluster,
            variables: Vec::new(),
            keywords,
            folder,
            calls: wanted.calls,
        };
        bench.buy_at(&bench.vendor.url());
        bench
    }

    /// Writes down at which address the vendor sells.
    pub(crate) fn buy_at(&self, url: &str) {
        let mode = if self.vendor_kind == "resumable" { "task" } else { "direct" };
        let providers = format!(
            "[providers.studio]\nkind = \"http\"\nurl = \"{url}\"\nmode = \"{mode}\"\nidempotent = {}\nprice = 0.04\n\
             max_per_call = 4\npoll_seconds = 0.02\nlimits = {{ concurrency = {} }}\n",
            self.vendor_kind == "idempotent",
            self.calls
        );
        std::fs::write(self.home.join("providers.toml"), providers).unwrap();
    }

    /// Makes a command of the program.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("pipeline"));
        command.arg("--home").arg(&self.home).arg("--store").arg(&self.store).args(arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts a worker; what it says is kept.
    pub(crate) fn worker(&self, more: &[&str]) -> Child {
        let mut command = self.command(&["worker", "--poll", "50"]);
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        command.args(more).stdout(Stdio::null()).stderr(log).spawn().expect("the worker starts")
    }

    /// Returns the last lines of what the workers have said.
    pub(crate) fn said(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("workers.log")
    }

    /// Submits a job of `count` items with `variations` pictures each; when the program is killed in the middle, only an
    /// id that was printed counts as acknowledged.
    pub(crate) async fn submit(
        &self,
        number: u32,
        (count, variations): (u32, u32),
        kill_after: Option<Duration>,
    ) -> Option<JobId> {
        let (label, out) = (format!("job-{number}"), self.out.join(format!("{number}")));
        let mut command = self.command(&["submit", "factory", "--label", &label, "-o", "json", "-i"]);
        command.arg(&self.keywords).arg("--out").arg(out).args(["--count", &count.to_string()]);
        for setting in [
            "generate.provider=studio",
            "generate.sizes=64x64",
            &format!("generate.variations={variations}"),
            "generate.timeout_seconds=5",
            "qc.enabled=false",
            &format!("job.max_items={}", (count * variations).max(100)),
        ] {
            command.args(["--set", setting]);
        }
        let mut child = command.spawn().expect("submit starts");
        if let Some(after) = kill_after {
            tokio::time::sleep(after).await;
            child.start_kill().ok();
        }
        let output = child.wait_with_output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let printed = serde_json::from_str::<serde_json::Value>(text.trim()).unwrap_or_default();
        let id = printed.get("id").and_then(|id| id.as_str()?.parse().ok());
        if id.is_none() && kill_after.is_none() {
            println!("not submitted: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        id
    }

    /// Has one worker do what is left.
    pub(crate) async fn drain(&self) {
        let last = self.command(&["worker", "--drain", "--poll", "50"]).output();
        let drained = tokio::time::timeout(Duration::from_mins(8), last).await.expect("the rest is done in time");
        let drained = drained.unwrap();
        if !drained.status.success() {
            eprintln!("the last worker: {}\n{}", drained.status, String::from_utf8_lossy(&drained.stderr));
        }
    }

    /// Counts the jobs that have not ended.
    pub(crate) async fn open_jobs(&self) -> usize {
        let jobs = loop {
            match self.watcher.jobs(JobQuery { limit: 50, ..JobQuery::default() }).await {
                Ok(jobs) => break jobs,
                // The store is away.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        jobs.iter().filter(|job| !job.status.is_terminal()).count()
    }
}

/// A program that was built beside this one.
fn program(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

async fn open(url: &str) -> Arc<dyn Store> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Arc::new(SqliteStore::open(path).await.expect("the file opens")),
        None => Arc::new(PostgresStore::connect(url).await.expect("the database answers")),
    }
}
