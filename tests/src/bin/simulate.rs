//! `simulate`: runs histories of engines, store, vendor and people, and says which seed breaks which invariant.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to a person")]

use std::process::ExitCode;

use pipeline_testkit::simulation::{Campaign, Options, simulate};

const USAGE: &str = "\
simulate [--histories N] [--seed S] [--tell]: runs N histories (10 000) from the seed S (the time of day) on;
  --tell prints everything that happens in the first one";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let (mut histories, mut seed, mut told) = (10_000, day.as_secs(), false);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|value| value.parse::<u64>().ok());
        let read = match argument.as_str() {
            "--histories" => number().map(|value| histories = value),
            "--seed" => number().map(|value| seed = value),
            "--tell" => {
                told = true;
                Some(())
            }
            _ => None,
        };
        if read.is_none() {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
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
