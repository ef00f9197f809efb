//! Arguments of the commands about calls of providers.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::PrintArgs;
use super::number::whole;

/// Where a call stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CallWord {
    /// Sent, or about to be.
    Open,
    /// Unknown, and an item waits for a person to resolve it.
    Held,
    /// Nobody knows what became of it.
    Unknown,
    /// Answered with an error, or certainly not sent.
    Failed,
    /// Answered.
    Succeeded,
}

/// Commands about calls.
#[derive(Debug, Subcommand)]
pub(crate) enum CallsCommand {
    /// List the calls of providers, oldest first: state, cost, what they served
    List(CallsArgs),
    /// Show one call: request, answer, cost, the items it serves, what was decided
    Show {
        /// Id of the call
        #[arg(value_name = "CALL")]
        call: String,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Decide about a call of which nobody knows what became; the items that wait for it go on
    Resolve(ResolveArgs),
}

/// Arguments of `calls list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CallsArgs {
    /// Only of this job: its id, the beginning of it (at least 4 characters), or its label
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only those that serve this item: its id, or the beginning of it
    #[arg(long, value_name = "ITEM")]
    pub(crate) item: Option<String>,
    /// Only of this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// Only in this state (repeatable): open, held, unknown, failed, succeeded
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub(crate) state: Vec<CallWord>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) limit: u32,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Arguments of `calls resolve`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("decision").required(true).args(["result", "repeat", "give_up"]))]
pub(crate) struct ResolveArgs {
    /// Id of the call
    #[arg(value_name = "CALL")]
    pub(crate) call: String,
    /// The vendor has answered, with the raw response in this JSON file: the items go on with it
    #[arg(long, value_name = "FILE")]
    pub(crate) result: Option<PathBuf>,
    /// Make the call again, as a new one
    #[arg(long)]
    pub(crate) repeat: bool,
    /// Give up what it was for: its stage fails for the items
    #[arg(long)]
    pub(crate) give_up: bool,
    /// Dollars the vendor has charged for it, or 0 [default: what was reserved with --result, otherwise 0]
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    pub(crate) charged: Option<String>,
    /// Who decides [default: who --as says, otherwise the system's user]
    #[arg(long = "by", value_name = "NAME")]
    pub(crate) actor: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    pub(crate) reason: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
