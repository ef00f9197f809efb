//! Three workers on one PostgreSQL store: one is killed, one stands still beyond its lease and wakes.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::bench::{Bench, Wanted};
use super::{Options, books};

/// How long the workers count as alive.
const LEASE: u64 = 5;

pub(crate) async fn run(options: &Options) -> Vec<String> {
    let wanted =
        Wanted { store: "postgres".to_owned(), latency: Duration::from_millis(150), calls: 48, ..Wanted::of(options) };
    let bench = Bench::start(wanted).await;
    let start = Instant::now();
    let job = bench.submit(0, (options.items / 2, 2), None).await.expect("the job is there");
    let port = free_port();
    let lease = LEASE.to_string();
    let metrics = port.to_string();
    let common = ["--concurrency", "16", "--lease", &lease];
    let mut killed = bench.worker(&common);
    let steady = bench.worker(&common);
    let zombie = bench.worker(&[&common[..], &["--metrics", &metrics]].concat());
    let done = async || bench.watcher.job(job).await.unwrap().counts.succeeded;
    while done().await < u64::from(options.items / 2 * 2) / 20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    killed.kill().await.ok();
    println!("one killed after {} items", done().await);
    let (mut stops, mut refused, mut lost) = (0, 0, 0);
    while bench.open_jobs().await > 0 && (refused == 0 || lost == 0) && stops < 12 {
        signal(&zombie, "STOP").await;
        tokio::time::sleep(Duration::from_secs(LEASE + 3)).await;
        signal(&zombie, "CONT").await;
        stops += 1;
        tokio::time::sleep(Duration::from_secs(3)).await;
        refused = metric(port, "pipeline_stale_writes_refused_total").await;
        lost = metric(port, "pipeline_lease_losses_total").await;
    }
    println!(
        "one stopped {stops} times for {} s: {lost} leases lost, {refused} stale writes refused; {} items done",
        LEASE + 3,
        done().await
    );
    let limit = Instant::now() + Duration::from_mins(8);
    while bench.open_jobs().await > 0 && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = start.elapsed();
    for mut worker in [steady, zombie] {
        worker.kill().await.ok();
    }
    let mut problems = books::check(&bench, &[job], 1).await;
    println!("{} items by three workers in {:.0} s", options.items, took.as_secs_f64());
    let succeeded = done().await;
    if succeeded != u64::from(options.items / 2 * 2) {
        problems.push(format!("{succeeded} of {} items have succeeded", options.items));
    }
    if refused == 0 || lost == 0 {
        problems.push(format!("{lost} leases were lost and {refused} stale writes refused"));
    }
    problems
}

async fn signal(worker: &Child, name: &str) {
    let process = worker.id().expect("it runs").to_string();
    Command::new("kill").args([&format!("-{name}"), &process]).status().await.unwrap();
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads one number of a worker's metrics; 0 when it does not answer.
async fn metric(port: u16, name: &str) -> u64 {
    let Ok(mut line) = TcpStream::connect(("127.0.0.1", port)).await else { return 0 };
    let asked = line.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let mut text = String::new();
    if asked.is_err() || line.read_to_string(&mut text).await.is_err() {
        return 0;
    }
    let values = text.lines().filter(|line| !line.starts_with('#') && line.starts_with(name));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}
