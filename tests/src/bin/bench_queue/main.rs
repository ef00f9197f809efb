//! Measures the queue: items of one stage that does nothing, with events, results and fencing on. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-queue [-- OPTION…]`.
//!
//! Every row says how durable an acknowledged item is. The peers are measured by `tests/bench/peers.mjs` in the same run
//! when their packages are installed there (`npm ci` in that folder) and `redis-server` is on the path.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench talks to a person and stops at the first fault"
)]

mod backend;
mod noop;
mod process;
mod scale;
mod table;
mod worker;

use table::Table;

const USAGE: &str = "\
bench-queue [table]   [--items N] [--concurrency N] [--repeat N] [--only NAME] [--no-peers]
bench-queue scale     [--store normal|full|postgres] [--items N]   an item's cost beside N (1 000 000) others
bench-queue latency   [--store …] [--rate N] [--seconds N]         from enqueue to start, across processes
bench-queue idle      [--store …] [--seconds N]                    what a worker uses that has nothing to do
bench-queue memory    [--store …] [--items N] [--seconds N]        what a worker uses beside N queued items";

struct Options {
    what: String,
    items: Option<u32>,
    concurrency: u32,
    repeat: u32,
    rate: u32,
    seconds: u64,
    store: Option<&'static str>,
    only: Option<String>,
    peers: bool,
    work: Option<String>,
}

fn main() {
    let options = read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(options));
}

async fn run(options: Options) {
    let store = options.store;
    let million = options.items.unwrap_or(1_000_000);
    if let Some(address) = &options.work {
        return worker::work(address, options.seconds, options.concurrency).await;
    }
    match options.what.as_str() {
        "scale" => scale::print(store.unwrap_or("normal"), million).await,
        "latency" => worker::latency(store.unwrap_or("postgres"), options.rate, options.seconds).await,
        "idle" => worker::idle(store.unwrap_or("postgres"), options.seconds).await,
        "memory" => worker::memory(store.unwrap_or("normal"), million, options.seconds).await,
        _ => {
            let Options { concurrency, repeat, only, peers, .. } = options;
            Table { items: options.items.unwrap_or(10_000), concurrency, repeat, only, peers }.print().await;
        }
    }
}

fn read() -> Options {
    let mut options = Options {
        what: "table".to_owned(),
        items: None,
        concurrency: 256,
        repeat: 1,
        rate: 1_000,
        seconds: 20,
        store: None,
        only: None,
        peers: true,
        work: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let mut value = || given.next().unwrap_or_else(|| wrong(&format!("{option} needs a value")));
        let number = |text: String| text.parse().unwrap_or_else(|_| wrong(&format!("`{text}` is not a number")));
        match option.as_str() {
            "table" | "scale" | "latency" | "idle" | "memory" => options.what = option,
            "--items" => options.items = Some(number(value())),
            "--concurrency" => options.concurrency = number(value()),
            "--repeat" => options.repeat = number(value()),
            "--rate" => options.rate = number(value()),
            "--seconds" => options.seconds = u64::from(number(value())),
            "--only" => options.only = Some(value()),
            "--work" => options.work = Some(value()),
            "--no-peers" => options.peers = false,
            "--store" => {
                let wanted = value();
                let known = ["normal", "full", "postgres"].into_iter().find(|kind| *kind == wanted);
                options.store = Some(known.unwrap_or_else(|| wrong(&format!("there is no store `{wanted}`"))));
            }
            _ => wrong(&format!("unknown option {option}")),
        }
    }
    options
}

fn wrong(problem: &str) -> ! {
    eprintln!("{problem}\nusage:\n{USAGE}");
    #[expect(clippy::exit, reason = "a program that was asked for something it does not know")]
    std::process::exit(2)
}
