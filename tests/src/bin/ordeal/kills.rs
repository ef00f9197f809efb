//! `kill -9` of workers and submits, again and again, while they spend.

use std::time::{Duration, Instant};

use pipeline::core::id::JobId;
use tokio::process::Child;

use super::bench::{Bench, Wanted};
use super::{Draw, Options, books};

pub(crate) async fn run(options: &Options) -> Vec<String> {
    let bench = Bench::start(Wanted::of(options)).await;
    let store = &bench.store;
    println!(
        "seed {}, {} kills, {} workers, vendor {}, store {store}",
        options.seed, options.kills, options.workers, options.vendor
    );
    let mut draw = Draw(options.seed);
    let start = Instant::now();
    let mut acknowledged: Vec<JobId> = Vec::new();
    let (mut number, mut killed_submits) = (0_u32, 0_u32);
    for _ in 0..3 {
        acknowledged.extend(bench.submit(number, (6, 2), None).await);
        number += 1;
    }
    let worker = || bench.worker(&["--concurrency", "6"]);
    let mut workers: Vec<Child> = (0..options.workers).map(|_| worker()).collect();
    for kill in 0..options.kills {
        tokio::time::sleep(Duration::from_millis(5 + draw.below(495))).await;
        let victim = draw.below(workers.len() as u64) as usize;
        let killed = workers.get_mut(victim).expect("the victim is one of them");
        killed.kill().await.ok();
        *killed = worker();
        if kill % 4 == 0 && bench.open_jobs().await < 4 {
            // Every second submit is killed, too.
            let after = (draw.below(2) == 0).then(|| Duration::from_millis(draw.below(60)));
            killed_submits += u32::from(after.is_some());
            acknowledged.extend(bench.submit(number, (6, 2), after).await);
            number += 1;
        }
    }
    for mut worker in workers {
        worker.kill().await.ok();
    }
    let killed = start.elapsed();
    bench.drain().await;
    println!(
        "{} kills of workers and {killed_submits} of submits in {:.0} s, the rest done in {:.0} s",
        options.kills,
        killed.as_secs_f64(),
        start.elapsed().saturating_sub(killed).as_secs_f64()
    );
    books::check(&bench, &acknowledged, options.kills).await
}
