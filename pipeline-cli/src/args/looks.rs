//! Arguments of the commands that look closer: errors, retries, the archive of a job, its contact sheet.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use pipeline_core::model::ItemStatus;

use super::PrintArgs;
use super::jobs::JobAndPrint;
use super::number::whole;

/// Arguments of `errors`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ErrorsArgs {
    /// A code, for example `timeout`, a support id, for example P106, or the code an old product had for it
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Arguments of `jobs retries`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RetriesArgs {
    /// Id of the job, the beginning of it (at least 4 characters), or its label [default: every job]
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only those in this state (repeatable): pending, running, done, failed, cancelled
    #[arg(long, value_name = "STATE", value_enum, hide_possible_values = true, value_delimiter = ',')]
    pub(crate) state: Vec<RetryWord>,
    /// Only decisions before the one of this number, the last one of the page before
    #[arg(long, value_name = "NUMBER")]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=i64::MAX))]
    pub(crate) before: Option<i64>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) limit: u32,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Where a retry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RetryWord {
    /// Not begun, or it waits
    Pending,
    /// A worker holds it
    Running,
    /// It ended well
    Done,
    /// It is rejected, undecided or failed again
    Failed,
    /// Its job was cancelled
    Cancelled,
}

/// Arguments of `jobs bundle`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BundleArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// Where the archive goes; never over a file that is there [default: pipeline-bundle-JOB.tar.gz here]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Leave texts in it: keywords, prompts, labels, paths, names, answers of vendors
    #[arg(long)]
    pub(crate) with_content: bool,
}

/// Arguments of `jobs sheet`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SheetArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// Where the page goes [default: pipeline-sheet-JOB.html here, unless --png is given]
    #[arg(long, value_name = "FILE.html")]
    pub(crate) out: Option<PathBuf>,
    /// Where a picture of the page goes
    #[arg(long, value_name = "FILE.png")]
    pub(crate) png: Option<PathBuf>,
    /// Only items for which this holds, for example 'stage:qc code:blurry sharpness<100'
    #[arg(long = "where", value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    /// Only items in this state (repeatable)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) status: Vec<ItemStatus>,
    /// Longest side of the small pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256)]
    #[arg(allow_negative_numbers = true, value_parser = whole(96..=512_u32))]
    pub(crate) size: u32,
    /// Pictures beside each other in the PNG [default: as many as give it the shape of a page]
    #[arg(long, value_name = "N", requires = "png")]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=1000_u32))]
    pub(crate) columns: Option<u32>,
    /// Replace files that are there
    #[arg(long)]
    pub(crate) force: bool,
}
