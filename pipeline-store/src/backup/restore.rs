//! Restores a backup where there is nothing yet.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::storage::ArtifactStore;
use serde::Serialize;

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
}

/// Restores the backup at `from`, or the newest one below it, as a store at `database` with its files in `artifacts`.
/// All of the backup is proved first. The database appears last and whole; before that there are at most artifacts nobody
/// names. Artifacts that are there already stay.
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
    let target = database.to_path_buf();
    blocking({
        let source = backup.join(DATABASE);
        move || place(&source, &target)
    })
    .await?;
    Ok(RestoreReport {
        backup,
        created_at: manifest.created_at,
        database: database.to_path_buf(),
        artifacts: manifest.artifacts,
        bytes: manifest.bytes,
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

/// Copies the database to its place, where it appears whole.
fn place(source: &Path, target: &Path) -> Result<()> {
    let unwritten = |error| fault("cannot write the database", target, error);
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(unwritten)?;
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".part-{}", std::process::id()));
    let part = PathBuf::from(part);
    let placed = std::fs::copy(source, &part)
        .and_then(|_| File::open(&part)?.sync_all())
        // Unlike a rename, a link never replaces what is there.
        .and_then(|()| std::fs::hard_link(&part, target));
    std::fs::remove_file(&part).ok();
    placed.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Conflict, "a store has appeared meanwhile").with("path", target.display())
        }
        _ => unwritten(error),
    })?;
    folder::sync(folder);
    Ok(())
}
