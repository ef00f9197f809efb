//! The SQLite store itself: its connections, and how work gets a transaction.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{Store, StoreInfo};
use pipeline_core::time::{Clock, Timestamp};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

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
    inner.pace.set(&mut connection, synchronous).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    match work(&mut transaction, inner).await {
        Ok(value) if keep(&value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Ok(value) => {
            transaction.rollback().await?;
            Ok(value)
        }
        Err(fault) => {
            // The work's error tells more than a failed rollback, which the dropped transaction tries again anyway.
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(%error, "rollback failed");
            }
            Err(fault)
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
