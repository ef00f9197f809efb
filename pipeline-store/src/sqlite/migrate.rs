//! The migrations of the SQLite schema, applied in order inside one transaction.

use pipeline_core::time::Timestamp;
use sqlx::{AssertSqlSafe, Executor, SqliteConnection};

use super::fault::Work;
use crate::migration::{self, Migration, SchemaState};

/// The schema of the records.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "records", sql: include_str!("../../migrations/sqlite/0001_records.sql") },
    Migration { number: 2, name: "gates", sql: include_str!("../../migrations/sqlite/0002_gates.sql") },
    Migration { number: 3, name: "calls", sql: include_str!("../../migrations/sqlite/0003_calls.sql") },
    Migration { number: 4, name: "rates", sql: include_str!("../../migrations/sqlite/0004_rates.sql") },
    Migration { number: 5, name: "reviews", sql: include_str!("../../migrations/sqlite/0005_reviews.sql") },
    Migration { number: 6, name: "deleted", sql: include_str!("../../migrations/sqlite/0006_deleted.sql") },
    Migration { number: 7, name: "budgets", sql: include_str!("../../migrations/sqlite/0007_budgets.sql") },
    Migration { number: 8, name: "resolutions", sql: include_str!("../../migrations/sqlite/0008_resolutions.sql") },
    Migration { number: 9, name: "reuse", sql: include_str!("../../migrations/sqlite/0009_reuse.sql") },
    Migration { number: 10, name: "hooks", sql: include_str!("../../migrations/sqlite/0010_hooks.sql") },
    Migration { number: 11, name: "listing", sql: include_str!("../../migrations/sqlite/0011_listing.sql") },
    Migration { number: 12, name: "schedules", sql: include_str!("../../migrations/sqlite/0012_schedules.sql") },
    Migration { number: 13, name: "counts", sql: include_str!("../../migrations/sqlite/0013_counts.sql") },
];

/// The schema of the logs, which lie in a file of their own.
pub(super) const LOGS: &[Migration] =
    &[Migration { number: 1, name: "logs", sql: include_str!("../../migrations/sqlite_logs/0001_logs.sql") }];

/// Returns the number of the newest migration this program knows.
pub(super) fn newest() -> i64 {
    migration::newest(MIGRATIONS)
}

/// Says where the schema stands, and changes nothing.
pub(super) async fn state(connection: &mut SqliteConnection) -> Work<SchemaState> {
    let applied = if is_begun(connection).await? { applied(connection, MIGRATIONS).await? } else { 0 };
    Ok(SchemaState::after(applied, MIGRATIONS))
}

async fn is_begun(connection: &mut SqliteConnection) -> Work<bool> {
    let begun = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations')";
    Ok(sqlx::query_scalar(begun).fetch_one(connection).await?)
}

/// Tells whether the schema has the newest number already; takes no lock, so that nobody who only looks waits for a writer.
pub(super) async fn is_done(connection: &mut SqliteConnection, known: &[Migration]) -> Work<bool> {
    Ok(is_begun(connection).await? && applied(connection, known).await? == migration::newest(known))
}

/// Brings the schema to the newest number. The connection must be inside a write transaction.
pub(super) async fn migrate(connection: &mut SqliteConnection, known: &[Migration], now: Timestamp) -> Work<()> {
    let table = "CREATE TABLE IF NOT EXISTS schema_migrations \
                 (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT";
    connection.execute(table).await?;
    let applied = applied(connection, known).await?;
    for migration in known.iter().filter(|migration| migration.number > applied) {
        sqlx::raw_sql(AssertSqlSafe(migration.sql)).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO schema_migrations (number, name, applied_at) VALUES (?, ?, ?)")
            .bind(migration.number)
            .bind(migration.name)
            .bind(now.as_micros())
            .execute(&mut *connection)
            .await?;
        tracing::info!(number = migration.number, name = migration.name, "migrated the store");
    }
    Ok(())
}

/// Returns the number of the newest migration applied; an error when this program does not know it.
async fn applied(connection: &mut SqliteConnection, known: &[Migration]) -> Work<i64> {
    let applied: i64 =
        sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM schema_migrations").fetch_one(connection).await?;
    Ok(migration::check(applied, known)?)
}
