//! Arguments of the commands about the store.

use std::path::PathBuf;

use clap::Subcommand;

use pipeline_core::model::JobStatus;

use super::PrintArgs;
use super::number::whole;

/// Commands about the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Count what the store keeps: records by kind, artifacts, sizes
    Stats(PrintArgs),
    /// Bring the schema of the store to this version, and say what was applied
    Migrate {
        /// Only say what would be applied
        #[arg(long)]
        check: bool,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Prove counters, sums, sequences, references and files; exit code 1 when something is wrong
    Verify {
        /// Do not read the files, only look whether they are there
        #[arg(long)]
        no_content: bool,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Remove files that no record names
    Gc {
        /// Keep what was put within this time: its record may be on its way
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        grace: String,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Write a backup of records and files into a new folder below DIR; workers go on meanwhile
    Backup {
        /// Folder of the backups
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Keep so many backups, and remove older ones once the new one is whole [default: all]
        #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
        keep: Option<u32>,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Remove jobs that ended long ago; what their calls have cost stays in the ledger
    Prune {
        /// Only jobs that ended longer ago, for example 30d
        #[arg(long, value_name = "SPAN")]
        older_than: String,
        /// Only jobs that ended so (repeatable): completed, completed_with_failures, failed, cancelled, empty
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        state: Vec<JobStatus>,
        /// Remove no jobs, only what the logs of all jobs tell of a time longer ago
        #[arg(long, conflicts_with = "state")]
        logs_only: bool,
        /// Only say which would be removed
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Restore a backup, where there is no store yet
    Restore {
        /// Folder of a backup, or of several: then the newest
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// How.
        #[command(flatten)]
        print: PrintArgs,
    },
}

impl StoreCommand {
    /// Returns how the answer is printed.
    pub(crate) const fn print(&self) -> PrintArgs {
        match self {
            Self::Stats(print)
            | Self::Migrate { print, .. }
            | Self::Verify { print, .. }
            | Self::Gc { print, .. }
            | Self::Backup { print, .. }
            | Self::Prune { print, .. }
            | Self::Restore { print, .. } => *print,
        }
    }
}
