//! The migrations of the PostgreSQL schema, applied in order, each in a transaction of its own.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::fault::Work;
use super::store::clock;
use crate::migration::{self, Migration, SchemaState};

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "records", sql: include_str!("../../migrations/postgres/0001_records.sql") },
    Migration { number: 2, name: "gates", sql: include_str!("../../migrations/postgres/0002_gates.sql") },
    Migration { number: 3, name: "calls", sql: include_str!("../../migrations/postgres/0003_calls.sql") },
    Migration { number: 4, name: "rates", sql: include_str!("../../migrations/postgres/0004_rates.sql") },
    Migration { number: 5, name: "reviews", sql: include_str!("../../migrations/postgres/0005_reviews.sql") },
    Migration { number: 6, name: "deleted", sql: include_str!("../../migrations/postgres/0006_deleted.sql") },
    Migration { number: 7, name: "budgets", sql: include_str!("../../migrations/postgres/0007_budgets.sql") },
    Migration { number: 8, name: "resolutions", sql: include_str!("../../migrations/postgres/0008_resolutions.sql") },
    Migration { number: 9, name: "reuse", sql: include_str!("../../migrations/postgres/0009_reuse.sql") },
    Migration { number: 10, name: "hooks", sql: include_str!("../../migrations/postgres/0010_hooks.sql") },
    Migration { number: 11, name: "listing", sql: include_str!("../../migrations/postgres/0011_listing.sql") },
    Migration { number: 12, name: "schedules", sql: include_str!("../../migrations/postgres/0012_schedules.sql") },
    Migration { number: 13, name: "logs", sql: include_str!("../../migrations/postgres/0013_logs.sql") },
];

/// Returns the number of the newest migration this program knows.
pub(super) fn newest() -> i64 {
    migration::newest(MIGRATIONS)
}

/// Says where the schema stands, and changes nothing.
pub(super) async fn state(connection: &mut PgConnection, schema: &str) -> Work<SchemaState> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{schema}.schema_migrations"))
        .fetch_one(&mut *connection)
        .await?;
    let applied = if known { applied(connection).await? } else { 0 };
    Ok(SchemaState::after(applied, MIGRATIONS))
}

/// Brings the schema to the newest number. Several processes may do so at once; one that is interrupted leaves no half
/// of a migration.
pub(super) async fn migrate(connection: &mut PgConnection, schema: &str) -> Work<()> {
    // First without a lock, and without the right to change the schema.
    if state(connection, schema).await?.pending.is_empty() {
        return Ok(());
    }
    while step(connection, schema).await? {}
    Ok(())
}

/// Applies the next migration; false when there is none.
async fn step(connection: &mut PgConnection, schema: &str) -> Work<bool> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7304))")
        .bind(schema)
        .execute(&mut *transaction)
        .await?;
    // Only a name of checked characters comes here.
    let folder = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    let exists: bool =
        sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(schema).fetch_one(&mut *transaction).await?;
    if !exists {
        sqlx::raw_sql(folder).execute(&mut *transaction).await?;
    }
    let table = "CREATE TABLE IF NOT EXISTS schema_migrations \
                 (number bigint NOT NULL PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)";
    sqlx::raw_sql(table).execute(&mut *transaction).await?;
    let applied = applied(&mut transaction).await?;
    let Some(migration) = MIGRATIONS.iter().find(|migration| migration.number > applied) else {
        transaction.commit().await?;
        return Ok(false);
    };
    sqlx::raw_sql(AssertSqlSafe(migration.sql)).execute(&mut *transaction).await?;
    sqlx::query(concat!(
        "INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, ",
        clock!("NULL"),
        ")"
    ))
    .bind(migration.number)
    .bind(migration.name)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    tracing::info!(number = migration.number, name = migration.name, "migrated the store");
    Ok(true)
}

/// Returns the number of the newest migration applied; an error when this program does not know it.
async fn applied(connection: &mut PgConnection) -> Work<i64> {
    let applied =
        sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM schema_migrations").fetch_one(connection).await?;
    Ok(migration::check(applied, MIGRATIONS)?)
}
