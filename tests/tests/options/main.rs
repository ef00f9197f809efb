//! Every option of every stage, each with a test that observes its effect on what a job makes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod bench;
mod common;
mod cutout;
mod fakes;
mod files;
mod generate;
mod inert;
mod job;
mod keywords;
mod metadata;
mod pictures;
mod process;
mod prompt;
mod publish;
mod qc;
mod registry;
mod tag;
