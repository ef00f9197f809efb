//! The disk of store, artifacts and output is full for a while.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::bench::{Bench, Wanted};
use super::{Options, books};

/// How large the disk is.
const SIZE: &str = "size=32m";

/// How long it is full: once not as long as the workers are patient with a store, once longer.
const FULL: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(50)];

/// How many orders each worker may have at the vendor.
const CALLS: u32 = 6;

/// A small disk in memory, as long as this lives.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Needs the right to mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    /// Takes all the room there is; it is free again when the file is removed.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0.path()).status().ok();
    }
}

pub(crate) async fn run(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    for everything in [true, false] {
        let Some(disk) = Disk::mount() else {
            println!("skipped: a small disk can only be mounted by root");
            return problems;
        };
        let path = disk.0.path();
        let wanted = Wanted {
            store: if everything { "sqlite".to_owned() } else { format!("sqlite:{}/pipeline.db", path.display()) },
            latency: Duration::from_millis(300),
            calls: CALLS,
            fails: None,
            place: everything.then(|| path.join("data")),
            ..Wanted::of(options)
        };
        println!("on the disk: {}", if everything { "records, artifacts and output" } else { "the records" });
        let bench = Bench::start(wanted).await;
        problems.extend(fill_twice(options, &bench, &disk, everything).await);
    }
    problems
}

async fn fill_twice(options: &Options, bench: &Bench, disk: &Disk, everything: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let items = options.items.min(150);
    let Some(job) = bench.submit(0, (items, 2), None).await else { return vec!["not submitted".to_owned()] };
    let planned = u64::from(items * 2);
    let mut workers = vec![bench.worker(&["--concurrency", "6"]), bench.worker(&["--concurrency", "6"])];
    let done = async || bench.watcher.job(job).await.unwrap().counts.succeeded;
    let charged = async || bench.vendor.statement().await.unwrap().charges;
    for (round, full) in FULL.into_iter().enumerate() {
        let waited = Instant::now();
        while done().await < planned * (round as u64 * 5 + 1) / 10 && waited.elapsed() < Duration::from_mins(2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let before = (charged().await, done().await);
        let filled = Instant::now();
        let mut ballast = disk.fill();
        while filled.elapsed() < full {
            tokio::time::sleep(Duration::from_millis(200)).await;
            // Whatever somebody gave back is taken again.
            ballast = disk.fill();
        }
        let after = (charged().await, done().await);
        println!(
            "full for {:.0} s after {} items: {} calls charged and {} items done meanwhile",
            full.as_secs_f64(),
            before.1,
            after.0 - before.0,
            after.1 - before.1
        );
        // What was in flight; records go on for a while in the room that the log of the store has already.
        if everything && after.0 - before.0 > 2 * u64::from(CALLS) {
            problems.push(format!("{} calls were charged while the disk was full", after.0 - before.0));
        }
        std::fs::remove_file(ballast).unwrap();
    }
    let freed = Instant::now();
    while bench.open_jobs().await > 0 && freed.elapsed() < Duration::from_mins(3) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("the rest done in {:.0} s", freed.elapsed().as_secs_f64());
    for worker in &mut workers {
        if let Some(status) = worker.try_wait().unwrap() {
            problems.push(format!("a worker ended by itself: {status}"));
        }
        worker.kill().await.ok();
    }
    problems.extend(books::check(bench, &[job], 0).await);
    problems.extend(books::all_succeeded(bench, &[job]).await);
    let (tries, crashes) = books::extra_tries(bench, job).await;
    println!("{tries} tries beyond the first, {crashes} crashes counted");
    if tries > 0 {
        problems.push(format!("{tries} tries were spent on a full disk"));
    }
    problems
}
