//! Workers that race on a priced vendor with a budget, while some are killed: it is never passed, and goes on when raised.

use std::time::{Duration, Instant};

use pipeline::core::id::JobId;
use pipeline::core::model::Money;
use pipeline::core::storage::BudgetKey;
use tokio::process::Child;

use super::bench::{Bench, Wanted};
use super::{Draw, Options, books};

/// What a picture costs, as the providers file of the bench says.
const PICTURE: i64 = 40_000;

pub(crate) async fn run(options: &Options) -> Vec<String> {
    let wanted = Wanted { latency: Duration::from_millis(40), calls: 64, ..Wanted::of(options) };
    let bench = Bench::start(wanted).await;
    let mut draw = Draw(options.seed);
    let job = bench.submit(0, (options.items, 1), None).await.expect("the job is there");
    let whole = i64::from(options.items) * PICTURE;
    let (mut problems, mut kills) = (Vec::new(), 0);
    // Not a whole number of pictures: what is left over buys nothing.
    for part in [3, 7] {
        let amount = Money::from_micros(whole * part / 10 + PICTURE / 2);
        bench.watcher.set_budget(BudgetKey::Job(job), Some(amount)).await.expect("the budget is set");
        kills += race(&bench, options, &mut draw, job, amount, &mut problems).await;
    }
    bench.watcher.set_budget(BudgetKey::Job(job), None).await.expect("the budget is taken away");
    bench.drain().await;
    problems.extend(books::check(&bench, &[job], kills).await);
    problems
}

/// Lets workers spend the budget, kills some meanwhile, and looks again and again at what is spent and reserved.
async fn race(
    bench: &Bench,
    options: &Options,
    draw: &mut Draw,
    job: JobId,
    amount: Money,
    problems: &mut Vec<String>,
) -> u32 {
    let start = || bench.worker(&["--concurrency", "16", "--lease", "3"]);
    let mut workers: Vec<Child> = (0..options.workers.max(3)).map(|_| start()).collect();
    let (mut kills, limit) = (0, Instant::now() + Duration::from_mins(5));
    let mut kill_at = Instant::now() + Duration::from_millis(500 + draw.below(1_000));
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let charged = bench.vendor.statement().await.unwrap().charges as i64 * PICTURE;
        let budget = bench.watcher.job(job).await.unwrap().budget.expect("it was set");
        let used = budget.spent + budget.reserved;
        if used > amount || charged > amount.as_micros() {
            problems.push(format!("of {amount} are {used} used, and {charged} µ$ charged"));
        }
        let idle = budget.closed.is_some() && budget.reserved == Money::ZERO;
        if idle || !problems.is_empty() || Instant::now() > limit {
            println!("of {amount} are {} spent, {} reserved; {kills} kills", budget.spent, budget.reserved);
            if !idle || budget.left().as_micros() >= PICTURE {
                problems.push(format!("the workers have stopped at {budget:?}"));
            }
            break;
        }
        if Instant::now() > kill_at && kills < options.kills.min(6) {
            kill_at = Instant::now() + Duration::from_millis(500 + draw.below(1_500));
            let place = draw.below(workers.len() as u64) as usize;
            if let Some(worker) = workers.get_mut(place) {
                worker.kill().await.ok();
                *worker = start();
                kills += 1;
            }
        }
    }
    for worker in &mut workers {
        worker.kill().await.ok();
    }
    kills
}
