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

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    app::main().into()
}
