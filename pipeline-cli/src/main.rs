//! The `pipeline` program: parse, resolve, call, print.

mod app;
mod args;
mod commands;
mod home;
mod lookup;
mod output;
mod progress;
mod request;
mod signals;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main().into()
}
