//! A copy of the database as it is at one moment, taken while others write.

use std::fs::File;
use std::path::{Path, PathBuf};

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::storage::{Holder, Mention};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use uuid::Uuid;

use super::fault::{Fault, Work};
use super::options::SqliteOptions;
use super::steward;
use super::store::SqliteStore;

/// A copy of the database, open for reading.
#[derive(Debug)]
pub(crate) struct Snapshot {
    path: PathBuf,
    connection: SqliteConnection,
}

impl Snapshot {
    /// Copies the database of a store into a new file, which is on the disk when this returns.
    ///
    /// `VACUUM INTO` reads in one transaction, so writers neither wait nor make it begin again, as every write of another
    /// connection would with the backup API; the copy is a plain file without a log beside it.
    pub(crate) async fn take(store: &SqliteStore, path: &Path) -> Result<Self> {
        let source = SqliteConnectOptions::new()
            .filename(store.path())
            .busy_timeout(SqliteOptions::default().busy_timeout)
            .disable_statement_logging();
        let copy = async {
            let mut connection = source.connect().await?;
            sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy().into_owned()).execute(&mut connection).await?;
            connection.close().await?;
            Ok::<_, Fault>(())
        };
        copy.await.map_err(|fault| fault.into_error(path))?;
        // SQLite itself does not wait for the disk here.
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot write the copy of the store")
                .with("path", path.display())
                .because(error)
        })?;
        Self::open(path).await
    }

    async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
        let connection: Work<SqliteConnection> = options.connect().await.map_err(Fault::from);
        let connection = connection.map_err(|fault| fault.into_error(path))?;
        Ok(Self { path: path.to_path_buf(), connection })
    }

    /// Returns what records say that may name artifacts, as the store's steward does.
    pub(crate) async fn mentions(&mut self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>> {
        let page = steward::page(&mut self.connection, holder, after, limit).await;
        page.map_err(|fault| fault.into_error(&self.path))
    }

    /// Closes the copy.
    pub(crate) async fn close(self) -> Result<()> {
        let closed = self.connection.close().await.map_err(Fault::from);
        closed.map_err(|fault| fault.into_error(&self.path))
    }
}
