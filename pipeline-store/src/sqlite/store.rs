//! The SQLite store itself: its connections, and how work gets a transaction.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{Store, StoreInfo};
use pipeline_core::time::{Clock, Timestamp};
use sqlx::{SqliteConnection, SqlitePool};

use super::fault::{Fault, Work};
use super::fingerprints::Fingerprints;
use super::options::Synchronous;
use super::pace::Pace;
use super::presence::Presence;

/// Keeps records in one SQLite file. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) inner: Arc<Inner>,
}

/// What the clones of a store share.
pub(super) struct Inner {
    pub(super) path: PathBuf,
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) synchronous: Synchronous,
    pub(super) pace: Pace,
    pub(super) presence: Presence,
    pub(super) fingerprints: Mutex<Fingerprints>,
    pub(super) version: String,
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl SqliteStore {
    /// Returns the path of the database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Waits for running transactions and closes every connection. Sessions of this store that were not closed count
    /// as dead from the moment the last clone is dropped.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// Runs `work` in a write transaction of its own task; an error rolls everything back.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.spawn(self.inner.synchronous, work, |_| true).await
    }

    /// As `write`; when the work comes to `None`, it is rolled back.
    pub(super) async fn write_if_some<T, F>(&self, work: F) -> Result<Option<T>>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<Option<T>>> + Send + 'static,
    {
        self.spawn(self.inner.synchronous, work, Option::is_some).await
    }

    /// As `write`, without waiting for the disk. Only for what means nothing without its process: a power failure that
    /// takes a claim or a lease also takes whoever held it, and everything durable written later syncs it first.
    pub(super) async fn write_lightly<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.spawn(Synchronous::Normal, work, |_| true).await
    }

    async fn spawn<T, F>(&self, synchronous: Synchronous, work: F, keep: fn(&T) -> bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            let done = transact(&inner, synchronous, work, keep).await;
            done.map_err(|fault| fault.into_error(&inner.path))
        });
        task.await.unwrap_or_else(|error| Err(Error::unexpected("a store transaction ended early").because(error)))
    }

    /// Runs `work` on one unchanging view of the store.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send,
    {
        let done = async {
            let mut transaction = self.inner.readers.begin().await?;
            let value = work(&mut transaction).await?;
            transaction.rollback().await?;
            Ok::<T, Fault>(value)
        };
        done.await.map_err(|fault| fault.into_error(&self.inner.path))
    }
}

async fn transact<T, F>(inner: &Inner, synchronous: Synchronous, work: F, keep: fn(&T) -> bool) -> Work<T>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<T>> + Send,
{
    let mut connection = inner.writer.acquire().await?;
    let (done, clean) = in_transaction(&mut connection, inner, synchronous, work, keep).await;
    if !clean {
        // SQLite has perhaps rolled back by itself, as on a full disk, and the driver does not know: it would refuse every
        // later transaction. The next one gets a new connection.
        connection.close().await.ok();
    }
    done
}

