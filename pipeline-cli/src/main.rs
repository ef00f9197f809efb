//! The `pipeline` program: parse, resolve, call, print.

mod actor;
mod app;
mod args;
mod commands;
mod home;
mod logs;
mod lookup;
mod output;
mod progress;
mod request;
mod scrape;
mod sheet;
mod signals;
#[cfg(feature = "otel")]
mod traces;
mod when;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main().into()
}
