//! Measures the queue: items of one stage that does nothing, with events, results and fencing on. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-queue [-- OPTION…]`.
//!
//! Every row says how durable an acknowledged item is. The peers are measured by `tests/bench/peers.mjs` in the same run
//! when their packages are installed there (`npm ci` in that folder) and `redis-server` is on the path; the first run
//! builds the one in Rust.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench talks to a person and stops at the first fault"
)]

mod backend;
mod logs;
mod noop;
mod process;
mod retry;
mod scale;
mod table;
mod worker;

use clap::{Parser, ValueEnum};

use table::Table;

/// Measures the queue: items of one stage that does nothing, with events, results and fencing on.
#[derive(Parser)]
struct Options {
    /// What to measure
    #[arg(value_enum, default_value = "table")]
    what: What,
    /// How many items [default: 10 000 for `table`, 1 000 000 otherwise]
    #[arg(long, value_name = "N")]
    items: Option<u32>,
    /// How many items a worker has in work at once; the peers have 50, more made none of them faster
    #[arg(long, value_name = "N", default_value_t = 512)]
    concurrency: u32,
    /// How often to measure each row
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// How many items a second are enqueued
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Which store [default: normal for `scale` and `memory`, postgres otherwise]
    #[arg(long, value_parser = ["normal", "full", "postgres"])]
    store: Option<String>,
    /// Only the rows whose name has this in it
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Be the worker of another of these processes, on the store at this address
    #[arg(long, value_name = "ADDRESS", hide = true)]
    work: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Items a second, beside the peers
    Table,
    /// An item's cost beside so many others
    Scale,
    /// From enqueue to start, across processes
    Latency,
    /// What a worker uses that has nothing to do
    Idle,
    /// What a worker uses beside so many queued items
    Memory,
    /// Queueing ended items again
    Retry,
    /// What logs and their followers cost
    Logs,
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(options));
}

async fn run(options: Options) {
    let store = options.store.as_deref();
    let million = options.items.unwrap_or(1_000_000);
    if let Some(address) = &options.work {
        return worker::work(address, options.seconds, options.concurrency).await;
    }
    match options.what {
        What::Scale => scale::print(store.unwrap_or("normal"), million).await,
        What::Latency => worker::latency(store.unwrap_or("postgres"), options.rate, options.seconds).await,
        What::Idle => worker::idle(store.unwrap_or("postgres"), options.seconds).await,
        What::Memory => worker::memory(store.unwrap_or("normal"), million, options.seconds).await,
        What::Retry => retry::print(store.unwrap_or("full"), options.items.unwrap_or(10_000)).await,
        What::Logs => {
            let items = options.items.unwrap_or(10_000);
            logs::print(store.unwrap_or("full"), items, options.concurrency, options.repeat).await;
        }
        What::Table => {
            let Options { concurrency, repeat, only, no_peers, .. } = options;
            let items = options.items.unwrap_or(10_000);
            Table { items, concurrency, repeat, only, peers: !no_peers }.print().await;
        }
    }
}
