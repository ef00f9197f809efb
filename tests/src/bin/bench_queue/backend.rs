//! The stores that are measured, and the servers and folders they need.

use std::sync::Arc;

use pipeline::core::storage::Store;
use pipeline::prelude::*;
use pipeline::store::{PostgresStore, SqliteOptions, Synchronous};
use pipeline_testkit::cluster::Cluster;

/// A store, by its address.
pub(crate) async fn open(address: &str) -> Arc<dyn Store> {
    if address.starts_with("postgres") {
        return Arc::new(PostgresStore::connect(address).await.unwrap());
    }
    let (synchronous, path) = match address.split_once(':') {
        Some(("normal", path)) => (Synchronous::Normal, path),
        Some(("full", path)) => (Synchronous::Full, path),
        _ => return Arc::new(MemoryStore::new()),
    };
    let options = SqliteOptions { synchronous, ..SqliteOptions::default() };
    Arc::new(SqliteStore::open_with(path, options).await.unwrap())
}

/// Where stores of a kind are made: `memory`, `normal` and `full` (SQLite), `postgres` (a throwaway server that waits for
/// the disk).
pub(crate) struct Backend {
    kind: String,
    folder: tempfile::TempDir,
    cluster: Option<Cluster>,
}

impl Backend {
    /// Starts what a kind needs; `None`, and said so, where it is not installed.
    pub(crate) fn start(kind: &str) -> Option<Self> {
        if kind == "postgres" && !Cluster::require() {
            return None;
        }
        let cluster = (kind == "postgres").then(Cluster::start);
        Some(Self { kind: kind.to_owned(), folder: tempfile::tempdir().unwrap(), cluster })
    }

    /// The address of a fresh store.
    pub(crate) async fn fresh(&self) -> String {
        match &self.cluster {
            Some(cluster) => cluster.create_database().await,
            None => {
                let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
                format!("{}:{}", self.kind, folder.join("jobs.db").display())
            }
        }
    }
}
