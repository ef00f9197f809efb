//! `store migrate`.

use serde_json::json;

use pipeline_store::{PostgresOptions, PostgresStore, SchemaState, SqliteStore};

use crate::home::{Home, StoreChoice};
use crate::output::{Exit, Failure, Output};
use crate::wiring::Wired;

/// Brings the schema to this version; says what was applied, or what would be.
pub(super) async fn migrate(home: &Home, check: bool, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let before = look(home).await?;
    if !check {
        Wired::open(home).await?.close().await;
    }
    let (applied, pending) = if check { (&[][..], &before.pending[..]) } else { (&before.pending[..], &[][..]) };
    if !output.is_table() {
        let named = |steps: &[(i64, &str)]| {
            steps.iter().map(|(number, name)| json!({"number": number, "name": name})).collect::<Vec<_>>()
        };
        output.value(&json!({
            "before": before.applied, "schema": if check { before.applied } else { before.newest },
            "newest": before.newest, "applied": named(applied), "pending": named(pending),
        }))?;
        return Ok(Exit::Good);
    }
    for (number, name) in applied {
        output.line(&format!("applied {number:04} {name}"))?;
    }
    for (number, name) in pending {
        output.line(&format!("to be applied: {number:04} {name}"))?;
    }
    if before.pending.is_empty() {
        output.line(&format!("the schema is up to date: {}", before.applied))?;
    }
    Ok(Exit::Good)
}

/// Looks at the schema, and changes nothing.
async fn look(home: &Home) -> Result<SchemaState, Failure> {
    match &home.store {
        StoreChoice::Sqlite(path) => Ok(SqliteStore::schema_of(path).await?),
        StoreChoice::Postgres(url) => Ok(PostgresStore::schema_of(url, &PostgresOptions::default()).await?),
        StoreChoice::Memory => Err(Failure::wrong("--store memory: has no schema")
            .hint("--store sqlite:PATH or postgres://… name a store that is kept")),
    }
}
