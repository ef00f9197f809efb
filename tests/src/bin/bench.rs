//! Measures what the project promises about speed and memory; run it with
//! `cargo run --release -p pipeline-testkit --bin bench [-- NAME…]`, after `cargo build --release`.
//!
//! Every figure stands beside a peer measured in the same run, and beside what was predicted. Processor time and
//! memory are read from `/proc`, so they are figures of Linux only.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench talks to a person and stops at the first fault"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::core::pipeline::StageSpec;
use pipeline::core::settings::{SettingsSchema, StageSettings};
use pipeline::core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|known| known == name);
    println!("{:<34} {:>14} {:>14} {:>26}", "what", "predicted", "measured", "peer");
    if wanted("help") {
        help();
    }
    if wanted("overhead") {
        overhead();
    }
    if wanted("enhance") {
        enhance();
    }
    if wanted("factory") {
        factory();
    }
}

fn row(what: &str, predicted: &str, measured: &str, peer: &str) {
    println!("{what:<34} {predicted:>14} {measured:>14} {peer:>26}");
}

/// What a process used.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    wall: Duration,
    cpu: Duration,
    peak_mb: f64,
}

/// Runs a command to its end and watches it.
fn watch(command: &mut Command) -> Used {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let mut used = Used::default();
    while child.try_wait().unwrap().is_none() {
        used.cpu = cpu(&process).unwrap_or(used.cpu);
        used.peak_mb = peak_mb(&process).unwrap_or(used.peak_mb);
        std::thread::sleep(Duration::from_millis(2));
    }
    used.wall = start.elapsed();
    used
}

fn cpu(process: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(process.join("stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux counts in hundredths of a second on every platform it exports this file on.
    Some(Duration::from_millis(ticks * 10))
}

fn peak_mb(process: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(process.join("status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.with_file_name("pipeline")
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn help() {
    let ours = median((0..15).map(|_| watch(Command::new(program()).arg("--help")).wall).collect());
    let peer = median((0..15).map(|_| watch(Command::new("git").arg("--version")).wall).collect());
    row("--help, wall", "< 30 ms", &format!("{:.1} ms", ms(ours)), &format!("git --version {:.1} ms", ms(peer)));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoSettings {}

impl StageSettings for NoSettings {}

#[derive(Debug)]
struct NoOp;

#[async_trait]
impl Stage for NoOp {
    fn spec(&self) -> StageSpec {
        StageSpec::new("bench.noop", "Does nothing", SettingsSchema::of::<NoSettings>()).self_contained()
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd, Error> {
        Ok(Output::new().into())
    }
}

const FIVE: &str = "name = 'five'\n[stages.s]\nkind = 'source.keywords'\n\
    [stages.a]\nkind = 'bench.noop'\nneeds = ['s']\n[stages.b]\nkind = 'bench.noop'\nneeds = ['a']\n\
    [stages.c]\nkind = 'bench.noop'\nneeds = ['b']\n[stages.d]\nkind = 'bench.noop'\nneeds = ['c']\n";

fn overhead() {
    let items = 2500_u32;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sqlite = runtime.block_on(async {
        let home = tempfile::tempdir().unwrap();
        five(items, SqliteStore::open(home.path().join("jobs.db")).await.unwrap()).await
    });
    let memory = runtime.block_on(five(items, MemoryStore::new()));
    let each = |used: Duration| format!("{:.3} ms", ms(used) / f64::from(items));
    row("five no-op stages, cpu an item", "< 0.3 ms", &each(sqlite.cpu), &format!("memory store {}", each(memory.cpu)));
    row("five no-op stages, wall an item", "1 ms", &each(sqlite.wall), &format!("memory store {}", each(memory.wall)));
}

async fn five(items: u32, store: impl pipeline::core::storage::Store) -> Used {
    let engine = pipeline::local_engine()
        .stage(NoOp)
        .store(store)
        .artifacts(Artifacts::memory())
        .concurrency(64)
        .build()
        .unwrap();
    let request = JobRequest::toml("five", FIVE).keywords(["x"]).count(items);
    let job = engine.submit(request).await.unwrap();
    let (start, before) = (Instant::now(), cpu(Path::new("/proc/self")).unwrap_or_default());
    engine.run_until_idle().await.unwrap();
    let used = Used {
        wall: start.elapsed(),
        cpu: cpu(Path::new("/proc/self")).unwrap_or_default().saturating_sub(before),
        peak_mb: 0.0,
    };
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, u64::from(items));
    used
}

fn enhance() {
    let home = tempfile::tempdir().unwrap();
    let photos = home.path().join("photos");
    let keywords = home.path().join("keywords.txt");
    std::fs::write(&keywords, "mountain lake\nautumn forest\nocean wind\nglass garden\n").unwrap();
    let made = watch(
        Command::new(program())
            .args(["--home", &text(&home.path().join("a")), "run", "factory", "-i", &text(&keywords), "--count", "64"])
            .args(["--set", "generate.sizes=1632x1224", "--set", "qc.enabled=false", "--set", "process.format=jpeg"])
            .args(["--set", "publish.name=photo-{{ n }}", "--out", &text(&photos)]),
    );
    assert_eq!(std::fs::read_dir(&photos).unwrap().count(), 64, "{made:?}");
    let few = home.path().join("few");
    std::fs::create_dir(&few).unwrap();
    for entry in std::fs::read_dir(&photos).unwrap().take(16) {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), few.join(entry.file_name())).unwrap();
    }
    let run = |folder: &Path, name: &str| {
        let (home, out) = (text(&home.path().join(name)), text(&home.path().join(format!("{name}-out"))));
        watch(Command::new(program()).args(["--home", &home, "run", "enhance", "-i", &text(folder), "--out", &out]))
    };
    let (small, large) = (run(&few, "b"), run(&photos, "c"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let busy = large.cpu.as_secs_f64() / large.wall.as_secs_f64() / cores * 100.0;
    row("enhance 64 x 2 Mpx, cores busy", "> 90 %", &format!("{busy:.0} %"), "");
    row("enhance 64 x 2 Mpx, wall", "15 s", &format!("{:.1} s", large.wall.as_secs_f64()), "");
    row(
        "enhance 64 x 2 Mpx, peak memory",
        "< 300 MB",
        &format!("{:.0} MB", large.peak_mb),
        &format!("16 photos {:.0} MB", small.peak_mb),
    );
}

fn factory() {
    let home = tempfile::tempdir().unwrap();
    let keywords = home.path().join("keywords.txt");
    std::fs::write(&keywords, "mountain lake\nautumn forest\nocean wind\nglass garden\n").unwrap();
    let run = |count: &str, variations: &str, name: &str| {
        let (home, out) = (text(&home.path().join(name)), text(&home.path().join(format!("{name}-out"))));
        watch(
            Command::new(program())
                .args(["--home", &home, "run", "factory", "-i", &text(&keywords), "--count", count, "--out", &out])
                .args(["--set", &format!("generate.variations={variations}"), "--set", "generate.sizes=128x128"])
                .args(["--set", "qc.min_side=64", "--set", "qc.reject_duplicates=false"]),
        )
    };
    let (small, large) = (run("25", "4", "small"), run("2500", "4", "large"));
    row(
        "factory 10 000 images, peak memory",
        "as 100 images",
        &format!("{:.0} MB", large.peak_mb),
        &format!("100 images {:.0} MB", small.peak_mb),
    );
    row("factory 10 000 images, wall", "", &format!("{:.0} s", large.wall.as_secs_f64()), "");
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
