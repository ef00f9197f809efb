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
    /// Set what the calls of a job may cost in all; what waited for the budget goes on
    Budget {
        /// Id of the job, the beginning of it (at least 4 characters), or its label
        #[arg(value_name = "JOB")]
        job: String,
        /// How it is set, and how to print.
        #[command(flatten)]
        amount: AmountArgs,
    },
    /// Cancel a job; what is finished stays
    Cancel(CancelArgs),
    /// Go on with an interrupted or paused job, in this process
    Resume(JobAndPrint),
}

/// An amount, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct AmountArgs {
    /// Dollars, for example 5.00, or `none` for no budget
    #[arg(value_name = "AMOUNT|none", allow_negative_numbers = true)]
    pub(crate) amount: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about budgets.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetsCommand {
    /// List the budgets of owners, and of jobs that have not ended: amount, spent, reserved, left
    List(PrintArgs),
    /// Set what the jobs of an owner may cost together, over all time; what waited for the budget goes on
    Set {
        /// Name of the owner; jobs submitted here are those of `system`
        #[arg(value_name = "OWNER")]
        owner: String,
        /// How it is set, and how to print.
        #[command(flatten)]
        amount: AmountArgs,
    },
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
