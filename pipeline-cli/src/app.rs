//! From arguments to an exit code: parse, set up logs and runtime, dispatch, report.

use std::time::Duration;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::commands;
use crate::home::Home;
use crate::logs::Logs;
use crate::output::{Exit, Failure, notice};
use crate::signals::Signals;

/// Does what the arguments say.
pub(crate) fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reading the help text is no error.
            let _ = error.print();
            return if error.exit_code() == 0 { Exit::Good } else { Exit::Wrong };
        }
    };
    let logs = Logs::start(&cli.global);
    let outcome = dispatch(cli);
    logs.end();
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            for line in failure.lines() {
                notice(&line);
            }
            failure.exit()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    if let Command::Completions { shell } = cli.command {
        return commands::completions(shell);
    }
    let home = Home::find(&cli.global)?;
    // The allocator keeps memory for each thread that works on pictures: few threads take turns.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(2 * cores + 4)
        .enable_all()
        .build()
        .map_err(|error| Failure::file_system("cannot start", &error))?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(Failure::unexpected)?;
        // A command that works on a job ends in order when it is interrupted; every other one just ends.
        if commands::ends_in_order(&cli.command) {
            return commands::run(cli.command, &cli.global, &home, Some(signals)).await;
        }
        tokio::select! {
            outcome = commands::run(cli.command, &cli.global, &home, None) => outcome,
            () = signals.next() => Err(Failure::Interrupted),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}
