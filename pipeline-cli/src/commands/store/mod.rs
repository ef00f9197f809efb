//! `store`: how much is kept, whether it is right, and what nobody needs any more.

mod backup;
mod gc;
mod migrate;
mod prune;
mod stats;
mod verify;

use pipeline_engine::Engine;

use crate::args::StoreCommand;
use crate::home::Home;
use crate::output::{Exit, Failure, Output};
use crate::wiring::Wired;

/// Does one of the commands with an open store.
pub(crate) async fn run(
    wired: &Wired,
    home: &Home,
    command: &StoreCommand,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let engine: &Engine = &wired.engine;
    match command {
        StoreCommand::Stats(_) => stats::stats(engine, output).await,
        StoreCommand::Migrate { check, .. } => migrate::migrate(home, *check, output).await,
        StoreCommand::Verify { no_content, .. } => verify::verify(engine, !*no_content, output).await,
        StoreCommand::Gc { grace, dry_run, .. } => gc::gc(engine, home, grace, *dry_run, output).await,
        StoreCommand::Backup { folder, keep, .. } => backup::backup(wired, home, folder, *keep, output).await,
        StoreCommand::Prune { older_than, logs_only: true, dry_run, yes, .. } => {
            prune::prune_logs(engine, older_than, *dry_run, *yes, output).await
        }
        StoreCommand::Prune { older_than, state, dry_run, yes, .. } => {
            prune::prune(engine, older_than, state, *dry_run, *yes, output).await
        }
        StoreCommand::Restore { folder, .. } => backup::restore(home, folder, output).await,
    }
}
