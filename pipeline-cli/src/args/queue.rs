//! Arguments of the commands about work: the worker, the queue, the gates.

use clap::{Args, Subcommand};

use super::PrintArgs;
use super::number::whole;

const WORKER_EXAMPLES: &str = "\
Examples:
  pipeline worker                                  until it is stopped
  pipeline worker --drain                          until nothing is left
  pipeline worker --concurrency 4 --metrics 127.0.0.1:9464

Ctrl-C or SIGTERM: what runs is brought to an end, nothing more is started. A second one stops at once.";

/// Arguments of `worker`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = WORKER_EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// How many items are in work at once [default: 4 a core, at least 8]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    pub(crate) concurrency: Option<u32>,
    /// End when nothing is left that could go on by itself
    #[arg(long)]
    pub(crate) drain: bool,
    /// How long what runs may take to end once the worker is asked to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(allow_negative_numbers = true, value_parser = whole(0..=86_400_u64))]
    pub(crate) drain_timeout: u64,
    /// Serve metrics for Prometheus at http://ADDR/metrics; ADDR is HOST:PORT, or PORT on this machine only
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<String>,
    /// How often to look for work that others submitted, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    #[arg(allow_negative_numbers = true, value_parser = whole(1..=3_600_000_u64))]
    pub(crate) poll: u64,
    /// How long this worker counts as alive when it is not heard of, in seconds: so long its items wait for it
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(allow_negative_numbers = true, value_parser = whole(3..=3_600_u64))]
    pub(crate) lease: u64,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Show what stands in the queue: jobs, items, gates
    Status(PrintArgs),
    /// Pause all work of the store: nothing starts until it is resumed; what runs ends
    Pause(PrintArgs),
    /// Resume all work of the store
    Resume(PrintArgs),
}

/// Commands about workers.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the processes that work on jobs of the store
    List(PrintArgs),
}

/// Commands about gates.
#[derive(Debug, Subcommand)]
pub(crate) enum GatesCommand {
    /// List the gates: closed or open, calls in flight, limits, what waits
    List(PrintArgs),
    /// Open a gate before its time, and forget its outages
    Open(GateArgs),
    /// Close a gate for a while: no call passes it, in any process
    Close {
        /// Which gate and how.
        #[command(flatten)]
        gate: GateArgs,
        /// For how long, for example 90s, 10m or 2h30m
        #[arg(long = "for", value_name = "TIME")]
        pause: String,
        /// Why, for people
        #[arg(long, value_name = "TEXT", default_value = "closed by a person")]
        reason: String,
    },
}

/// A gate, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct GateArgs {
    /// Name of the gate, or of the provider behind it
    #[arg(value_name = "GATE")]
    pub(crate) gate: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
