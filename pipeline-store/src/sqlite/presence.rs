//! Lock files that tell whether the process of a session still lives.
//!
//! Every session holds an advisory lock on its own file. The operating system frees the lock when the process ends, in
//! whatever way, so another process need not wait for the lease to run out.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pipeline_core::id::SessionId;

/// Claims look at the lock files at most this often, unless they come up empty.
const EVERY: Duration = Duration::from_millis(200);

/// The lock files beside one database.
#[derive(Debug)]
pub(super) struct Presence {
    folder: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    files: HashMap<SessionId, LockFile>,
    looked_at: Option<Instant>,
}

/// A lock that is freed and removed when dropped.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    _file: File,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // A file left behind is harmless: it can be locked, which says the same as its absence.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Presence {
    pub(super) fn beside(database: &Path) -> Self {
        let mut folder = database.as_os_str().to_owned();
        folder.push("-sessions");
        Self { folder: PathBuf::from(folder), held: Mutex::default() }
    }

    /// Takes the lock of a session of this process. False when the file system has no locks: then only the lease tells.
    pub(super) fn enter(&self, session: SessionId) -> bool {
        let path = self.path(session);
        let open = || {
            std::fs::create_dir_all(&self.folder)?;
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        };
        let file = match open() {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no lock file for the session; only its lease tells");
                return false;
            }
        };
        match file.try_lock() {
            Ok(()) => {
                self.held().files.insert(session, LockFile { path, _file: file });
                true
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        }
    }

    /// Gives the lock of a session of this process back.
    pub(super) fn leave(&self, session: SessionId) {
        self.held().files.remove(&session);
    }

    /// Tells whether the process of a session with a lock file has certainly ended.
    pub(super) fn is_gone(&self, session: SessionId) -> bool {
        if self.held().files.contains_key(&session) {
            return false;
        }
        match OpenOptions::new().read(true).write(true).open(self.path(session)) {
            Ok(file) => file.try_lock().is_ok(),
            Err(error) => error.kind() == IoKind::NotFound,
        }
    }

    /// Removes the lock file of a session that is dead.
    pub(super) fn bury(&self, session: SessionId) {
        let _ = std::fs::remove_file(self.path(session));
    }

    /// Tells whether it is time for a claim to look at the lock files, and remembers that it does.
    pub(super) fn is_due(&self) -> bool {
        let mut held = self.held();
        let due = held.looked_at.is_none_or(|last| last.elapsed() >= EVERY);
        if due {
            held.looked_at = Some(Instant::now());
        }
        due
    }

    fn path(&self, session: SessionId) -> PathBuf {
        self.folder.join(format!("{session}.lock"))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
