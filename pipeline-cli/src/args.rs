//! What can be typed: the commands, their arguments and the help texts.

mod calls;
mod hooks;
mod jobs;
mod logs;
mod looks;
mod number;
mod queue;
mod run;
mod saved;
mod spend;
mod store;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use pipeline_core::model::{FailureCode, ItemStatus};

use crate::output::{Format, LogLevel};

use number::whole;

pub(crate) use calls::{CallWord, CallsArgs, CallsCommand, ResolveArgs};
pub(crate) use hooks::{DeliveriesArgs, DeliveryWord, HookAddArgs, HookArgs, HooksCommand};
pub(crate) use jobs::{
    BudgetsCommand, CancelArgs, JobAndPrint, JobsCommand, ListJobsArgs, RerunArgs, RetryJobArgs, ReviewerArgs,
    RoundArgs, WhoseSettings,
};
pub(crate) use logs::LogsArgs;
pub(crate) use looks::{BundleArgs, ErrorsArgs, RetriesArgs, RetryWord, SheetArgs};
pub(crate) use queue::{GatesCommand, QueueCommand, WorkerArgs, WorkersCommand};
pub(crate) use run::{PipelineArgs, RequestArgs, RunArgs, SubmitArgs};
pub(crate) use saved::{SaveAsArgs, SaveSettingsArgs, SchedulesCommand, SettingsCommand, TemplatesCommand};
pub(crate) use spend::{By, SpendArgs};
pub(crate) use store::StoreCommand;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    all good
  1    error while running
  2    the request was wrong: arguments, pipeline file, settings, missing input
  3    finished, and some items are rejected, undecided, failed or wait for a person or a budget
  130  interrupted or paused; `pipeline jobs resume ID` goes on";

const QUERIES: &str = "\
Queries are terms side by side, all of which must hold; - before one turns it round:
  state:failed,rejected            in one of these states
  stage:qc                         whose walk this stage has ended
  code:timeout                     whose walk a failure or a reason with this code has ended
  round:2  round>1                 in such a round
  id:0198  name:*cat*              whose id begins so; whose name is such (* is any text)
  cost>=0.05                       that have cost so much, in dollars
  tag:cat                          with this tag
  sharpness<100  qc.sharpness<100  for which a stage, or this stage, has recorded such a value
  keyword:heron                    whose input has such a value
  \"red car\"                        with this text in name, input or results

Examples:
  pipeline items list JOB --where 'state:rejected sharpness<100'
  pipeline jobs retry JOB --where 'stage:generate code:timeout' --from generate";

