//! From arguments to an exit code: parse, set up logs and runtime, dispatch, report.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, Global};
use crate::commands;
use crate::home::Home;
use crate::output::{Exit, Failure, LogLevel, colors_allowed, notice};
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
    start_logging(&cli.global);
    match dispatch(cli) {
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Broken { message: format!("cannot start: {error}"), hint: None })?;
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

/// Logs go to stderr, coloured only on a terminal; without being asked for, only errors.
fn start_logging(global: &Global) {
    let level = match (global.log, global.verbose) {
        (Some(level), _) => level,
        (None, 0) => LogLevel::Error,
        (None, 1) => LogLevel::Info,
        (None, 2) => LogLevel::Debug,
        (None, _) => LogLevel::Trace,
    };
    let own = level.as_str();
    // What others log of their insides drowns out what is asked for.
    let others = if level == LogLevel::Trace {
        "debug"
    } else if level == LogLevel::Debug {
        "info"
    } else {
        own
    };
    let filter = format!(
        "{others},pipeline={own},pipeline_core={own},pipeline_engine={own},pipeline_store={own},pipeline_providers={own}"
    );
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && colors_allowed())
        .try_init();
    if let Err(error) = started {
        notice(&format!("logging is off: {error}"));
    }
}
