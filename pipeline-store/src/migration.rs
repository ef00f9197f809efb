//! The numbered steps of a schema.

use pipeline_core::error::{Error, Result};
use serde::Serialize;

/// A step.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Where the schema of a store stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaState {
    /// The number of the newest step applied; 0 where there is no store yet.
    pub applied: i64,
    /// The number of the newest step this program knows.
    pub newest: i64,
    /// The number and name of each step that opening the store will apply.
    pub pending: Vec<(i64, &'static str)>,
}

impl SchemaState {
    /// Says what is left to do after a step.
    pub(crate) fn after(applied: i64, known: &[Migration]) -> Self {
        let pending = known.iter().filter(|migration| migration.number > applied);
        let pending = pending.map(|migration| (migration.number, migration.name)).collect();
        Self { applied, newest: newest(known), pending }
    }
}

/// Returns the number of the newest of some steps.
pub(crate) fn newest(known: &[Migration]) -> i64 {
    known.last().map_or(0, |migration| migration.number)
}

/// Returns the number of the last step applied to a store; an error when this program does not know it.
pub(crate) fn check(applied: i64, known: &[Migration]) -> Result<i64> {
    if applied <= newest(known) {
        return Ok(applied);
    }
    Err(Error::conflict("the store was written by a newer version of this program; update the program")
        .with("store_schema", applied)
        .with("known_schema", newest(known)))
}