/// Runs durable AI media jobs: pipelines of stages over many items, resumable after any crash.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version, after_help = EXIT_CODES, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Folder of the database and the artifacts [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "PIPELINE_HOME", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
    /// Record store, `sqlite:PATH`, `postgres://…` or `memory:` [default: pipeline.db in the home folder]
    #[arg(long, global = true, value_name = "URL", env = "PIPELINE_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,
    /// Where files are kept, a folder or `s3://BUCKET/PREFIX` [default: artifacts in the home folder]
    #[arg(long, global = true, value_name = "URL|DIR", env = "PIPELINE_ARTIFACTS", hide_env_values = true)]
    pub(crate) artifacts: Option<String>,
    /// Providers file: TOML with a section for each provider [default: providers.toml in the home folder, if there]
    #[arg(long, global = true, value_name = "FILE", env = "PIPELINE_PROVIDERS", hide_env_values = true)]
    pub(crate) providers: Option<PathBuf>,
    /// Act for this owner: what is made is theirs, and what is others' is not there [default: what is made is that of
    /// `system`, and everything is there]
    #[arg(long = "as", global = true, value_name = "OWNER", env = "PIPELINE_AS", hide_env_values = true)]
    pub(crate) acting_for: Option<String>,
    /// Show what goes on inside, on stderr (-vv shows more)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log from this level on, on stderr: off, error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        hide_possible_values = true,
        env = "PIPELINE_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<LogLevel>,
    /// What is kept for `pipeline logs`, from this level on: off, error, warn, info or debug [default: info]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_parser = ["off", "error", "warn", "info", "debug"],
        hide_possible_values = true,
        env = "PIPELINE_KEEP_LOGS",
        hide_env_values = true
    )]
    pub(crate) keep_logs: Option<String>,
    /// Show no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline over inputs, and follow it to its end
    Run(RunArgs),
    /// Submit a job for workers to run, and print its id
    Submit(SubmitArgs),
    /// Work on the jobs of the store, beside any number of other workers
    Worker(WorkerArgs),
    /// Look at pipelines: presets and files
    #[command(subcommand)]
    Pipelines(PipelinesCommand),
    /// Look at jobs, follow, pause, cancel, resume, retry and rerun them
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Look at the templates: requests kept under a name, for `run NAME`
    #[command(subcommand)]
    Templates(TemplatesCommand),
    /// Save settings under a name, for `run … --with NAME`
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Look at the recurring jobs, pause and resume them
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// Look at the queue, pause and resume all work
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Look at the workers
    #[command(subcommand)]
    Workers(WorkersCommand),
    /// Look at the gates before providers, close and open them
    #[command(subcommand)]
    Gates(GatesCommand),
    /// Look at the budgets, and set those of owners
    #[command(subcommand)]
    Budgets(BudgetsCommand),
    /// Look at the calls of providers, and decide about those of which nobody knows what became
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Add up what calls have cost: by job, stage, provider, model, prompt, owner or day
    Spend(SpendArgs),
    /// Look at the items of a job, and decide about those that ended
    #[command(subcommand)]
    Items(ItemsCommand),
    /// Print what happened step by step: the kept logs of a job, or of all
    Logs(LogsArgs),
    /// Tell receivers and programs of what happens to jobs
    #[command(subcommand)]
    Hooks(HooksCommand),
    /// Look up what an error code means, and what helps
    Errors(ErrorsArgs),
    /// Look at settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the providers
    #[command(subcommand)]
    Providers(ProvidersCommand),
    /// Look after the store: count, prove, tidy up
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check that everything this program needs is in order
    Doctor(PrintArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct PrintArgs {
    /// How the answer is printed: table, json, ndjson or csv
    #[arg(short, long, value_name = "FORMAT", value_enum, hide_possible_values = true, default_value_t)]
    pub(crate) output: Format,
}

/// Commands about pipelines.
#[derive(Debug, Subcommand)]
pub(crate) enum PipelinesCommand {
    /// List the presets
    List(PrintArgs),
    /// Show the stages of a pipeline and every setting they take
    Show(PipelineAndPrint),
    /// Check a pipeline file, and report everything that is wrong
    Validate(PipelineAndPrint),
    /// Draw the stages
    Graph {
        /// Which pipeline.
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Draw for Graphviz
        #[arg(long)]
        dot: bool,
    },
}

/// A pipeline, and how to print.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PipelineAndPrint {
    /// Which pipeline.
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about items.
#[derive(Debug, Subcommand)]
pub(crate) enum ItemsCommand {
    /// List the items of a job
    #[command(after_help = QUERIES)]
    List {
        /// Which job and how.
        #[command(flatten)]
        job: JobAndPrint,
        /// Only items in this state (repeatable): pending, running, waiting, succeeded, filtered, rejected, undecided,
        /// failed, cancelled
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        status: Vec<ItemStatus>,
        /// Only items for which this holds, for example 'stage:qc sharpness<100 "red car"' (see below)
        #[arg(long = "where", value_name = "QUERY", allow_hyphen_values = true)]
        query: Option<String>,
        /// Which more.
        #[command(flatten)]
        page: ItemPageArgs,
    },
    /// Show one item: every stage with state, reasons, results and files
    Show {
        /// Id of the item, or the beginning of it (at least 4 characters)
        #[arg(value_name = "ITEM")]
        item: String,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Tell the story of one item in order: rounds, conditions, tries, waits, calls, files, and what can be done next
    Explain {
        /// Id of the item, or the beginning of it (at least 4 characters)
        #[arg(value_name = "ITEM")]
        item: String,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Let rejected or undecided items go on after the check that stopped them
    Approve(ReviewArgs),
    /// Mark items as not wanted; their state stays
    Discard(ReviewArgs),
    /// Begin another round of items: what is done before stays, checks are not repeated unless named
    Retry {
        /// Which items.
        #[command(flatten)]
        review: ReviewArgs,
        /// What is done again.
        #[command(flatten)]
        round: RoundArgs,
    },
}

/// Which items to list beside their states, and where the page begins.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ItemPageArgs {
    /// Only items whose walk ended at this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// Only items that a failure of this code ended, for example timeout or crash_loop
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<FailureCode>,
    /// Only items in this round; the first is 1
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) round: Option<u32>,
    /// At most this many [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) limit: Option<u32>,
    /// Go on after an earlier page, with the cursor it told
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// Items, and who decides about them.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Ids of items, or the beginnings of them (at least 4 characters)
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<String>,
    /// Who and why.
    #[command(flatten)]
    pub(crate) by: ReviewerArgs,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting of a pipeline as it would be used
    Show {
        /// Which pipeline and how.
        #[command(flatten)]
        pipeline: PipelineAndPrint,
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        /// Only settings that somebody set
        #[arg(long)]
        changed: bool,
    },
}

/// Commands about providers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// List the providers settings can name
    List(PrintArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_reads_as_written() {
        let cli = Cli::try_parse_from([
            "pipeline",
            "run",
            "factory",
            "-i",
            "a.txt",
            "-i",
            "b.txt",
            "--count",
            "3",
            "--set",
            "generate.seed=1",
            "-o",
            "json",
            "--priority",
            "-2",
        ]);
        let Command::Run(run) = cli.unwrap().command else { panic!("not a run") };
        let RequestArgs { input, count, priority, .. } = &run.request;
        assert_eq!((input.len(), *count, *priority), (2, Some(3), Some(-2)));
        assert_eq!(run.print.output, Format::Json);
    }

    #[test]
    fn a_key_limit_needs_a_key_and_a_cancellation_a_job_or_all() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' '));
        parse("pipeline submit factory --key a --key-limit 2").unwrap();
        parse("pipeline submit factory --key-limit 2").unwrap_err();
        parse("pipeline jobs cancel --all --yes").unwrap();
        parse("pipeline jobs cancel abcd --force").unwrap();
        parse("pipeline jobs cancel").unwrap_err();
        parse("pipeline jobs cancel abcd --all").unwrap_err();
    }

    #[test]
    fn states_are_words_separated_by_commas_or_repeated() {
        let cli = Cli::try_parse_from(["pipeline", "items", "list", "abcd", "--status", "failed,rejected"]).unwrap();
        let Command::Items(ItemsCommand::List { status, .. }) = cli.command else { panic!("not a list") };
        assert_eq!(status, [ItemStatus::Failed, ItemStatus::Rejected]);
        let wrong = Cli::try_parse_from(["pipeline", "items", "list", "abcd", "--status", "done"]).unwrap_err();
        assert!(wrong.to_string().contains("succeeded"), "{wrong}");
    }
}
