//! Arguments of the commands about jobs.

use clap::{Args, Subcommand, ValueEnum};

use pipeline_core::model::{ItemStatus, JobStatus};

use super::PrintArgs;
use super::looks::{BundleArgs, RetriesArgs, SheetArgs};
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
    List(ListJobsArgs),
    /// Show one job: each stage with its counts, times, tries, cost and errors, and the jobs it belongs to
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
    /// Begin another round of items that ended: what is done before stays, checks are not repeated unless named
    Retry(RetryJobArgs),
    /// List the items that people sent into another round: who, when, from which stage, and what became of it
    Retries(RetriesArgs),
    /// Make new jobs from old ones: the same pipeline and inputs, executed from the beginning
    Rerun(RerunArgs),
    /// Write an archive of a job for a bug report, with the texts of people replaced by hashes
    Bundle(BundleArgs),
    /// Write the pictures of a job on one page to look at or print, with names, states, reasons and measures
    Sheet(SheetArgs),
    /// Keep the request of a job as a template, for `run NAME`
    SaveAs(super::SaveAsArgs),
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

/// Arguments of `jobs list`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ListJobsArgs {
    /// Only jobs in this state (repeatable): queued, running, paused, cancelling, completed, completed_with_failures,
    /// failed, cancelled, empty
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) status: Vec<JobStatus>,
    /// Only jobs of this pipeline, by its name
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only jobs of this label; with a * at its end, labels that begin so
    #[arg(long, value_name = "TEXT[*]")]
    pub(crate) label: Option<String>,
    /// Only jobs of this owner
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// Only jobs submitted at this time or later: 2026-11-23T05:27:00Z, or a day such as 2026-11-23 (UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only jobs submitted before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only jobs made from this one: its id, the beginning of it, or its label
    #[arg(long, value_name = "JOB")]
    pub(crate) parent: Option<String>,
    /// Only jobs of which somebody has retried items
    #[arg(long)]
    pub(crate) has_retries: bool,
    /// Sort by created, ended, priority, label or cost; with a minus before it, the greatest first [default: -created]
    #[arg(long, value_name = "[-]FIELD", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Go on after an earlier page, with the cursor it told
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) limit: u32,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// What a retry does again, and with which settings.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoundArgs {
    /// First stage of the new round [default: the pipeline's `retry_from`, or the stage that ended the item]
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    pub(crate) from: Option<String>,
    /// Do only these stages, and those between two of them, again (repeatable)
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Leave these stages as they are (repeatable)
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Set one setting for the new round (repeatable)
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Who decides, and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReviewerArgs {
    /// Who decides [default: who --as says, otherwise the system's user]
    #[arg(long = "by", value_name = "NAME")]
    pub(crate) actor: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only say what would become of each item
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `jobs retry`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RetryJobArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// Only items in this state (repeatable) [default: rejected, undecided, failed; any with --ids or a `state:` in --where]
    #[arg(long, value_name = "STATE", value_delimiter = ',', conflicts_with = "ids")]
    pub(crate) status: Vec<ItemStatus>,
    /// Only items for which this holds, for example 'stage:qc code:blurry sharpness<100'
    #[arg(long = "where", value_name = "QUERY", allow_hyphen_values = true, conflicts_with = "ids")]
    pub(crate) query: Option<String>,
    /// Only these items: ids, or the beginnings of them (repeatable)
    #[arg(long, value_name = "ITEM", value_delimiter = ',')]
    pub(crate) ids: Vec<String>,
    /// What is done again.
    #[command(flatten)]
    pub(crate) round: RoundArgs,
    /// Who and why.
    #[command(flatten)]
    pub(crate) by: ReviewerArgs,
    /// Do not ask before
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Arguments of `jobs rerun`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RerunArgs {
    /// Ids of jobs, the beginnings of them (at least 4 characters), or their labels; several run one after another
    #[arg(value_name = "JOB", required = true)]
    pub(crate) jobs: Vec<String>,
    /// Whose settings: as they were resolved then, or what pipeline and defaults say today
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    pub(crate) settings: WhoseSettings,
    /// Set one setting; wins over the others (repeatable)
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Take the answers that earlier jobs of the owner have to exactly the same requests, instead of making calls; the seed is
    /// the old job's then
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Name of the new job, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Make each new job only once: the same command with the same key goes on where it was cut off
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Only say what each new job would do: items, calls, answers used again, cost
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take turns with the other jobs of this key [default: the old job's, or one of their own when there are several]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Whose settings a rerun has.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum WhoseSettings {
    /// Those of the old job, as resolved then
    #[default]
    AsRun,
    /// What pipeline and defaults say today, under what the old request said itself
    Current,
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
