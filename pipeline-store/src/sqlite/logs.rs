//! The logs of jobs in a SQLite file of their own, so that they never take the lock of the records.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogVolume, NewLogEntry, Outdated};
use pipeline_core::time::{Clock as _, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::OnceCell;

use super::bulk::{Bound, Bulk};
use super::fault::{Fault, Work};
use super::migrate;
use crate::SystemClock;
use crate::logs::{COLUMNS, Columns, conditions, micros, number, read};

/// How long a writer waits for another process's.
const BUSY: Duration = Duration::from_secs(10);

static INSERT: Bulk = Bulk::insert(
    "INSERT INTO logs (at, level, job, item, stage, step, attempt, code, duration, message) SELECT * FROM (",
    10,
);

/// Keeps logs in one SQLite file, which the first entry makes. Cheap to clone; clones share everything.
///
/// A commit does not wait for the disk: a power failure may take the last entries, never what was there before them.
#[derive(Clone)]
pub struct SqliteLogs {
    path: Arc<PathBuf>,
    pools: Arc<OnceCell<Pools>>,
}

struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteLogs {
    /// Keeps logs in the file at `path`; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Arc::new(path.into()), pools: Arc::default() }
    }

    /// Keeps the logs of the jobs whose records are in the file at `store`, beside it: those of `jobs.db` are in
    /// `jobs.logs.db`.
    pub fn beside(store: &Path) -> Self {
        Self::new(store.with_extension("logs.db"))
    }

    /// Returns the path of the file, whether it is there or not.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection.
    pub async fn close(&self) {
        if let Some(pools) = self.pools.get() {
            pools.readers.close().await;
            pools.writer.close().await;
        }
    }

    /// Tells whether nothing was kept yet: then nothing is made for those who only look.
    fn is_absent(&self) -> bool {
        self.pools.get().is_none() && matches!(self.path.try_exists(), Ok(false))
    }

    async fn pools(&self) -> Result<&Pools> {
        // Another process may be making the same file right now; turning its log on is then refused without waiting.
        let deadline = Instant::now() + BUSY;
        loop {
            let opened = self.pools.get_or_try_init(|| open(&self.path)).await;
            match opened.map_err(|fault| fault.into_error(&self.path)) {
                Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
    }

    /// Runs `work` in a write transaction of its own task: a dropped caller never leaves half of one.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let (writer, path) = (self.pools().await?.writer.clone(), Arc::clone(&self.path));
        let task = tokio::spawn(async move {
            let done = async {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let value = work(&mut transaction).await?;
                transaction.commit().await?;
                Ok::<T, Fault>(value)
            };
            done.await.map_err(|fault| fault.into_error(&path))
        });
        task.await.unwrap_or_else(|error| Err(Error::unexpected("writing the logs ended early").because(error)))
    }

    /// Runs `work` on a connection for reading; nothing was kept yet where it returns `None`.
    async fn read<T, F>(&self, work: F) -> Result<Option<T>>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send,
    {
        if self.is_absent() {
            return Ok(None);
        }
        let readers = &self.pools().await?.readers;
        let done = async {
            let mut connection = readers.acquire().await?;
            work(&mut connection).await
        };
        done.await.map(Some).map_err(|fault| fault.into_error(&self.path))
    }
}

async fn open(path: &Path) -> Work<Pools> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot make the folder of the logs")
                .with("path", folder.display())
                .because(error)
        })?;
    }
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY)
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-1024")
        .disable_statement_logging();
    let pool = |most| {
        SqlitePoolOptions::new()
            .max_connections(most)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(BUSY)
    };
    let writer = pool(1).connect_with(connect.clone()).await?;
    if !migrate::is_done(&mut *writer.acquire().await?, migrate::LOGS).await? {
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        migrate::migrate(&mut transaction, migrate::LOGS, SystemClock.now()).await?;
        transaction.commit().await?;
    }
    // Not `read_only`: the last connection to close must be able to fold the log into the file.
    let readers = pool(2).connect_lazy_with(connect.pragma("query_only", "1"));
    Ok(Pools { writer, readers })
}

#[async_trait]
impl LogKeeper for SqliteLogs {
    async fn append(&self, entries: Vec<NewLogEntry>) -> Result<()> {
        let written = self.write(move |connection| {
            Box::pin(async move {
                let row = |query: Bound, entry: &NewLogEntry| {
                    Ok(query
                        .bind(entry.at.as_micros())
                        .bind(number(entry.level))
                        .bind(entry.job.as_uuid())
                        .bind(entry.item.map(|item| item.as_uuid()))
                        .bind(entry.stage.as_ref().map(|stage| stage.as_str().to_owned()))
                        .bind(entry.step.as_str().to_owned())
                        .bind(entry.attempt.map(i64::from))
                        .bind(entry.code.clone())
                        .bind(micros(entry))
                        .bind(entry.message.clone()))
                };
                INSERT.run(connection, &entries, row, |query| query).await
            })
        });
        written.await.map(drop)
    }

    async fn entries(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        let rows = self.read(move |connection| {
            Box::pin(async move {
                let mut builder = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM logs WHERE "));
                conditions!(builder, &query);
                Ok(builder.build_query_as::<Columns>().fetch_all(connection).await?)
            })
        });
        rows.await?.unwrap_or_default().into_iter().map(read).collect()
    }

    async fn remove(&self, which: Outdated, limit: u32) -> Result<u64> {
        if self.is_absent() {
            return Ok(0);
        }
        let removed = self.write(move |connection| {
            Box::pin(async move {
                let mut builder =
                    QueryBuilder::<Sqlite>::new("DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE ");
                match which {
                    Outdated::Job(job) => builder.push("job = ").push_bind(job.as_uuid()),
                    Outdated::Before(time) => builder.push("at < ").push_bind(time.as_micros()),
                };
                builder.push(" ORDER BY seq LIMIT ").push_bind(i64::from(limit)).push(")");
                Ok(builder.build().execute(connection).await?.rows_affected())
            })
        });
        removed.await
    }

    async fn volume(&self, before: Option<Timestamp>) -> Result<LogVolume> {
        let counted = self.read(move |connection| {
            Box::pin(async move {
                let mut builder = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM logs");
                if let Some(before) = before {
                    builder.push(" WHERE at < ").push_bind(before.as_micros());
                }
                let entries: i64 = builder.build_query_scalar().fetch_one(&mut *connection).await?;
                let bytes = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
                let bytes: i64 = sqlx::query_scalar(bytes).fetch_one(connection).await?;
                Ok((entries, bytes))
            })
        });
        let (entries, bytes) = counted.await?.unwrap_or_default();
        Ok(LogVolume {
            location: self.path.display().to_string(),
            entries: u64::try_from(entries).unwrap_or(0),
            bytes: u64::try_from(bytes).ok(),
        })
    }
}

impl fmt::Debug for SqliteLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLogs").field("path", &self.path).finish_non_exhaustive()
    }
}
