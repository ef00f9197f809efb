//! The folder that holds backups, and where things lie in one.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::Digest;
use pipeline_core::time::Timestamp;

use super::manifest::MANIFEST;

/// A backup that is not whole yet has this in front of its name.
const PART: &str = ".part-";

/// Where an artifact lies in a backup.
pub(super) fn artifact(backup: &Path, digest: Digest) -> PathBuf {
    let hex = digest.to_hex();
    let (first, _) = hex.split_at(2);
    backup.join("artifacts").join(first).join(&hex)
}

/// Classifies an error of the file system.
pub(super) fn fault(doing: &'static str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, doing).with("path", path.display()).because(error)
}

/// Does what keeps a thread waiting for the disk.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::unexpected("work on a backup ended early").because(error)))
}

/// Names a backup after the time it was taken at; later ones sort after it.
pub(super) fn name(at: Timestamp) -> String {
    let micros = at.as_micros().rem_euclid(1_000_000);
    let seconds = Timestamp::from_micros(at.as_micros() - micros).to_string().replace(':', "-");
    format!("{}.{micros:06}Z", seconds.trim_end_matches('Z'))
}

/// Returns where a backup is written until it is whole.
pub(super) fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{PART}{name}"))
}

/// Returns the whole backups in a folder, oldest first.
pub(super) fn backups(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        entries(folder)?.into_iter().filter(|path| !is_part(path) && path.join(MANIFEST).is_file()).collect();
    found.sort_unstable();
    Ok(found)
}

/// Removes what interrupted backups have left. Only for whoever holds the lock.
pub(super) fn sweep(folder: &Path) -> Result<()> {
    for path in entries(folder)?.into_iter().filter(|path| is_part(path)) {
        std::fs::remove_dir_all(&path)
            .map_err(|error| fault("cannot remove what an interrupted backup has left", &path, error))?;
    }
    Ok(())
}

/// Lets nobody else write backups into a folder until the file is dropped.
pub(super) fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| fault("cannot make the lock of the backups", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::conflict("another backup is being written into this folder").with("folder", folder.display()))
        }
        Err(TryLockError::Error(error)) => Err(fault("cannot lock the folder of the backups", &path, error)),
    }
}

/// Makes the entries of a folder durable, where the system can.
pub(super) fn sync(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().ok();
    }
}

fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PART))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unread = |error| fault("cannot read the folder of the backups", folder, error);
    std::fs::read_dir(folder).map_err(unread)?.map(|entry| entry.map(|entry| entry.path()).map_err(unread)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_time() {
        let at = |micros| name(Timestamp::from_micros(micros));
        assert_eq!(at(1_795_700_000_000_007), "2026-11-26T13-33-20.000007Z");
        assert!(at(1_795_700_000_000_007) < at(1_795_700_000_100_000));
        assert!(at(1_795_700_000_999_999) < at(1_795_700_001_000_000));
    }
}
