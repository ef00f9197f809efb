//! `simulate`: runs histories of engines, store, vendor and people, and says which seed breaks which invariant.
#![expect(clippy::print_stdout, reason = "a program talks to a person")]

use std::process::ExitCode;

use clap::Parser;
use pipeline_testkit::simulation::{Campaign, Options, simulate};

/// Runs histories of engines, store, vendor and people, and says which seed breaks which invariant.
#[derive(Parser)]
struct Arguments {
    /// How many histories
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    histories: u64,
    /// The seed of the first one [default: the time of day]
    #[arg(long, value_name = "S", hide_default_value = true, default_value_t = day())]
    seed: u64,
    /// Print everything that happens in the first one
    #[arg(long)]
    tell: bool,
}

fn day() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn main() -> ExitCode {
    let Arguments { histories, seed, tell: told } = Arguments::parse();
    if told {
        let outcome = simulate(seed, &Options { told, ..Options::default() });
        for line in &outcome.lines {
            println!("{line}");
        }
        println!("{outcome}");
    }
    let report = Campaign { seed, histories, options: Options::default() }.run();
    print!("{report}");
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