/// Runs `work` in a transaction; tells also whether the connection can have another one after it.
async fn in_transaction<T, F>(
    connection: &mut SqliteConnection,
    inner: &Inner,
    synchronous: Synchronous,
    work: F,
    keep: fn(&T) -> bool,
) -> (Work<T>, bool)
where
    F: for<'c> FnOnce(&'c mut SqliteConnection, &'c Inner) -> BoxFuture<'c, Work<T>> + Send,
{
    let mut transaction = match inner.pace.begin(connection, synchronous).await {
        Ok(transaction) => transaction,
        Err(error) => return (Err(error.into()), false),
    };
    let done = work(&mut transaction, inner).await;
    let kept = done.as_ref().is_ok_and(keep);
    let ended = if kept { transaction.commit().await } else { transaction.rollback().await };
    match (done, ended) {
        (done, Ok(())) => (done, true),
        (Ok(_), Err(error)) => (Err(error.into()), false),
        // The work's error tells more than a failed rollback.
        (Err(fault), Err(error)) => {
            tracing::debug!(%error, "rollback failed");
            (Err(fault), false)
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "sqlite".to_owned(),
            location: self.inner.path.display().to_string(),
            schema: super::migrate::newest(),
            engine: format!("SQLite {}", self.inner.version),
            durable: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use pipeline_core::ErrorKind;
    use tokio::sync::Notify;

    use super::*;

    async fn write(store: &SqliteStore, bytes: i64) -> Result<()> {
        let done = store.write(move |connection, _| {
            Box::pin(async move {
                sqlx::query("CREATE TABLE IF NOT EXISTS ballast (content BLOB)").execute(&mut *connection).await?;
                sqlx::query("INSERT INTO ballast VALUES (zeroblob(?))").bind(bytes).execute(connection).await?;
                Ok(())
            })
        });
        done.await
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_until_there_is_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.unwrap();
        write(&store, 1).await.unwrap();
        // SQLite then fails as on a full disk, and rolls the transaction back by itself. A new connection has no limit.
        sqlx::query("PRAGMA max_page_count = 1").execute(&store.inner.writer).await.unwrap();
        assert_eq!(write(&store, 10_000_000).await.unwrap_err().kind(), ErrorKind::Exhausted);
        write(&store, 10_000_000).await.unwrap();
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM ballast").fetch_one(&store.inner.readers).await.unwrap();
        assert_eq!(kept, 2);
    }

    /// Adds one to what a transaction reads; between the two it says so, and waits for another to be done, at most so long.
    async fn add_one(store: &SqliteStore, has_read: Arc<Notify>, other: Option<(Arc<Notify>, Duration)>) -> Result<()> {
        let done = store.write(move |connection, _| {
            Box::pin(async move {
                let count: i64 = sqlx::query_scalar("SELECT n FROM counter").fetch_one(&mut *connection).await?;
                has_read.notify_one();
                if let Some((other, patience)) = other {
                    tokio::time::timeout(patience, other.notified()).await.ok();
                }
                sqlx::query("UPDATE counter SET n = ?").bind(count + 1).execute(connection).await?;
                Ok(())
            })
        });
        done.await
    }

    /// Two processes read and then write at the same time; returns how that ends for the first, and the sum.
    async fn overlap(deferred: bool) -> (Result<()>, i64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let (one, two) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
        sqlx::raw_sql("CREATE TABLE counter (n INTEGER); INSERT INTO counter VALUES (0)")
            .execute(&one.inner.writer)
            .await
            .unwrap();
        one.inner.pace.deferred.store(deferred, Ordering::SeqCst);
        two.inner.pace.deferred.store(deferred, Ordering::SeqCst);
        let (has_read, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let second = async {
            has_read.notified().await;
            let second = add_one(&two, Arc::default(), None).await;
            done.notify_one();
            second
        };
        // Where the other cannot be done meanwhile, a moment is enough.
        let patience = Duration::from_secs(if deferred { 60 } else { 1 });
        let first = add_one(&one, Arc::clone(&has_read), Some((Arc::clone(&done), patience)));
        let (first, second) = tokio::join!(first, second);
        second.unwrap();
        let sum = sqlx::query_scalar("SELECT n FROM counter").fetch_one(&one.inner.readers).await.unwrap();
        (first, sum)
    }

    #[tokio::test]
    async fn what_a_transaction_has_read_holds_until_it_writes() {
        let (first, sum) = overlap(false).await;
        first.unwrap();
        assert_eq!(sum, 2);
    }

    #[tokio::test]
    async fn the_planted_deferred_begin_is_found() {
        let (first, sum) = overlap(true).await;
        assert_eq!((first.unwrap_err().kind(), sum), (ErrorKind::Unavailable, 1), "SQLITE_BUSY_SNAPSHOT");
    }
}
