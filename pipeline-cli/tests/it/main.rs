//! Drives the built program as a person or a script would.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod bench;
mod enhance;
mod hooks;
#[cfg(unix)]
mod killed;
mod logs;
mod looking;
mod money;
mod plans;
mod providers;
mod queue;
mod rounds;
mod running;
#[cfg(unix)]
mod s3;
mod sheet;
#[cfg(unix)]
mod store;
mod stories;
#[cfg(feature = "otel")]
mod traces;
#[cfg(unix)]
mod workers;
mod wrong;
