//! `store backup` and `store restore`.

use std::path::Path;

use pipeline_core::ErrorKind;
use pipeline_core::error::Error;
use pipeline_store::backup::{self, BackupOptions};

use crate::home::{Home, StoreChoice};
use crate::output::{Exit, Failure, Output, bytes, notice};
use crate::wiring::{self, Wired};

/// Writes a backup.
pub(super) async fn backup(
    wired: &Wired,
    home: &Home,
    folder: &Path,
    keep: Option<u32>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    only_sqlite(home, "backed up")?;
    let Some(store) = wired.sqlite() else {
        return Err(Failure::wrong("there is no store yet").hint("a store is made by the first `run` or `submit`"));
    };
    let options = BackupOptions { keep: keep.and_then(|keep| usize::try_from(keep).ok()) };
    let report = backup::backup(store, &wiring::artifacts(home)?, folder, options).await.map_err(refused)?;
    if report.missing > 0 {
        notice(&format!(
            "warning: {} files that records name are missing; see `pipeline store verify`",
            report.missing
        ));
    }
    if output.is_table() {
        output.line(&format!(
            "{}: database {}, {} files, {}, {} of them linked; {} older backups removed",
            report.path.display(),
            bytes(report.database_bytes),
            report.artifacts,
            bytes(report.bytes),
            report.linked,
            report.removed.len()
        ))?;
    } else {
        output.value(&report)?;
    }
    Ok(Exit::Good)
}

/// Restores a backup.
pub(super) async fn restore(home: &Home, folder: &Path, output: &mut Output<'_>) -> Result<Exit, Failure> {
    only_sqlite(home, "restored")?;
    let StoreChoice::Sqlite(database) = &home.store else {
        return Err(Failure::unexpected("only a SQLite store is restored"));
    };
    // What is refused leaves no folder of artifacts behind.
    backup::check(folder, database).map_err(refused)?;
    let report = backup::restore(folder, database, &wiring::artifacts(home)?).await.map_err(refused)?;
    if report.schedules + report.hooks > 0 {
        notice(&format!(
            "{} recurring jobs and {} hooks are paused, so that nothing is done twice: `pipeline schedules resume` and \
             `pipeline hooks resume` let them go on here",
            report.schedules, report.hooks
        ));
    }
    if output.is_table() {
        output.line(&format!(
            "{}: restored from {}, taken at {}; {} files, {}",
            report.database.display(),
            report.backup.display(),
            report.created_at,
            report.artifacts,
            bytes(report.bytes)
        ))?;
    } else {
        output.value(&report)?;
    }
    Ok(Exit::Good)
}

fn only_sqlite(home: &Home, done: &str) -> Result<(), Failure> {
    match &home.store {
        StoreChoice::Sqlite(_) => Ok(()),
        StoreChoice::Postgres(_) => Err(Failure::wrong(format!("a PostgreSQL store is not {done} by this command"))
            .hint("use pg_dump and pg_restore, and keep the artifacts of the same time; see docs/operations.md")),
        StoreChoice::Memory => Err(Failure::wrong(format!("--store memory: is not {done}: it ends with this process"))),
    }
}

/// What the places do not allow is a wrong request.
fn refused(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Conflict => Failure::blame_request(&error),
        _ => Failure::from(error),
    }
}
