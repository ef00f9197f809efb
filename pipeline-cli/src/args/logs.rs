//! Arguments of `logs`.

use std::path::PathBuf;

use clap::Args;

use pipeline_core::model::{LogLevel, Step};

use super::PrintArgs;

/// Arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    /// Only of this job: its id, the beginning of it (at least 4 characters), or its label
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// From this level on: debug, info, warn or error [default: info; debug with --debug, --step or --code]
    #[arg(long, value_name = "LEVEL", conflicts_with = "errors")]
    pub(crate) level: Option<LogLevel>,
    /// Only of this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// Only of this item, and of what it shares with its siblings: its id, or the beginning of it
    #[arg(long, value_name = "ITEM")]
    pub(crate) item: Option<String>,
    /// Only of this step, for example prompt-send, download, encode, put, retry or ended
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<Step>,
    /// Only with this code, for example timeout
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only from this time on: a time such as 2026-11-23T05:27:00Z, a day, or how long ago, such as 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only what went wrong: levels warn and error
    #[arg(long)]
    pub(crate) errors: bool,
    /// Show every step, and every column
    #[arg(long, conflicts_with_all = ["level", "errors"])]
    pub(crate) debug: bool,
    /// Go on with what comes, until the job has ended; without a job until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Write into a new file, .ndjson or .csv, instead of printing
    #[arg(long, value_name = "FILE", conflicts_with = "follow")]
    pub(crate) export: Option<PathBuf>,
    /// Replace the file of --export if it is there
    #[arg(long, requires = "export")]
    pub(crate) force: bool,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
