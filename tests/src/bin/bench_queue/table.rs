//! The table: items through submit, claim and completion, and the same through the peers.

use std::process::Command;
use std::time::{Duration, Instant};

use pipeline::prelude::*;

use super::backend::{Backend, open};
use super::noop::{NoOp, PIPELINE};
use super::process::cpu;

/// What is measured: kind of store, name, durability.
const ROWS: [(&str, &str, &str); 4] = [
    ("memory", "pipeline, memory", "no"),
    ("normal", "pipeline, SQLite NORMAL", "survives the process, not the power"),
    ("full", "pipeline, SQLite FULL", "survives power failure (fsync)"),
    ("postgres", "pipeline, PostgreSQL", "survives power failure (fsync)"),
];

pub(crate) struct Table {
    pub(crate) items: u32,
    pub(crate) concurrency: u32,
    pub(crate) repeat: u32,
    pub(crate) only: Option<String>,
    pub(crate) peers: bool,
}

impl Table {
    pub(crate) async fn print(&self) {
        println!(
            "{:<28} {:<36} {:>12} {:>12} {:>12}",
            "engine", "durable when acknowledged", "enqueue/s", "process/s", "cpu us/item"
        );
        for _ in 0..self.repeat {
            for (kind, name, durable) in ROWS {
                if self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
                    && let Some(backend) = Backend::start(kind)
                {
                    self.row(name, durable, &backend.fresh().await).await;
                }
            }
            if self.peers && self.only.is_none() {
                self.peers().await;
            }
        }
    }

    async fn row(&self, name: &str, durable: &str, address: &str) {
        let engine = pipeline::local_engine()
            .source(NoOp::default())
            .shared_store(open(address).await)
            .artifacts(Artifacts::memory())
            .concurrency(self.concurrency)
            .build()
            .unwrap();
        let most = u64::from(self.items);
        let request = JobRequest::toml("noop", PIPELINE).count(self.items).set("job.max_items", most).unwrap();
        let start = Instant::now();
        let job = engine.submit(request).await.unwrap();
        let submitted = start.elapsed();
        let (start, before) = (Instant::now(), cpu());
        engine.run_until_idle().await.unwrap();
        let (ran, used) = (start.elapsed(), cpu().saturating_sub(before));
        assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, most);
        let rate = |took: Duration| f64::from(self.items) / took.as_secs_f64();
        println!(
            "{name:<28} {durable:<36} {:>12.0} {:>12.0} {:>12.1}",
            rate(submitted),
            rate(ran),
            used.as_secs_f64() * 1e6 / f64::from(self.items)
        );
    }

    async fn peers(&self) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        if !folder.join("node_modules").exists() {
            eprintln!("peers: skipped; `npm ci` in {} installs them", folder.display());
            return;
        }
        let backend = Backend::start("postgres");
        let mut node = Command::new("node");
        node.arg("peers.mjs").arg(self.items.to_string()).current_dir(&folder);
        if let Some(backend) = &backend {
            node.arg(backend.fresh().await);
        }
        run("node", &mut node);
        // A package of its own: its database driver cannot be linked beside this one's.
        let mut apalis = Command::new("cargo");
        apalis.args(["run", "--quiet", "--release", "--locked", "--"]).arg(self.items.to_string());
        run("apalis", apalis.current_dir(folder.join("apalis")));
    }
}

fn run(name: &str, command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("peers: {name}: {status}"),
        Err(error) => eprintln!("peers: {name} cannot be run: {error}"),
    }
}
