//! Arguments of the commands about hooks.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::PrintArgs;
use super::number::whole;

/// Commands about hooks.
#[derive(Debug, Subcommand)]
pub(crate) enum HooksCommand {
    /// Tell a receiver or a program of what happens to jobs from now on
    Add(HookAddArgs),
    /// List the hooks
    List(PrintArgs),
    /// Show one hook: where it leads, what it tells of, how often it tries
    Show(HookArgs),
    /// Deliver nothing of a hook until it is resumed; what happens meanwhile is delivered then
    Pause(HookArgs),
    /// Let a hook go on where it was; what waits for another try is tried at once
    Resume(HookArgs),
    /// Remove a hook with the record of its messages
    Rm(HookArgs),
    /// List the messages that were tried, the last ones first: state, tries, what went wrong
    Deliveries(DeliveriesArgs),
    /// Send the messages of a hook again that were given up, or one of any state; each once, now
    Retry {
        /// Which hook.
        #[command(flatten)]
        hook: HookArgs,
        /// Only this message, whatever became of it: its id
        #[arg(long, value_name = "ID")]
        message: Option<String>,
    },
    /// Deliver what is due now, without working on jobs
    Deliver {
        /// Only of this hook [default: all]
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Send one message of the type hook.test, and say how it was answered
    Test(HookArgs),
}

/// A hook, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct HookArgs {
    /// Name of the hook
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Arguments of `hooks add`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["url", "program"]))]
pub(crate) struct HookAddArgs {
    /// Name of the hook
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Send messages to this address, http or https, signed in the form of Standard Webhooks
    #[arg(long, value_name = "URL", requires = "secret")]
    pub(crate) url: Option<String>,
    /// Where the secret is that messages are signed with, `env:NAME` or `file:PATH` (repeatable: while it is changed)
    #[arg(long, value_name = "REF", conflicts_with = "program")]
    pub(crate) secret: Vec<String>,
    /// Let the address be on this machine or a private network
    #[arg(long, conflicts_with = "program")]
    pub(crate) allow_private: bool,
    /// Start this program for each message, with the message as its input
    #[arg(last = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<String>,
    /// What to tell of (repeatable): names of events, with * for any characters [default: job.*]
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Only of jobs of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only of jobs with this label
    #[arg(long, value_name = "LABEL")]
    pub(crate) job_label: Option<String>,
    /// How long a try may take, up to 60s
    #[arg(long, value_name = "SPAN", default_value = "15s")]
    pub(crate) timeout: String,
    /// How often a message is tried
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=10_u32))]
    pub(crate) attempts: u32,
    /// How long to wait after the first try; later waits grow from it: 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub(crate) retry_after: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Where a message stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeliveryWord {
    /// It is tried again.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// It was tried for the last time.
    Failed,
}

/// Arguments of `hooks deliveries`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeliveriesArgs {
    /// Only of this hook [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only about this job: its id, the beginning of it (at least 4 characters), or its label
    #[arg(long, value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only in this state: waiting, delivered, failed
    #[arg(long, value_name = "STATE", value_enum, hide_possible_values = true)]
    pub(crate) state: Option<DeliveryWord>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) limit: u32,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

impl HooksCommand {
    /// Returns how the answer is printed.
    pub(crate) const fn print(&self) -> PrintArgs {
        match self {
            Self::Add(args) => args.print,
            Self::List(print) | Self::Deliver { print, .. } => *print,
            Self::Show(args) | Self::Pause(args) | Self::Resume(args) | Self::Rm(args) | Self::Test(args) => args.print,
            Self::Deliveries(args) => args.print,
            Self::Retry { hook, .. } => hook.print,
        }
    }
}
