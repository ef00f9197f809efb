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
mod budget;
mod disk;
mod kills;
mod lines;
mod order;
mod outages;
mod zombie;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// No ordeal takes longer.
const LIMIT: Duration = Duration::from_mins(30);

/// What the real program must endure while it spends money, and whether nothing was lost or paid twice.
#[derive(Parser)]
struct Options {
    /// What it must endure
    #[arg(value_enum)]
    what: What,
    /// How many processes are killed
    #[arg(long, value_name = "N", default_value_t = 100)]
    kills: u32,
    /// How many items the job has
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    items: u32,
    /// How often PostgreSQL is restarted
    #[arg(long, value_name = "N", default_value_t = 20)]
    restarts: u32,
    /// How many connections of PostgreSQL are cut off
    #[arg(long, value_name = "N", default_value_t = 200)]
    terminations: u32,
    /// sqlite (a fresh file), postgres (a throwaway server), or the postgres:// URL of an empty database
    #[arg(long, default_value = "sqlite", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    store: String,
    /// What the vendor knows of an order that comes again
    #[arg(long, default_value = "idempotent", value_parser = ["idempotent", "resumable", "plain"])]
    vendor: String,
    /// How many workers there are
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    workers: u32,
    /// Draws the delays [default: one for each process]
    #[arg(long, value_name = "N", hide_default_value = true, default_value_t = drawn(), value_parser = clap::value_parser!(u64).range(1..))]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Workers and submits are killed
    Kills,
    /// Three workers; one is killed, one stopped
    Zombie,
    /// Workers race on a budget; some are killed
    Budget,
    /// PostgreSQL is restarted and cut off
    Outages,
    /// Connections to store, S3 and vendor break
    Lines,
    /// The disk is full for a while (needs root)
    Disk,
    /// Files reach the disk before the records that name them (needs strace)
    Order,
}

fn drawn() -> u64 {
    u64::from(std::process::id()) * 2_654_435_761 + 1
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
    let options = Options::parse();
    let ordeal = async {
        match options.what {
            What::Kills => kills::run(&options).await,
            What::Zombie => zombie::run(&options).await,
            What::Budget => budget::run(&options).await,
            What::Outages => outages::run(&options).await,
            What::Lines => lines::run(&options).await,
            What::Disk => disk::run(&options).await,
            What::Order => order::run(&options).await,
        }
    };
    let problems = tokio::time::timeout(LIMIT, ordeal)
        .await
        .unwrap_or_else(|_| vec![format!("it has not ended in {} minutes", LIMIT.as_secs() / 60)]);
    for problem in &problems {
        println!("VIOLATION: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
