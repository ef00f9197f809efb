//! The engine of this process: the store and the artifacts of the home folder, and the providers by name.

use std::path::Path;
use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind};
use pipeline_core::settings::Problems;
use pipeline_core::storage::ArtifactStore;
use pipeline_engine::{Engine, EngineBuilder};
use pipeline_providers::config::ProvidersConfig;
use pipeline_store::{Artifacts, MemoryLogs, MemoryStore, PostgresStore, S3Options, SqliteLogs, SqliteStore};

use crate::home::{ArtifactsChoice, Home, StoreChoice};
use crate::output::Failure;

/// How a process that works on jobs behaves; what is absent is left to the engine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tuning {
    /// Items in work at once.
    pub(crate) concurrency: Option<u32>,
    /// How often to look for work of others.
    pub(crate) poll: Option<Duration>,
    /// How long it counts as alive when it is not heard of.
    pub(crate) lease: Option<Duration>,
}

/// An engine, and what must be closed after it.
#[derive(Debug)]
pub(crate) struct Wired {
    /// The engine.
    pub(crate) engine: Engine,
    opened: Opened,
}

/// The store that is to be closed.
#[derive(Debug)]
enum Opened {
    Sqlite(SqliteStore, SqliteLogs),
    Postgres(PostgresStore),
    Memory,
}

impl Wired {
    /// Opens everything for work on jobs: the providers have their keys.
    pub(crate) async fn work(home: &Home, tuning: Tuning) -> Result<Self, Failure> {
        let mut builder = pipeline::local_engine();
        if let Some(file) = &home.providers {
            builder = pipeline::bind(builder, &providers(file)?).map_err(|problems| of_file(problems, file))?;
        }
        if let Some(items) = tuning.concurrency {
            builder = builder.concurrency(items);
        }
        if let Some(every) = tuning.poll {
            builder = builder.poll(every);
        }
        if let Some(lease) = tuning.lease {
            builder = builder.lease(lease);
        }
        Self::with(builder, home).await
    }

    /// Opens everything for submitting: the providers are known, and none is called.
    pub(crate) async fn submit(home: &Home) -> Result<Self, Failure> {
        Self::with(described(home.providers.as_deref())?, home).await
    }

    /// As [`Wired::submit`]; makes nothing when there is nothing yet.
    pub(crate) async fn preview(home: &Home) -> Result<Self, Failure> {
        if home.has_records() { Self::submit(home).await } else { Self::memory(home.providers.as_deref()) }
    }

    /// Opens the records that are there, without the providers; makes nothing when there is nothing yet.
    pub(crate) async fn read(home: &Home) -> Result<Self, Failure> {
        if home.has_records() { Self::open(home).await } else { Self::memory(None) }
    }

    /// Opens the records, without the providers.
    pub(crate) async fn open(home: &Home) -> Result<Self, Failure> {
        Self::with(pipeline::local_engine(), home).await
    }

    /// Keeps nothing: for commands that need no records.
    pub(crate) fn memory(file: Option<&Path>) -> Result<Self, Failure> {
        let engine = build(described(file)?.store(MemoryStore::new()).logs(MemoryLogs::new()), Artifacts::memory())?;
        Ok(Self { engine, opened: Opened::Memory })
    }

    /// Opens the store and the artifacts, and makes them when they are missing.
    async fn with(builder: EngineBuilder, home: &Home) -> Result<Self, Failure> {
        // The store first: what cannot be worked with leaves no folder of artifacts behind.
        let builder = builder.log_level(home.log_level);
        let (builder, opened) = match &home.store {
            StoreChoice::Sqlite(path) => {
                let store = SqliteStore::open(path).await?;
                let logs = SqliteLogs::beside(path);
                (builder.store(store.clone()).logs(logs.clone()), Opened::Sqlite(store, logs))
            }
            StoreChoice::Postgres(url) => {
                let store = PostgresStore::connect(url).await.map_err(unreached)?;
                (builder.store(store.clone()).logs(store.clone()), Opened::Postgres(store))
            }
            StoreChoice::Memory => (builder.store(MemoryStore::new()).logs(MemoryLogs::new()), Opened::Memory),
        };
        let mut engine = build(builder, artifacts(home)?)?;
        if let Some(owner) = &home.owner {
            engine = engine.for_owner(owner);
        }
        Ok(Self { engine, opened })
    }

    /// Returns what people should know of where the store lies.
    pub(crate) fn caution(&self) -> Option<String> {
        let Opened::Sqlite(store, _) = &self.opened else { return None };
        let kind = store.network()?;
        let path = store.path().display();
        Some(format!(
            "{path} lies on a network file system ({kind}), which SQLite can share within one machine only: work on it from \
             this machine alone, or keep records in --store postgres://…"
        ))
    }

    /// Returns the SQLite store, if that is what was opened.
    pub(crate) const fn sqlite(&self) -> Option<&SqliteStore> {
        match &self.opened {
            Opened::Sqlite(store, _) => Some(store),
            Opened::Postgres(_) | Opened::Memory => None,
        }
    }

    /// Closes the store.
    pub(crate) async fn close(self) {
        drop(self.engine);
        match self.opened {
            Opened::Sqlite(store, logs) => {
                logs.close().await;
                store.close().await;
            }
            Opened::Postgres(store) => store.close().await,
            Opened::Memory => {}
        }
    }
}

/// Opens where files are kept, and makes the folder when it is missing.
pub(crate) fn artifacts(home: &Home) -> Result<Artifacts, Failure> {
    Ok(match &home.artifacts {
        ArtifactsChoice::Folder(path) => Artifacts::directory(path)?,
        ArtifactsChoice::S3(url) => Artifacts::s3(url, &S3Options::default())?,
        ArtifactsChoice::Memory => Artifacts::memory(),
    })
}

/// Says what would help where a database cannot be worked with.
fn unreached(error: Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::Unavailable => "is the server running, and does --store or PIPELINE_STORE name its host and port?",
        ErrorKind::Unauthorized => {
            "accepted: --store postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %XX for what is special in a password"
        }
        ErrorKind::NotFound => "make the database with `createdb`, or name another one in --store or PIPELINE_STORE",
        _ => return error.into(),
    };
    Failure::from(error).hint(hint)
}

fn described(file: Option<&Path>) -> Result<EngineBuilder, Failure> {
    let builder = pipeline::local_engine();
    match file {
        Some(file) => {
            let described = pipeline::describe(builder, &providers(file)?);
            described.map_err(|problems| of_file(problems, file))
        }
        None => Ok(builder),
    }
}

/// Binds the providers of the file with their keys, and returns their names: proof that every key is where the file says.
pub(crate) fn keys(file: &Path) -> Result<Vec<String>, Failure> {
    let config = providers(file)?;
    pipeline::bind(pipeline::local_engine(), &config).map_err(|problems| of_file(problems, file))?;
    Ok(config.providers.keys().cloned().collect())
}

/// Reads the providers file.
fn providers(file: &Path) -> Result<ProvidersConfig, Failure> {
    let text =
        std::fs::read_to_string(file).map_err(|error| Failure::file("cannot read the providers file", file, &error))?;
    Ok(ProvidersConfig::from_toml(&text, &file.to_string_lossy())?)
}

fn of_file(Problems(problems): Problems, file: &Path) -> Failure {
    let file = file.to_string_lossy();
    Failure::Problems(Problems(problems.into_iter().map(|problem| problem.at(Some(&file), None)).collect()))
}

fn build(builder: EngineBuilder, artifacts: impl ArtifactStore) -> Result<Engine, Failure> {
    builder.artifacts(artifacts).build().map_err(|error| Failure::broken(&error))
}
