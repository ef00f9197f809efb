//! Putting a file into a folder, whole or not at all, in nobody's place.

use std::path::Path;
use std::time::Duration;

use pipeline_core::{Error, ErrorKind, Result, Retryability};
use tempfile::TempPath;

/// How long an item waits when there is no room for its file.
const FULL: Duration = Duration::from_secs(2);

/// Makes the folder and returns the one way to write its path.
pub(super) async fn canonical(folder: &Path) -> Result<String> {
    let path = async {
        tokio::fs::create_dir_all(folder).await?;
        tokio::fs::canonicalize(folder).await
    };
    let path = path.await.map_err(|error| failed(folder, error))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Writes a file so that it is there whole or not at all; `false` when one is there and may not be replaced. The temporary
/// name belongs to the item and the stage, so an interrupted run leaves nothing that the next one does not replace.
pub(super) fn write(path: &Path, temporary: &Path, bytes: &[u8], replace: bool) -> Result<bool> {
    let outcome = (|| -> std::io::Result<bool> {
        let mut file = std::fs::File::create(temporary)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        drop(file);
        if replace {
            std::fs::rename(temporary, path)?;
        } else if !put_new(temporary, path)? {
            std::fs::remove_file(temporary)?;
            return Ok(false);
        }
        // The rename is durable once the folder is; folders cannot be opened for this on every platform.
        if let Some(Ok(folder)) = path.parent().map(std::fs::File::open) {
            folder.sync_all().ok();
        }
        Ok(true)
    })();
    outcome.map_err(|error| {
        std::fs::remove_file(temporary).ok();
        failed(path, error)
    })
}

/// Renames a file to a name that nobody has; `false` when somebody does.
fn put_new(temporary: &Path, path: &Path) -> std::io::Result<bool> {
    // Dropping what could not be renamed would remove it.
    let file = match TempPath::try_from_path(temporary)?.persist_noclobber(path) {
        Ok(()) => return Ok(true),
        Err(refused) => refused,
    };
    file.path.keep().map_err(|kept| kept.error)?;
    if file.error.kind() == std::io::ErrorKind::AlreadyExists {
        return Ok(false);
    }
    // Some file systems know neither this nor links: the name is taken first, and its empty file replaced.
    match std::fs::File::create_new(path) {
        Ok(_) => std::fs::rename(temporary, path).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
        std::io::ErrorKind::IsADirectory | std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
            ErrorKind::Conflict
        }
        _ => ErrorKind::Unavailable,
    };
    let error = Error::new(kind, "cannot write file").with("path", path.display()).because(error);
    // A full disk is no try of the stage.
    if kind == ErrorKind::Exhausted { error.retry(Retryability::Throttled { after: Some(FULL) }) } else { error }
}
