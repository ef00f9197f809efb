//! What can be typed: the commands, their arguments and the help texts.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use pipeline_core::model::ItemStatus;

use crate::output::{Format, LogLevel};

const EXIT_CODES: &str = "\
Exit codes:
  0    all good
  1    error while running
  2    the request was wrong: arguments, pipeline file, settings, missing input
  3    finished, and some items are rejected, undecided, failed or wait for a person
  130  interrupted; `pipeline jobs resume ID` goes on";

const RUN_EXAMPLES: &str = "\
Examples:
  pipeline run factory -i keywords.txt --count 8 --out finished
  pipeline run factory -i keywords.csv --set generate.variations=4 --set generate.sizes=1024x1024 --dry-run
  pipeline run enhance -i photos/ --set process.sharpen=3 --out better -o json
  pipeline run my-pipeline.toml --settings house-style.toml

`pipeline pipelines show factory` lists every setting with what it accepts.";

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
    /// Record store, `sqlite:PATH` or `memory:` [default: pipeline.db in the home folder]
    #[arg(long, global = true, value_name = "URL", env = "PIPELINE_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,
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
    /// Show no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline over inputs, and follow it to its end
    Run(RunArgs),
    /// Look at pipelines: presets and files
    #[command(subcommand)]
    Pipelines(PipelinesCommand),
    /// Look at jobs, follow, cancel and resume them
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Look at the items of a job
    #[command(subcommand)]
    Items(ItemsCommand),
    /// Print a job's event history
    Logs(LogsArgs),
    /// Look at settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the providers
    #[command(subcommand)]
    Providers(ProvidersCommand),
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

/// Which pipeline, with which settings.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PipelineArgs {
    /// Name of a preset, or path of a pipeline file (.toml or .json)
    #[arg(value_name = "PRESET|FILE")]
    pub(crate) pipeline: String,
    /// Set one setting; wins over files and environment (repeatable)
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Settings file: TOML with a table for each stage (repeatable; later ones win)
    #[arg(long = "settings", value_name = "FILE")]
    pub(crate) settings: Vec<PathBuf>,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// Which pipeline.
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Input file or folder: pictures, or a list of keywords (.txt, .csv) (repeatable)
    #[arg(short, long = "input", value_name = "PATH")]
    pub(crate) input: Vec<String>,
    /// How many items to make [default: one for each input]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// Folder for finished files; without one they stay in the artifact store
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Name of the job, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Higher is served first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) priority: i32,
    /// Only say what would be done: items, stages, calls, estimated cost and time
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
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
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
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
        #[arg(long, value_name = "SEQ", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
        from: i64,
    },
    /// Cancel a job; what is finished stays
    Cancel(JobAndPrint),
    /// Go on with an interrupted job
    Resume(JobAndPrint),
}

/// Commands about items.
#[derive(Debug, Subcommand)]
pub(crate) enum ItemsCommand {
    /// List the items of a job
    List {
        /// Which job and how.
        #[command(flatten)]
        job: JobAndPrint,
        /// Only items in this state (repeatable): pending, running, waiting, succeeded, filtered, rejected, undecided,
        /// failed, cancelled
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        status: Vec<ItemStatus>,
        /// At most this many [default: all]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
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
}

/// Arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// First event to show; 1 is the first of the job
    #[arg(long, value_name = "SEQ", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) from: i64,
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
        assert_eq!((run.input.len(), run.count, run.priority), (2, Some(3), -2));
        assert_eq!(run.print.output, Format::Json);
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
