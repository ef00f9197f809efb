//! `ordeal`: what the real program must endure while it spends money, and whether nothing was lost or paid twice.
//! `cargo build --release --workspace --bins`, then `cargo run --release -p pipeline-testkit --bin ordeal -- kills`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test program talks to a person and stops at the first fault"
)]

mod bench;
mod books;
mod disk;
mod kills;
mod lines;
mod order;
mod outages;
mod zombie;

use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
ordeal kills   [--kills N] [--store S] [--vendor V] [--workers N] [--seed N]   workers and submits are killed
ordeal zombie  [--items N] [--vendor V]                                        three workers; one killed, one stopped
ordeal outages [--restarts N] [--terminations N] [--vendor V] [--seed N]       PostgreSQL is restarted and cut off
ordeal lines   [--vendor V]                                                    connections to store, S3, vendor break
ordeal disk    [--items N] [--vendor V]                                        the disk is full for a while (needs root)
ordeal order                                                                   files, then records (needs strace)

  --store S     sqlite (a fresh file, the default), postgres (a throwaway server), or the postgres:// URL of an empty
                database
  --vendor V    idempotent (the default), resumable or plain";

/// No ordeal takes longer.
const LIMIT: Duration = Duration::from_mins(30);

struct Options {
    kills: u32,
    items: u32,
    restarts: u32,
    terminations: u32,
    store: String,
    vendor: String,
    workers: usize,
    seed: u64,
}

/// A small generator: the order of events depends on the machine anyway; only the delays are drawn.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options {
        kills: 100,
        items: 5_000,
        restarts: 20,
        terminations: 200,
        store: "sqlite".to_owned(),
        vendor: "idempotent".to_owned(),
        workers: 2,
        seed: u64::from(std::process::id()) * 2_654_435_761 + 1,
    };
    let mut given = std::env::args().skip(1);
    let what = given.next().unwrap_or_default();
    while let Some(option) = given.next() {
        let value = given.next().unwrap_or_default();
        let number = value.parse::<u32>().ok();
        match (option.as_str(), number) {
            ("--kills", Some(number)) => options.kills = number,
            ("--items", Some(number)) => options.items = number,
            ("--restarts", Some(number)) => options.restarts = number,
            ("--terminations", Some(number)) => options.terminations = number,
            ("--workers", Some(number)) if number > 0 => options.workers = number as usize,
            ("--seed", Some(number)) if number > 0 => options.seed = u64::from(number),
            ("--store", _) if !value.is_empty() => options.store = value,
            ("--vendor", _) if ["idempotent", "resumable", "plain"].contains(&value.as_str()) => options.vendor = value,
            _ => {
                eprintln!("{option} {value}: not understood\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let ordeal = async {
        Some(match what.as_str() {
            "kills" => kills::run(&options).await,
            "zombie" => zombie::run(&options).await,
            "outages" => outages::run(&options).await,
            "lines" => lines::run(&options).await,
            "disk" => disk::run(&options).await,
            "order" => order::run(&options).await,
            _ => return None,
        })
    };
    let problems = match tokio::time::timeout(LIMIT, ordeal).await {
        Ok(Some(problems)) => problems,
        Ok(None) => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
        Err(_) => vec![format!("it has not ended in {} minutes", LIMIT.as_secs() / 60)],
    };
    for problem in &problems {
        println!("VIOLATION: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
