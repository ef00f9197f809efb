//! Arguments of `run` and `submit`: what is wanted done.

use std::path::PathBuf;

use clap::Args;

use super::PrintArgs;
use super::number::whole;

const RUN_EXAMPLES: &str = "\
Examples:
  pipeline run factory -i keywords.txt --count 8 --out finished
  pipeline run factory -i keywords.csv --set generate.variations=4 --dry-run
  pipeline run enhance -i photos/ --set process.sharpen=3 --out better -o json
  pipeline run my-pipeline.toml --settings house-style.toml --budget 5.00
  pipeline run factory -i keywords.txt --every '0 6 * * MON-FRI' --timezone Europe/Berlin

`pipeline pipelines show factory` lists every setting with what it accepts.";

const SUBMIT_EXAMPLES: &str = "\
Examples:
  pipeline submit factory -i keywords.txt --out finished
  pipeline submit factory -i keywords.txt --at 22:00 --priority 5
  pipeline submit enhance -i photos/ --key photos --idempotency-key 2026-11-23

`pipeline worker` runs what was submitted.";

/// Which pipeline, with which settings.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PipelineArgs {
    /// Name of a preset, path of a pipeline file (.toml or .json), or, for run and submit, name of a template
    #[arg(value_name = "PRESET|FILE|TEMPLATE")]
    pub(crate) pipeline: String,
    /// Set one setting; wins over files and environment (repeatable)
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Settings file: TOML with a table for each stage (repeatable; later ones win)
    #[arg(long = "settings", value_name = "FILE")]
    pub(crate) settings: Vec<PathBuf>,
}

/// What is wanted done, and when.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RequestArgs {
    /// Which pipeline.
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Settings saved with `pipeline settings save`; win over files (repeatable; later ones win)
    #[arg(long = "with", value_name = "NAME")]
    pub(crate) with: Vec<String>,
    /// Input file or folder: pictures, or a list of keywords (.txt, .csv) (repeatable)
    #[arg(short, long = "input", value_name = "PATH")]
    pub(crate) input: Vec<String>,
    /// How many items to make [default: one for each input]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) count: Option<u32>,
    /// Folder for finished files; without one they stay in the artifact store
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Name of the job, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Higher is served first [default: 0, or the template's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(i32::MIN..=i32::MAX))]
    pub(crate) priority: Option<i32>,
    /// Take turns with the other jobs of this key
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// How many jobs of the key are in work at once [default: 1]
    #[arg(long, value_name = "N", requires = "key", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) key_limit: Option<u32>,
    /// Start no earlier: a time such as 2026-11-23T05:27:00Z, HH:MM (local, today or tomorrow), or +2h30m from now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Submit it again and again instead of now: five fields of cron, for example "0 6 * * *"; named by --label
    #[arg(long, value_name = "CRON", conflicts_with_all = ["at", "idempotency_key"])]
    pub(crate) every: Option<String>,
    /// Time zone of --every, such as Europe/Berlin [default: the machine's]
    #[arg(long, value_name = "TZ", requires = "every")]
    pub(crate) timezone: Option<String>,
    /// With --every, submit although the last job of it has not ended; otherwise that occasion is left out
    #[arg(long, requires = "every")]
    pub(crate) overlap: bool,
    /// What its calls may cost in all, in dollars: a call that would pass that waits until the budget is raised
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub(crate) budget: Option<String>,
    /// What a call costs at most whose provider does not say its price, in dollars [the same as --set job.max_cost=…]
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub(crate) max_cost: Option<String>,
    /// Take the answers that earlier jobs of the owner have to exactly the same requests, instead of making calls [the same as
    /// --set job.cache=exact; what depends on the seed is the same only with the same --set job.seed=…]
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Submit only once: the same key and request find the job of the first time
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// What.
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Only say what would be done: items, stages, calls, estimated cost and time
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Arguments of `submit`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = SUBMIT_EXAMPLES)]
pub(crate) struct SubmitArgs {
    /// What.
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
