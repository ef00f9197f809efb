//! Arguments of the commands about jobs.

use clap::{Args, Subcommand};

use super::PrintArgs;
use super::number::whole;

/// A job, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobAndPrint {
    /// Id of the job, the beginning of it (at least 4 characters), or its label
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first
    List {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        #[arg(allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
        limit: u32,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Show one job: counts, stages, times, cost
    Show(JobAndPrint),
    /// Follow a job's events until it ends
    Watch {
        /// Which job and how.
        #[command(flatten)]
        job: JobAndPrint,
        /// First event to show; 1 is the first of the job
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        #[arg(allow_negative_numbers = true, value_parser = whole(1..=i64::MAX))]
        from: i64,
    },
    /// Pause a job: nothing more of it starts; what runs ends
    Pause(JobAndPrint),
    /// Let workers go on with a paused job
    Unpause(JobAndPrint),
    /// Cancel a job; what is finished stays
    Cancel(CancelArgs),
    /// Go on with an interrupted or paused job, in this process
    Resume(JobAndPrint),
    /// Give a job another label
    Rename {
        /// Which job and how.
        #[command(flatten)]
        job: JobAndPrint,
        /// The new label
        #[arg(value_name = "LABEL")]
        label: String,
    },
    /// Remove a job that has ended, with its items and results; what its calls have cost stays in the ledger
    Delete(JobAndPrint),
}

/// Arguments of `jobs cancel`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CancelArgs {
    /// Id of the job, the beginning of it (at least 4 characters), or its label
    #[arg(value_name = "JOB", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) job: Option<String>,
    /// Cancel every job that has not ended
    #[arg(long)]
    pub(crate) all: bool,
    /// End the items at once, without waiting for the workers that hold them
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask before cancelling all jobs
    #[arg(short, long, requires = "all")]
    pub(crate) yes: bool,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// First event to show; 1 is the first of the job
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=i64::MAX))]
    pub(crate) from: i64,
}
