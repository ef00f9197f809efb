//! Arguments of the commands about templates, saved settings and schedules.

use clap::{Args, Subcommand};

use super::PrintArgs;
use super::jobs::JobAndPrint;

/// A name, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct NameAndPrint {
    /// The name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// Commands about templates.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplatesCommand {
    /// List the templates
    List(PrintArgs),
    /// Show what a template would submit
    Show(NameAndPrint),
    /// Remove a template
    Rm(NameAndPrint),
}

/// Commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Save settings under a name, for `--with NAME` of run and submit
    Save(SaveSettingsArgs),
    /// List the saved settings
    List(PrintArgs),
    /// Show saved settings
    Show(NameAndPrint),
    /// Remove saved settings
    Rm(NameAndPrint),
}

/// Commands about schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// List the recurring jobs: when each is due next, and what became of the last occasion
    List(PrintArgs),
    /// Show one recurring job
    Show(NameAndPrint),
    /// Stop a recurring job for now
    Pause(NameAndPrint),
    /// Let a recurring job go on; what was due meanwhile is left out
    Resume(NameAndPrint),
    /// Remove a recurring job; the jobs it made stay
    Rm(NameAndPrint),
}

/// Arguments of `jobs save-as`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SaveAsArgs {
    /// Which job and how.
    #[command(flatten)]
    pub(crate) job: JobAndPrint,
    /// Name of the template
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Take the place of a template of this name
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Arguments of `settings save`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SaveSettingsArgs {
    /// The name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Set one setting; wins over those of --from (repeatable)
    #[arg(long = "set", value_name = "STAGE.KEY=VALUE", required_unless_present = "from")]
    pub(crate) set: Vec<String>,
    /// Take the settings the request of this job gave
    #[arg(long, value_name = "JOB")]
    pub(crate) from: Option<String>,
    /// Take the place of settings of this name
    #[arg(long)]
    pub(crate) replace: bool,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
