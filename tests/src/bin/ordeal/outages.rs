//! PostgreSQL is restarted and its backends are terminated while two workers are at a job.

use std::time::{Duration, Instant};

use super::bench::{Bench, Wanted};
use super::{Draw, Options, books};

pub(crate) async fn run(options: &Options) -> Vec<String> {
    let wanted =
        Wanted { store: "postgres".to_owned(), latency: Duration::from_millis(100), calls: 4, ..Wanted::of(options) };
    let bench = Bench::start(wanted).await;
    let Some(cluster) = &bench.cluster else { return vec!["there is no server".to_owned()] };
    let mut draw = Draw(options.seed);
    let start = Instant::now();
    let mut acknowledged = Vec::new();
    let mut number = 0;
    let mut workers = vec![bench.worker(&["--concurrency", "6"]), bench.worker(&["--concurrency", "6"])];
    let (mut restarts, mut terminated, mut ended) = (0, 0, 0);
    while restarts < options.restarts || terminated < options.terminations {
        if bench.open_jobs().await < 2 {
            acknowledged.extend(bench.submit(number, (60, 2), None).await);
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(50 + draw.below(400))).await;
        let share = |done: u32, of: u32| f64::from(done) / f64::from(of.max(1));
        if share(restarts, options.restarts) <= share(terminated, options.terminations) && restarts < options.restarts {
            restarts += 1;
            // Both ends are blocking; nothing else is to happen here meanwhile.
            if restarts % 2 == 0 {
                cluster.restart();
            } else {
                cluster.kill();
                cluster.resume();
            }
        } else {
            terminated += cluster.terminate_some(4).await;
        }
        for worker in &mut workers {
            if worker.try_wait().unwrap().is_some() {
                ended += 1;
                *worker = bench.worker(&["--concurrency", "6"]);
            }
        }
    }
    let troubled = start.elapsed();
    for mut worker in workers {
        worker.kill().await.ok();
    }
    bench.drain().await;
    println!(
        "{restarts} restarts and {terminated} terminated backends in {:.0} s, the rest done in {:.0} s; {ended} workers ended",
        troubled.as_secs_f64(),
        start.elapsed().saturating_sub(troubled).as_secs_f64()
    );
    let mut problems = books::check(&bench, &acknowledged, 0).await;
    problems.extend(books::all_succeeded(&bench, &acknowledged).await);
    if ended > 0 {
        problems.push(format!("{ended} workers ended although the server came back"));
    }
    problems
}
