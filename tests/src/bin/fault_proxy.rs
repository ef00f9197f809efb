//! `fault-proxy`: a TCP proxy on this machine that forwards badly, for trying out what a bad line does.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to a person")]

use std::process::ExitCode;

use pipeline_testkit::proxy::{FaultProxy, Faults};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const USAGE: &str = "\
fault-proxy [--port P] --target HOST:PORT [faults]: prints where it listens, and then reads lines from its input:
  a line of faults replaces those before; an empty one ends them all; `reset` resets every open connection";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut arguments: Vec<String>) -> Result<(), String> {
    let usage = |problem: String| format!("{problem}\n{USAGE}\n{}", Faults::USAGE);
    let port = take(&mut arguments, "--port").map(|port| port.parse::<u16>()).transpose();
    let port = port.map_err(|_| usage("a port is a number up to 65535".to_owned()))?.unwrap_or(0);
    let target = take(&mut arguments, "--target").ok_or_else(|| usage("there is no target".to_owned()))?;
    let faults = Faults::parse(arguments).map_err(usage)?;
    let proxy = FaultProxy::start(port, target).await.map_err(|error| error.to_string())?;
    proxy.set(faults);
    println!("{}", proxy.address());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        if line.trim() == "reset" {
            proxy.reset_all();
            continue;
        }
        match Faults::parse(line.split_whitespace().map(str::to_owned)) {
            Ok(faults) => proxy.set(faults),
            Err(problem) => eprintln!("{problem}"),
        }
    }
    // The end of the input is no order to stop: the proxy may have been started without one.
    std::future::pending().await
}

/// Takes an option and its value out of the arguments.
fn take(arguments: &mut Vec<String>, option: &str) -> Option<String> {
    let place = arguments.iter().position(|argument| argument == option)?;
    arguments.remove(place);
    (place < arguments.len()).then(|| arguments.remove(place))
}
