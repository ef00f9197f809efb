//! Restores a backup where there is nothing yet.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::storage::{ArtifactStore, Outcome};
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::SqliteStore;

use super::folder::{self, blocking, fault};
use super::manifest::{DATABASE, MANIFEST, Manifest, listed};

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// The folder of the backup.
    pub backup: PathBuf,
    /// When it was taken.
    pub created_at: String,
    /// The database that was made.
    pub database: PathBuf,
    /// Artifacts that were put.
    pub artifacts: u64,
    /// Σ size of them.
    pub bytes: u64,
    /// Recurring jobs that were paused.
    pub schedules: u64,
    /// Hooks that were paused.
    pub hooks: u64,
}

/// Why a hook of a restored store delivers nothing, and what becomes of an occasion somebody had begun.
const REASON: &str = "restored from a backup";

/// What was paused.
#[derive(Clone, Copy, Debug, Default)]
struct Paused {
    schedules: u64,
    hooks: u64,
}

/// Restores the backup at `from`, or the newest one below it, as a store at `database` with its files in `artifacts`.
/// All of the backup is proved first. The database appears last and whole; before that there are at most artifacts nobody
/// names. Artifacts that are there already stay. Its recurring jobs and hooks are paused: what the store the backup is of has
/// submitted or told since then would be submitted and told again.
///
/// # Errors
/// `Conflict` when there is a store at `database`, or the backup was taken by a newer version; `NotFound` when there is
/// no backup; `Corrupt` when a part of it is damaged; otherwise those of the file system and the artifact store.
pub async fn restore(from: &Path, database: &Path, artifacts: &dyn ArtifactStore) -> Result<RestoreReport> {
    refuse_over(database)?;
    let backup = find(from)?;
    let manifest = blocking({
        let backup = backup.clone();
        move || Manifest::prove(&backup)
    })
    .await?;
    // A newer schema is refused before anything is made.
    SqliteStore::schema_of(backup.join(DATABASE)).await?;
    for line in listed(&backup)? {
        let (digest, _) = line?;
        let path = folder::artifact(&backup, digest);
        let content =
            std::fs::read(&path).map_err(|error| fault("cannot read an artifact of the backup", &path, error))?;
        let put = artifacts.put(Bytes::from(content)).await?;
        if put.digest != digest {
            return Err(Error::corrupt("an artifact of the backup is damaged").with("path", path.display()));
        }
    }
    let Paused { schedules, hooks } = place(backup.join(DATABASE), database).await?;
    Ok(RestoreReport {
        backup,
        created_at: manifest.created_at,
        database: database.to_path_buf(),
        artifacts: manifest.artifacts,
        bytes: manifest.bytes,
        schedules,
        hooks,
    })
}

/// Says whether [`restore`] would begin, without proving the backup.
///
/// # Errors
/// `Conflict` when there is a store at `database`; `NotFound` when there is no backup.
pub fn check(from: &Path, database: &Path) -> Result<()> {
    refuse_over(database)?;
    find(from).map(drop)
}

/// A store that is there is never touched, whoever uses it.
fn refuse_over(database: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        if Path::new(&path).symlink_metadata().is_ok() {
            return Err(Error::conflict("a store is there already, and a backup is restored only where there is none")
                .with("path", Path::new(&path).display())
                .with("accepted", "a path where nothing is"));
        }
    }
    Ok(())
}

fn find(from: &Path) -> Result<PathBuf> {
    if from.join(MANIFEST).is_file() {
        return Ok(from.to_path_buf());
    }
    let newest = if from.is_dir() { folder::backups(from)?.pop() } else { None };
    newest.ok_or_else(|| {
        Error::not_found("there is no backup")
            .with("folder", from.display())
            .with("accepted", "the folder of a backup, or one with backups in it")
    })
}

/// Brings the database to its place, where it appears whole, with nothing in it that begins by itself.
async fn place(source: PathBuf, target: &Path) -> Result<Paused> {
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".part-{}", std::process::id()));
    let part = PathBuf::from(part);
    let placed = async {
        let (copied, path) = (part.clone(), target.to_path_buf());
        blocking(move || copy(&source, &copied, &path)).await?;
        let paused = pause(&part).await?;
        let (whole, path) = (part.clone(), target.to_path_buf());
        blocking(move || link(&whole, &path)).await?;
        Ok::<_, Error>(paused)
    };
    let placed = placed.await;
    std::fs::remove_file(&part).ok();
    placed
}

fn copy(source: &Path, part: &Path, target: &Path) -> Result<()> {
    let unwritten = |error| fault("cannot write the database", target, error);
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(unwritten)?;
    std::fs::copy(source, part).map(drop).map_err(unwritten)
}

fn link(part: &Path, target: &Path) -> Result<()> {
    // Unlike a rename, a link never replaces what is there.
    let placed = File::open(part).and_then(|file| file.sync_all()).and_then(|()| std::fs::hard_link(part, target));
    placed.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Conflict, "a store has appeared meanwhile").with("path", target.display())
        }
        _ => fault("cannot write the database", target, error),
    })?;
    folder::sync(target.parent().unwrap_or(Path::new(".")));
    Ok(())
}

/// Pauses recurring jobs and hooks in a copy nobody else has opened; an old one may know neither.
async fn pause(database: &Path) -> Result<Paused> {
    let unwritten = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Unavailable, "cannot pause what recurs in the database")
            .with("path", database.display())
            .because(error)
    };
    let failed = Outcome::Failed { reason: REASON.to_owned() };
    let failed = serde_json::to_string(&failed).map_err(|error| unwritten(error.into()))?;
    let work = async {
        // Without a log beside it: only the file itself is put into its place.
        let options = SqliteConnectOptions::new().filename(database).journal_mode(SqliteJournalMode::Delete);
        let mut connection = options.disable_statement_logging().connect().await?;
        let mut transaction = connection.begin().await?;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('schedules', 'hooks')",
        )
        .fetch_all(&mut *transaction)
        .await?;
        let has = |table: &str| tables.iter().any(|known| known == table);
        let mut paused = Paused::default();
        if has("schedules") {
            let done =
                sqlx::query("UPDATE schedules SET paused = 1 WHERE paused = 0").execute(&mut *transaction).await?;
            paused.schedules = done.rows_affected();
            // The job of an occasion that was begun may be submitted in the other store.
            sqlx::query("UPDATE schedules SET begun = 0, outcome = ? WHERE begun = 1")
                .bind(failed)
                .execute(&mut *transaction)
                .await?;
        }
        if has("hooks") {
            let done = sqlx::query("UPDATE hooks SET paused = ? WHERE paused IS NULL")
                .bind(REASON)
                .execute(&mut *transaction)
                .await?;
            paused.hooks = done.rows_affected();
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(paused)
    };
    work.await.map_err(|error| unwritten(error.into()))
}
