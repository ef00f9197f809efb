//! Arguments of `spend`.

use clap::{Args, ValueEnum};

use super::PrintArgs;

/// By what spending is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The job.
    #[default]
    Job,
    /// The stage.
    Stage,
    /// The provider.
    Provider,
    /// The provider's model.
    Model,
    /// What was asked in words.
    Prompt,
    /// The owner.
    Owner,
    /// The day.
    Day,
}

/// Arguments of `spend`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SpendArgs {
    /// Add up by this: job, stage, provider, model, prompt, owner or day (UTC)
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true, default_value_t)]
    pub(crate) by: By,
    /// Only what was settled then or later: a time such as 2026-11-23T05:27:00Z, or a day such as 2026-11-23 (UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only what was settled before
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only of this job: its id, the beginning of it (at least 4 characters), or its label
    #[arg(long, value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only of the jobs of this owner
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// How.
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}
