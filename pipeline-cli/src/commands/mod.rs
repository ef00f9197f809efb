//! The commands: each takes resolved arguments and somewhere to print.

mod budgets;
mod bundle;
mod calls;
mod cancel;
mod config;
mod confirm;
mod doctor;
mod drive;
mod errors;
mod estimate;
mod explain;
mod gates;
mod history;
mod hooks;
mod items;
mod jobs;
mod logs;
mod names;
mod pipelines;
mod providers;
mod query;
mod queue;
mod rerun;
mod retries;
mod review;
mod rounds;
mod run;
mod schedules;
mod sheet;
mod spend;
mod stages;
mod store;
mod summary;
mod templates;
mod why;
mod worker;
mod workers;

use std::io;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{
    BudgetsCommand, CallsCommand, Cli, Command, ConfigCommand, GatesCommand, Global, HooksCommand, ItemsCommand,
    JobsCommand, PipelinesCommand, PrintArgs, ProvidersCommand, QueueCommand, RequestArgs, SchedulesCommand,
    SettingsCommand, StoreCommand, TemplatesCommand, WorkersCommand,
};
use pipeline_core::storage::SavedKind;

use crate::home::{Home, StoreChoice};
use crate::output::{Exit, Failure, Format, Output, notice};
use crate::request;
use crate::signals::Signals;
use crate::wiring::{Tuning, Wired};

