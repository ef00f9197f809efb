//! The stores of this workspace pass the conformance suites: one line a backend.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::future::{Ready, ready};
use std::path::Path;
use std::time::Duration;

use pipeline_core::id::Digest;
use pipeline_store::{
    Artifacts, MemoryLogs, MemoryStore, PostgresOptions, PostgresStore, SqliteLogs, SqliteOptions, SqliteStore,
};
use pipeline_testkit::cluster::Cluster;
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock};
use pipeline_testkit::conformance::{LogBook, Shelf};
use pipeline_testkit::moto::MotoServer;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

pipeline_testkit::store_conformance!(memory, super::memory_bench);
pipeline_testkit::store_conformance!(sqlite, super::sqlite_bench);
pipeline_testkit::store_conformance!(postgres, super::postgres_bench);
pipeline_testkit::log_conformance!(logs_in_memory, super::memory_book);
pipeline_testkit::log_conformance!(logs_in_sqlite, super::sqlite_book);
pipeline_testkit::log_conformance!(logs_in_postgres, super::postgres_book);
pipeline_testkit::artifact_conformance!(artifacts_in_memory, super::memory_shelf);
pipeline_testkit::artifact_conformance!(artifacts_in_a_folder, super::folder_shelf);
pipeline_testkit::artifact_conformance!(artifacts_on_s3, super::s3_shelf);

fn memory_bench() -> Ready<Bench> {
    let clock = SteppedClock::new();
    ready(Bench::new(MemoryStore::with_clock(clock.clone()), clock, ()))
}

async fn sqlite_bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = SteppedClock::new();
    let path = folder.path().join("deep/er/jobs.db");
    let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&path, options.clone()).await.unwrap();
    // Without foreign keys, as whoever damages a file.
    let spoil = SqliteConnectOptions::new().filename(&path).foreign_keys(false);
    Bench::new(store, clock, folder)
        .reopened_by(move || {
            let (path, options) = (path.clone(), options.clone());
            async move { SqliteStore::open_with(path, options).await.unwrap() }
        })
        .spoiled_by(move |statement| {
            let spoil = spoil.clone();
            async move {
                let mut connection = spoil.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        })
}

async fn postgres_bench() -> Option<Bench> {
    let url = Cluster::shared()?.create_database().await;
    let clock = SteppedClock::new();
    let options = PostgresOptions { clock: Some(clock.clone()), connections: 4, ..PostgresOptions::default() };
    let store = PostgresStore::connect_with(&url, options.clone()).await.unwrap();
    let spoil = url.clone();
    let bench = Bench::new(store, clock, ())
        .reopened_by(move || {
            let (url, options) = (url.clone(), options.clone());
            async move { PostgresStore::connect_with(&url, options).await.unwrap() }
        })
        .spoiled_by(move |statement| {
            let spoil = spoil.clone();
            async move {
                let mut connection = PgConnection::connect(&spoil).await.unwrap();
                let statement = format!("SET search_path = {}; {statement}", PostgresOptions::default().schema);
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        });
    Some(bench)
}

fn memory_book() -> Ready<LogBook> {
    let logs = MemoryLogs::new();
    ready(LogBook::new(logs.clone(), logs, ()))
}

fn sqlite_book() -> Ready<LogBook> {
    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteLogs::beside(&folder.path().join("deep/er/jobs.db"));
    ready(LogBook::new(open(), open(), folder))
}

async fn postgres_book() -> Option<LogBook> {
    let url = Cluster::shared()?.create_database().await;
    let options = || PostgresOptions { connections: 4, ..PostgresOptions::default() };
    let logs = PostgresStore::connect_with(&url, options()).await.unwrap();
    let again = PostgresStore::connect_with(&url, options()).await.unwrap();
    Some(LogBook::new(logs, again, ()))
}

fn memory_shelf() -> Ready<Shelf> {
    let store = Artifacts::memory().renewing_after(Duration::ZERO);
    ready(Shelf::new(store.clone(), store, ()))
}

fn folder_shelf() -> Ready<Shelf> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er");
    let open = |path: &Path| Artifacts::directory(path).unwrap().renewing_after(Duration::ZERO);
    let place = move |digest: Digest| {
        let hex = digest.to_hex();
        path.join(&hex[..2]).join(&hex[2..4]).join(&hex)
    };
    let litter = place.clone();
    ready(
        Shelf::new(open(&folder.path().join("deep/er")), open(&folder.path().join("deep/er")), folder)
            .damaged_by(move |digest| std::fs::write(place(digest), b"spoiled").unwrap())
            .littered_by(move |digest| {
                let place = litter(digest);
                for name in ["note.txt", ".hidden", &"0".repeat(64), &format!("{digest}#7")] {
                    std::fs::write(place.with_file_name(name), b"litter").unwrap();
                }
                std::fs::write(place.with_file_name("..").join(digest.to_hex()), b"in the wrong folder").unwrap();
            }),
    )
}

fn s3_shelf() -> Ready<Option<Shelf>> {
    let Some(server) = MotoServer::shared() else { return ready(None) };
    let bucket = server.create_bucket();
    let open = || {
        let store = Artifacts::s3(&format!("s3://{bucket}/deep/er"), &server.options()).unwrap();
        store.renewing_after(Duration::ZERO)
    };
    let shelf = Shelf::new(open(), open(), ());
    let place = |digest: Digest| {
        let hex = digest.to_hex();
        (format!("deep/er/{}/{}", &hex[..2], &hex[2..4]), hex)
    };
    let litter = bucket.clone();
    ready(Some(
        shelf
            .damaged_by(move |digest| {
                let (folder, hex) = place(digest);
                server.overwrite(&bucket, &format!("{folder}/{hex}"), b"spoiled");
            })
            .littered_by(move |digest| {
                let (folder, hex) = place(digest);
                for name in [format!("{folder}/note.txt"), format!("{folder}/x/{hex}"), format!("deep/er/{hex}")] {
                    server.overwrite(&litter, &name, b"litter");
                }
            }),
    ))
}
