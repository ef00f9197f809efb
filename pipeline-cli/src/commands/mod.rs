//! The commands: each takes resolved arguments and somewhere to print.

mod config;
mod doctor;
mod drive;
mod history;
mod items;
mod jobs;
mod pipelines;
mod providers;
mod run;
mod summary;
mod why;

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{
    Cli, Command, ConfigCommand, Global, ItemsCommand, JobsCommand, PipelinesCommand, PrintArgs, ProvidersCommand,
};
use crate::home::Home;
use crate::output::{Exit, Failure, Format, Output};
use crate::request;
use crate::signals::Signals;
use crate::wiring::Wired;

/// Tells whether a command, when interrupted, first brings to an end what it has begun.
pub(crate) const fn ends_in_order(command: &Command) -> bool {
    match command {
        Command::Run(args) => !args.dry_run,
        Command::Jobs(JobsCommand::Resume(_)) => true,
        _ => false,
    }
}

/// Does a command.
pub(crate) async fn run(
    command: Command,
    global: &Global,
    home: &Home,
    signals: Option<Signals>,
) -> Result<Exit, Failure> {
    let mut stdout = io::stdout();
    let output = &mut Output::stdout(&mut stdout, print_args(&command).output);
    let wired = open(&command, home).await?;
    let engine = &wired.engine;
    let outcome = match command {
        Command::Run(args) if args.dry_run => run::preview(engine, &args, output).await,
        Command::Run(args) => run::run(engine, &args, global, signals, output).await,
        Command::Pipelines(PipelinesCommand::List(_)) => pipelines::list(output),
        Command::Pipelines(PipelinesCommand::Show(args)) => pipelines::show(engine, &args.pipeline, output),
        Command::Pipelines(PipelinesCommand::Validate(args)) => pipelines::validate(engine, &args.pipeline, output),
        Command::Pipelines(PipelinesCommand::Graph { pipeline, dot }) => {
            pipelines::draw(engine, &pipeline, dot, output)
        }
        Command::Jobs(JobsCommand::List { limit, .. }) => jobs::list(engine, limit, output).await,
        Command::Jobs(JobsCommand::Show(args)) => jobs::show(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Watch { job, from }) => history::watch(engine, &job.job, from, output).await,
        Command::Jobs(JobsCommand::Cancel(args)) => jobs::cancel(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Resume(args)) => run::resume(engine, &args.job, global, signals, output).await,
        Command::Items(ItemsCommand::List { job, status, limit }) => {
            items::list(engine, &job.job, status, limit, output).await
        }
        Command::Items(ItemsCommand::Show { item, .. }) => items::show(engine, &item, output).await,
        Command::Logs(args) => history::logs(engine, &args.job.job, args.from, output).await,
        Command::Config(ConfigCommand::Show { pipeline, origin, changed }) => {
            config::show(engine, &pipeline.pipeline, origin, changed, output)
        }
        Command::Providers(ProvidersCommand::List(_)) => providers::list(engine, output),
        Command::Doctor(_) => doctor::run(engine, home, output).await,
        Command::Completions { shell } => completions(shell),
    };
    wired.close().await;
    outcome
}

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pipeline", &mut script);
    let mut stdout = io::stdout();
    let mut output = Output::stdout(&mut stdout, Format::Table);
    output.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}

/// Opens as little as the command needs: looking makes nothing.
async fn open(command: &Command, home: &Home) -> Result<Wired, Failure> {
    match command {
        Command::Run(args) if !args.dry_run => {
            // A request that cannot even be read makes nothing.
            request::of_run(args)?;
            Wired::open(home).await
        }
        Command::Run(_) | Command::Jobs(_) | Command::Items(_) | Command::Logs(_) => Wired::read(home).await,
        Command::Pipelines(_)
        | Command::Config(_)
        | Command::Providers(_)
        | Command::Doctor(_)
        | Command::Completions { .. } => Wired::memory(),
    }
}

fn print_args(command: &Command) -> PrintArgs {
    match command {
        Command::Run(args) => args.print,
        Command::Pipelines(PipelinesCommand::List(print))
        | Command::Providers(ProvidersCommand::List(print))
        | Command::Doctor(print)
        | Command::Jobs(JobsCommand::List { print, .. })
        | Command::Items(ItemsCommand::Show { print, .. }) => *print,
        Command::Pipelines(PipelinesCommand::Show(args) | PipelinesCommand::Validate(args)) => args.print,
        Command::Jobs(JobsCommand::Show(args) | JobsCommand::Cancel(args) | JobsCommand::Resume(args)) => args.print,
        Command::Jobs(JobsCommand::Watch { job, .. }) | Command::Items(ItemsCommand::List { job, .. }) => job.print,
        Command::Logs(args) => args.job.print,
        Command::Config(ConfigCommand::Show { pipeline, .. }) => pipeline.print,
        Command::Pipelines(PipelinesCommand::Graph { .. }) | Command::Completions { .. } => PrintArgs::default(),
    }
}
