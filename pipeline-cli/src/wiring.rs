//! The engine of this process: the store and the artifacts of the home folder, and the local providers by name.

use pipeline_core::storage::ArtifactStore;
use pipeline_engine::{Engine, EngineBuilder};
use pipeline_store::{Artifacts, MemoryStore, SqliteStore};

use crate::home::{Home, StoreChoice};
use crate::output::Failure;

/// An engine, and what must be closed after it.
#[derive(Debug)]
pub(crate) struct Wired {
    /// The engine.
    pub(crate) engine: Engine,
    sqlite: Option<SqliteStore>,
}

impl Wired {
    /// Opens the store and the artifacts, and makes them when they are missing.
    pub(crate) async fn open(home: &Home) -> Result<Self, Failure> {
        match &home.store {
            StoreChoice::Sqlite(path) => {
                let store = SqliteStore::open(path).await?;
                let artifacts = Artifacts::directory(home.artifacts())?;
                let engine = build(pipeline::local_engine().store(store.clone()), artifacts)?;
                Ok(Self { engine, sqlite: Some(store) })
            }
            StoreChoice::Memory => Self::memory(),
        }
    }

    /// Opens what is there; makes nothing when there is nothing yet.
    pub(crate) async fn read(home: &Home) -> Result<Self, Failure> {
        if home.has_records() { Self::open(home).await } else { Self::memory() }
    }

    /// Keeps nothing: for commands that need no records.
    pub(crate) fn memory() -> Result<Self, Failure> {
        let engine = build(pipeline::local_engine().store(MemoryStore::new()), Artifacts::memory())?;
        Ok(Self { engine, sqlite: None })
    }

    /// Closes the store.
    pub(crate) async fn close(self) {
        drop(self.engine);
        if let Some(store) = self.sqlite {
            store.close().await;
        }
    }
}

fn build(builder: EngineBuilder, artifacts: impl ArtifactStore) -> Result<Engine, Failure> {
    builder.artifacts(artifacts).build().map_err(|error| Failure::broken(&error))
}
