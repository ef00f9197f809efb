//! Drives the built program as a person or a script would.

mod bench;
mod enhance;
mod looking;
mod running;
mod wrong;
