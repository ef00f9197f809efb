//! Opening a SQLite store: folders, connections, version check, migrations.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline_core::error::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};

use super::fault::{Fault, Work};
use super::fingerprints::Fingerprints;
use super::options::SqliteOptions;
use super::pace::Pace;
use super::presence::Presence;
use super::store::{Inner, SqliteStore};
use super::{migrate, mount};
use crate::migration::SchemaState;

/// Before this one, two connections that write and checkpoint at once could lose committed writes
/// (<https://www.sqlite.org/wal.html>, "The WAL-reset bug").
const OLDEST: (u32, u32, u32) = (3, 51, 3);

impl SqliteStore {
    /// Opens the store in the file at `path`, and creates it and its folders when missing.
    ///
    /// # Errors
    /// `Corrupt` when the file is something else, `Conflict` when it was written by a newer version, `Unauthorized` or
    /// `Unavailable` when it cannot be read or written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens the store as [`SqliteStore::open`] does, with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| {
                let kind = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => ErrorKind::Unauthorized,
                    std::io::ErrorKind::StorageFull => ErrorKind::Exhausted,
                    _ => ErrorKind::Unavailable,
                };
                Error::new(kind, "cannot make the folder of the store").with("path", parent.display()).because(error)
            })?;
        }
        // Another process may be making the same file right now; turning the log on is then refused without waiting.
        let deadline = Instant::now() + options.busy_timeout;
        loop {
            match attempt(path.clone(), &options).await.map_err(|fault| unopened(fault, &path)) {
                Err(error) if is_locked(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
                Ok(store) => {
                    if let Some(kind) = store.network() {
                        tracing::warn!(path = %path.display(), kind, "the store lies on a network file system");
                    }
                    return Ok(store);
                }
            }
        }
    }
}

impl SqliteStore {
    /// Says where the schema of the store at `path` stands. Makes nothing and changes nothing.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn schema_of(path: impl AsRef<Path>) -> Result<SchemaState> {
        let path = path.as_ref();
        let absent = matches!(path.try_exists(), Ok(false));
        let look = async {
            let options = if absent {
                SqliteConnectOptions::new().in_memory(true)
            } else {
                SqliteConnectOptions::new().filename(path).pragma("query_only", "1")
            };
            let mut connection = options.busy_timeout(SqliteOptions::default().busy_timeout).connect().await?;
            let state = migrate::state(&mut connection).await?;
            connection.close().await?;
            Ok(state)
        };
        look.await.map_err(|fault| unopened(fault, path))
    }

    /// Returns the kind of the network file system that the file lies on, for example `nfs4`; `None` where it lies on none,
    /// or nobody knows. From there only the processes of one machine may use the store: what another one writes at the
    /// same time is lost, or damages the file.
    pub fn network(&self) -> Option<&'static str> {
        mount::network(&self.inner.path)
    }
}

/// The error of a store that could not be opened; it names the store in any case.
fn unopened(fault: Fault, path: &Path) -> Error {
    match fault {
        Fault::Port(error) => error.with("store", path.display()),
        Fault::Database(_) => fault.into_error(path),
    }
}

fn is_locked(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.message().contains("locked")
}

async fn attempt(path: PathBuf, options: &SqliteOptions) -> Work<SqliteStore> {
    let connect = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new()
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(options.busy_timeout.max(Duration::from_secs(30)))
    };
    let writer = pool().max_connections(1).connect_with(connect.clone()).await?;
    let version = prepare(&writer, options).await?;
    // Not `read_only`: the last connection to close must be able to fold the log into the file.
    // Their caches are small: what they read is in the system's cache, and memory must not grow with the store.
    let reader = connect.pragma("query_only", "1").pragma("cache_size", "-512");
    let readers = pool().max_connections(options.readers.max(1)).connect_with(reader).await?;
    Ok(SqliteStore {
        inner: Arc::new(Inner {
            synchronous: options.synchronous,
            pace: Pace::default(),
            presence: Presence::beside(&path),
            path,
            writer,
            readers,
            clock: Arc::clone(&options.clock),
            fingerprints: Mutex::new(Fingerprints::default()),
            version,
        }),
    })
}

async fn prepare(writer: &SqlitePool, options: &SqliteOptions) -> Work<String> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(writer).await?;
    if parse(&version).is_none_or(|found| found < OLDEST) {
        return Err(Fault::Port(
            Error::new(ErrorKind::Unsupported, "this SQLite can lose committed writes; 3.51.3 or newer is needed")
                .with("version", &version),
        ));
    }
    let done = migrate::is_done(&mut *writer.acquire().await?, migrate::MIGRATIONS).await?;
    if done {
        return Ok(version);
    }
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    migrate::migrate(&mut transaction, migrate::MIGRATIONS, options.clock.now()).await?;
    transaction.commit().await?;
    Ok(version)
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        assert!(parse("3.51.3") >= Some(OLDEST));
        assert!(parse("3.100.0") >= Some(OLDEST));
        assert!(parse("3.9.0") < Some(OLDEST));
        assert_eq!(parse("three"), None);
    }
}
