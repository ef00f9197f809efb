//! A worker in a process of its own: how soon it starts what another process enqueues, and what it uses.

use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use pipeline::prelude::*;

use super::backend::{Backend, open};
use super::noop::{NoOp, PIPELINE};
use super::process::{cpu, peak_memory};

/// Works for some seconds on a store, as a process of its own, and prints what was waited for and what was used.
pub(crate) async fn work(address: &str, seconds: u64, concurrency: u32) {
    let noop = NoOp::default();
    let engine = pipeline::local_engine()
        .source(noop.clone())
        .shared_store(open(address).await)
        .artifacts(Artifacts::memory())
        .concurrency(concurrency)
        .build()
        .unwrap();
    let runner = engine.clone();
    let run = tokio::spawn(async move { runner.work().await });
    let (began, before) = (Instant::now(), cpu());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let used = cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    engine.drain();
    run.await.unwrap().unwrap();
    let mut waits = noop.waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    waits.sort();
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "  {} items; from enqueue to start p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms; {:.2} % of a core, peak {} MB",
        waits.len(),
        at(0.5).as_secs_f64() * 1e3,
        at(0.99).as_secs_f64() * 1e3,
        waits.last().copied().unwrap_or_default().as_secs_f64() * 1e3,
        used * 100.0,
        peak_memory()
    );
}

fn start(address: &str, seconds: u64) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--work", address, "--seconds", &seconds.to_string()]).stdin(Stdio::null()).spawn().unwrap()
}

/// Enqueues `rate` items a second, ten a job, from this process, while another one works.
pub(crate) async fn latency(kind: &str, rate: u32, seconds: u64) {
    let Some(backend) = Backend::start(kind) else { return };
    let address = backend.fresh().await;
    let engine = enqueuer(&address).await;
    println!("{kind}: {rate} items a second, ten a job, enqueued by one process and worked on by another, {seconds} s");
    let mut worker = start(&address, seconds + 4);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut tick = tokio::time::interval(Duration::from_secs_f64(10.0 / f64::from(rate)));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        tick.tick().await;
        engine.submit(JobRequest::toml("noop", PIPELINE).count(10)).await.unwrap();
    }
    worker.wait().unwrap();
}

/// What a worker uses that has nothing to do.
pub(crate) async fn idle(kind: &str, seconds: u64) {
    let Some(backend) = Backend::start(kind) else { return };
    let address = backend.fresh().await;
    println!("{kind}: a worker that has nothing to do, {seconds} s");
    start(&address, seconds).wait().unwrap();
}

/// What a worker uses while it works beside `backlog` queued items.
pub(crate) async fn memory(kind: &str, backlog: u32, seconds: u64) {
    let Some(backend) = Backend::start(kind) else { return };
    let address = backend.fresh().await;
    let engine = enqueuer(&address).await;
    println!("{kind}: a worker beside {backlog} queued items, {seconds} s");
    let mut left = backlog;
    while left > 0 {
        let some = left.min(50_000);
        let request = JobRequest::toml("noop", PIPELINE).count(some).set("job.max_items", u64::from(some)).unwrap();
        engine.submit(request).await.unwrap();
        left -= some;
    }
    start(&address, seconds).wait().unwrap();
}

async fn enqueuer(address: &str) -> Engine {
    let builder = pipeline::local_engine().source(NoOp::default()).shared_store(open(address).await);
    builder.artifacts(Artifacts::memory()).build().unwrap()
}
