//! The lines to the store, to the artifacts and to the vendor break in every way, one after another and at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pipeline_testkit::moto::MotoServer;
use pipeline_testkit::proxy::{FaultProxy, Faults};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::bench::{Bench, Wanted};
use super::{Options, books};

/// What goes wrong, and for how long.
fn faults() -> [(&'static str, Faults, Duration); 8] {
    let (none, short) = (Faults::default(), Duration::from_secs(3));
    [
        ("resets", none, short),
        ("refused", Faults { refuse: true, ..none }, short),
        ("late", Faults { delay: Duration::from_millis(150), ..none }, short),
        ("slow", Faults { trickle: Some(20_000), ..none }, short),
        ("cut after 9000 bytes sent", Faults { reset_after_sent: Some(9_000), ..none }, short),
        ("cut after 9000 bytes received", Faults { reset_after_received: Some(9_000), ..none }, short),
        ("half closed", Faults { half_close: true, ..none }, short),
        ("black hole", Faults { black_hole: true, ..none }, Duration::from_secs(12)),
    ]
}

pub(crate) async fn run(options: &Options) -> Vec<String> {
    if !MotoServer::require() {
        println!("skipped: there is no S3 without moto");
        return Vec::new();
    }
    let wanted = Wanted { store: "postgres".to_owned(), calls: 4, ..Wanted::of(options) };
    let mut bench = Bench::start(wanted).await;
    let moto = MotoServer::start();
    let bucket = moto.create_bucket();
    let socket = bench.store.split_once("?host=").map(|(_, folder)| format!("{folder}/.s.PGSQL.5432")).unwrap();
    let to_store = FaultProxy::start(0, relay(socket).await.to_string()).await.unwrap();
    let to_files = FaultProxy::start(0, moto.address().to_string()).await.unwrap();
    let to_vendor = FaultProxy::start(0, bench.vendor.url().trim_start_matches("http://")).await.unwrap();
    let address = to_store.address();
    let name = bench.store.split('?').next().and_then(|url| url.rsplit('/').next()).unwrap_or_default().to_owned();
    bench.store = format!("postgres://postgres@{address}/{name}?sslmode=disable");
    bench.buy_at(&format!("http://{}", to_vendor.address()));
    bench.variables = vec![
        ("PIPELINE_ARTIFACTS", format!("s3://{bucket}/files")),
        ("AWS_ENDPOINT_URL_S3", format!("http://{}", to_files.address())),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "a secret of the tests".to_owned()),
    ];
    let lines = [("store", &to_store), ("files", &to_files), ("vendor", &to_vendor)];
    let start = Instant::now();
    let (mut acknowledged, mut number, mut ended) = (Vec::new(), 0, 0);
    let worker = || bench.worker(&["--concurrency", "6", "--lease", "10"]);
    let mut workers = [worker(), worker()];
    let mut broken = 0;
    for (what, chosen) in
        [("store", &lines[..1]), ("files", &lines[1..2]), ("vendor", &lines[2..]), ("all", &lines[..])]
    {
        for (fault, faults, lasts) in faults() {
            while bench.open_jobs().await < 2 {
                acknowledged.extend(bench.submit(number, (40, 2), None).await);
                number += 1;
            }
            for (_, line) in chosen {
                line.set(faults);
            }
            let until = Instant::now() + lasts;
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if faults == Faults::default() {
                    for (_, line) in chosen {
                        line.reset_all();
                        broken += 1;
                    }
                }
            }
            for (_, line) in chosen {
                line.set(Faults::default());
                // What waits in a black hole would come out again; a real one gives nothing back.
                line.reset_all();
                broken += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            for worker_of in &mut workers {
                if let Some(status) = worker_of.try_wait().unwrap() {
                    println!("{what}, {fault}: a worker ended by itself: {status}");
                    ended += 1;
                    *worker_of = worker();
                }
            }
        }
        println!("{what}: {} faults endured, {:.0} s", faults().len(), start.elapsed().as_secs_f64());
    }
    let troubled = start.elapsed();
    while bench.open_jobs().await > 0 && start.elapsed() < troubled + Duration::from_mins(4) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for mut worker in workers {
        worker.kill().await.ok();
    }
    println!(
        "{broken} times every connection of a line was reset; faults for {:.0} s, the rest done in {:.0} s",
        troubled.as_secs_f64(),
        start.elapsed().saturating_sub(troubled).as_secs_f64()
    );
    let mut problems = books::check(&bench, &acknowledged, u32::MAX).await;
    problems.extend(books::all_succeeded(&bench, &acknowledged).await);
    if ended > 0 {
        problems.push(format!("{ended} workers ended although the lines came back"));
    }
    problems
}

/// Listens on a port and carries what comes to a socket of this machine.
async fn relay(socket: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                if let Ok(mut far) = UnixStream::connect(socket).await {
                    carry(&mut near, &mut far).await;
                }
            });
        }
    });
    address
}

async fn carry(near: &mut TcpStream, far: &mut UnixStream) {
    near.set_nodelay(true).ok();
    tokio::io::copy_bidirectional(near, far).await.ok();
}