/// Tells whether a command, when interrupted, first brings to an end what it has begun.
pub(crate) const fn ends_in_order(command: &Command) -> bool {
    match command {
        Command::Run(args) => !args.dry_run,
        Command::Worker(_) | Command::Jobs(JobsCommand::Resume(_)) => true,
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
    if let Some(caution) = wired.caution() {
        notice(&format!("warning: {caution}"));
    }
    let engine = &wired.engine;
    let outcome = match command {
        Command::Run(args) if args.dry_run => run::preview(engine, &args, output).await,
        Command::Run(args) => run::run(engine, &args, global, signals, output).await,
        Command::Submit(args) => run::submit(engine, &args, output).await,
        Command::Worker(args) => worker::work(engine, &args, signals, output).await,
        Command::Pipelines(PipelinesCommand::List(_)) => pipelines::list(output),
        Command::Pipelines(PipelinesCommand::Show(args)) => pipelines::show(engine, &args.pipeline, output),
        Command::Pipelines(PipelinesCommand::Validate(args)) => pipelines::validate(engine, &args.pipeline, output),
        Command::Pipelines(PipelinesCommand::Graph { pipeline, dot }) => {
            pipelines::draw(engine, &pipeline, dot, output)
        }
        Command::Jobs(JobsCommand::List(args)) => jobs::list(engine, &args, output).await,
        Command::Jobs(JobsCommand::SaveAs(args)) => templates::save_as(engine, &args, output).await,
        Command::Jobs(JobsCommand::Show(args)) => jobs::show(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Watch { job, from }) => history::watch(engine, &job.job, from, output).await,
        Command::Jobs(JobsCommand::Pause(args)) => jobs::pause(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Unpause(args)) => jobs::unpause(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Budget { job, amount }) => {
            budgets::of_job(engine, &job, &amount.amount, output).await
        }
        Command::Calls(CallsCommand::List(args)) => calls::list(engine, &args, output).await,
        Command::Calls(CallsCommand::Show { call, .. }) => calls::show(engine, &call, output).await,
        Command::Calls(CallsCommand::Resolve(args)) => calls::resolve(engine, &args, output).await,
        Command::Spend(args) => spend::spend(engine, &args, output).await,
        Command::Budgets(BudgetsCommand::List(_)) => budgets::list(engine, output).await,
        Command::Budgets(BudgetsCommand::Set { owner, amount }) => {
            budgets::set(engine, &owner, &amount.amount, output).await
        }
        Command::Jobs(JobsCommand::Cancel(args)) => cancel::cancel(engine, &args, output).await,
        Command::Jobs(JobsCommand::Rename { job, label }) => jobs::rename(engine, &job.job, &label, output).await,
        Command::Jobs(JobsCommand::Delete(args)) => jobs::delete(engine, &args.job, output).await,
        Command::Jobs(JobsCommand::Resume(args)) => run::resume(engine, &args.job, global, signals, output).await,
        Command::Templates(TemplatesCommand::List(_)) => templates::list(engine, SavedKind::Template, output).await,
        Command::Templates(TemplatesCommand::Show(args)) => {
            templates::show(engine, SavedKind::Template, &args.name, output).await
        }
        Command::Templates(TemplatesCommand::Rm(args)) => {
            templates::forget(engine, SavedKind::Template, &args.name, output).await
        }
        Command::Settings(SettingsCommand::Save(args)) => templates::save_settings(engine, &args, output).await,
        Command::Settings(SettingsCommand::List(_)) => templates::list(engine, SavedKind::Settings, output).await,
        Command::Settings(SettingsCommand::Show(args)) => {
            templates::show(engine, SavedKind::Settings, &args.name, output).await
        }
        Command::Settings(SettingsCommand::Rm(args)) => {
            templates::forget(engine, SavedKind::Settings, &args.name, output).await
        }
        Command::Schedules(SchedulesCommand::List(_)) => schedules::list(engine, output).await,
        Command::Schedules(SchedulesCommand::Show(args)) => schedules::show(engine, &args.name, output).await,
        Command::Schedules(SchedulesCommand::Pause(args)) => schedules::pause(engine, &args.name, output).await,
        Command::Schedules(SchedulesCommand::Resume(args)) => schedules::resume(engine, &args.name, output).await,
        Command::Schedules(SchedulesCommand::Rm(args)) => schedules::remove(engine, &args.name, output).await,
        Command::Queue(QueueCommand::Status(_)) => queue::status(engine, output).await,
        Command::Queue(QueueCommand::Pause(_)) => queue::pause(engine, true, output).await,
        Command::Queue(QueueCommand::Resume(_)) => queue::pause(engine, false, output).await,
        Command::Workers(WorkersCommand::List(_)) => workers::list(engine, output).await,
        Command::Gates(GatesCommand::List(_)) => gates::list(engine, output).await,
        Command::Gates(GatesCommand::Open(args)) => gates::open(engine, &args.gate, output).await,
        Command::Gates(GatesCommand::Close { gate, pause, reason }) => {
            gates::close(engine, &gate.gate, &pause, &reason, output).await
        }
        Command::Hooks(command) => hooks::run(engine, &command, output).await,
        Command::Items(ItemsCommand::List { job, status, query, page }) => {
            let query = query.as_deref().unwrap_or_default();
            items::list(engine, &job.job, (query, &status), &page, output).await
        }
        Command::Items(ItemsCommand::Show { item, .. }) => items::show(engine, &item, output).await,
        Command::Items(ItemsCommand::Explain { item, .. }) => explain::explain(engine, &item, output).await,
        Command::Items(ItemsCommand::Approve(args)) => review::approve(engine, &args, output).await,
        Command::Items(ItemsCommand::Discard(args)) => review::discard(engine, &args, output).await,
        Command::Items(ItemsCommand::Retry { review, round }) => review::retry(engine, &review, &round, output).await,
        Command::Jobs(JobsCommand::Retry(args)) => review::retry_job(engine, &args, output).await,
        Command::Jobs(JobsCommand::Retries(args)) => retries::list(engine, &args, output).await,
        Command::Jobs(JobsCommand::Bundle(args)) => bundle::bundle(engine, home, &args, output).await,
        Command::Jobs(JobsCommand::Sheet(args)) => sheet::sheet(engine, home, &args, output).await,
        Command::Jobs(JobsCommand::Rerun(args)) => rerun::rerun(engine, &args, output).await,
        Command::Logs(args) => logs::logs(engine, &args, output).await,
        Command::Config(ConfigCommand::Show { pipeline, origin, changed }) => {
            config::show(engine, &pipeline.pipeline, origin, changed, output)
        }
        Command::Providers(ProvidersCommand::List(_)) => providers::list(engine, output),
        Command::Store(command) => store::run(&wired, home, &command, output).await,
        Command::Errors(args) => errors::errors(args.code.as_deref(), output),
        Command::Doctor(_) => doctor::run(home, output).await,
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

/// A request that cannot even be read makes nothing.
async fn readable(args: &RequestArgs, home: &Home) -> Result<(), Failure> {
    let wired = if request::is_saved(args) && home.has_records() {
        Wired::preview(home).await?
    } else {
        Wired::memory(home.providers.as_deref())?
    };
    let read = request::of_request(&wired.engine, args).await.map(drop);
    wired.close().await;
    read
}

/// Opens as little as the command needs: looking makes nothing.
async fn open(command: &Command, home: &Home) -> Result<Wired, Failure> {
    match command {
        Command::Submit(_) | Command::Worker(_) if home.store == StoreChoice::Memory => {
            Err(Failure::wrong("--store memory: ends with this process, so no worker would find the job")
                .hint("`pipeline run` submits and works in one process; --store sqlite:PATH keeps jobs"))
        }
        Command::Worker(_) if home.owner.is_some() => {
            Err(Failure::wrong("--as: a worker works on the jobs of every owner")
                .hint("leave --as and PIPELINE_AS out; `pipeline run` works on one job alone"))
        }
        Command::Run(args) if args.dry_run => Wired::preview(home).await,
        Command::Run(args) => {
            readable(&args.request, home).await?;
            Wired::work(home, Tuning::default()).await
        }
        Command::Submit(args) => {
            readable(&args.request, home).await?;
            Wired::submit(home).await
        }
        Command::Worker(args) => {
            let (poll, lease) = (Duration::from_millis(args.poll), Duration::from_secs(args.lease));
            let tuning = Tuning { concurrency: args.concurrency, poll: Some(poll), lease: Some(lease) };
            Wired::work(home, tuning).await
        }
        Command::Jobs(JobsCommand::Resume(_)) if home.has_records() => Wired::work(home, Tuning::default()).await,
        Command::Queue(QueueCommand::Pause(_) | QueueCommand::Resume(_))
        | Command::Budgets(BudgetsCommand::Set { .. })
        | Command::Settings(SettingsCommand::Save(_)) => Wired::open(home).await,
        Command::Gates(_) => Wired::preview(home).await,
        Command::Hooks(HooksCommand::Add(args)) => {
            // What is refused makes nothing.
            hooks::check(&Wired::memory(None)?.engine, args).await?;
            Wired::open(home).await
        }
        // What is decided has to know the providers and their gates.
        Command::Jobs(JobsCommand::Retry(_) | JobsCommand::Rerun(_))
        | Command::Items(ItemsCommand::Approve(_) | ItemsCommand::Discard(_) | ItemsCommand::Retry { .. }) => {
            Wired::preview(home).await
        }
        // They open what they look at themselves, and say what is wrong with it.
        Command::Doctor(_)
        | Command::Errors(_)
        | Command::Completions { .. }
        | Command::Store(StoreCommand::Migrate { .. } | StoreCommand::Restore { .. }) => Wired::memory(None),
        Command::Jobs(_)
        | Command::Budgets(_)
        | Command::Calls(_)
        | Command::Spend(_)
        | Command::Store(_)
        | Command::Queue(_)
        | Command::Workers(_)
        | Command::Hooks(_)
        | Command::Items(_)
        | Command::Templates(_)
        | Command::Settings(_)
        | Command::Schedules(_)
        | Command::Logs(_) => Wired::read(home).await,
        Command::Pipelines(_) | Command::Config(_) | Command::Providers(_) => Wired::memory(home.providers.as_deref()),
    }
}

fn print_args(command: &Command) -> PrintArgs {
    match command {
        Command::Run(args) => args.print,
        Command::Submit(args) => args.print,
        Command::Worker(args) => args.print,
        Command::Pipelines(PipelinesCommand::List(print))
        | Command::Providers(ProvidersCommand::List(print))
        | Command::Doctor(print)
        | Command::Templates(TemplatesCommand::List(print))
        | Command::Settings(SettingsCommand::List(print))
        | Command::Schedules(SchedulesCommand::List(print))
        | Command::Queue(QueueCommand::Status(print) | QueueCommand::Pause(print) | QueueCommand::Resume(print))
        | Command::Workers(WorkersCommand::List(print))
        | Command::Gates(GatesCommand::List(print))
        | Command::Budgets(BudgetsCommand::List(print))
        | Command::Calls(CallsCommand::Show { print, .. })
        | Command::Items(ItemsCommand::Show { print, .. } | ItemsCommand::Explain { print, .. }) => *print,
        Command::Pipelines(PipelinesCommand::Show(args) | PipelinesCommand::Validate(args)) => args.print,
        Command::Jobs(JobsCommand::Cancel(args)) => args.print,
        Command::Jobs(JobsCommand::List(args)) => args.print,
        Command::Jobs(JobsCommand::SaveAs(args)) => args.job.print,
        Command::Settings(SettingsCommand::Save(args)) => args.print,
        Command::Templates(TemplatesCommand::Show(args) | TemplatesCommand::Rm(args))
        | Command::Settings(SettingsCommand::Show(args) | SettingsCommand::Rm(args))
        | Command::Schedules(
            SchedulesCommand::Show(args)
            | SchedulesCommand::Pause(args)
            | SchedulesCommand::Resume(args)
            | SchedulesCommand::Rm(args),
        ) => args.print,
        Command::Jobs(JobsCommand::Retry(args)) => args.job.print,
        Command::Jobs(JobsCommand::Rerun(args)) => args.print,
        Command::Jobs(JobsCommand::Retries(args)) => args.print,
        Command::Jobs(JobsCommand::Bundle(args)) => args.job.print,
        Command::Jobs(JobsCommand::Sheet(args)) => args.job.print,
        Command::Errors(args) => args.print,
        Command::Items(
            ItemsCommand::Approve(review) | ItemsCommand::Discard(review) | ItemsCommand::Retry { review, .. },
        ) => review.print,
        Command::Calls(CallsCommand::List(args)) => args.print,
        Command::Spend(args) => args.print,
        Command::Calls(CallsCommand::Resolve(args)) => args.print,
        Command::Jobs(JobsCommand::Budget { amount, .. }) | Command::Budgets(BudgetsCommand::Set { amount, .. }) => {
            amount.print
        }
        Command::Jobs(
            JobsCommand::Show(args)
            | JobsCommand::Pause(args)
            | JobsCommand::Unpause(args)
            | JobsCommand::Resume(args)
            | JobsCommand::Delete(args)
            | JobsCommand::Rename { job: args, .. },
        ) => args.print,
        Command::Gates(GatesCommand::Open(gate) | GatesCommand::Close { gate, .. }) => gate.print,
        Command::Jobs(JobsCommand::Watch { job, .. }) | Command::Items(ItemsCommand::List { job, .. }) => job.print,
        Command::Logs(args) => args.print,
        Command::Store(command) => command.print(),
        Command::Hooks(command) => command.print(),
        Command::Config(ConfigCommand::Show { pipeline, .. }) => pipeline.print,
        Command::Pipelines(PipelinesCommand::Graph { .. }) | Command::Completions { .. } => PrintArgs::default(),
    }
}
