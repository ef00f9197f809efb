//! The numbered steps of a schema.

use pipeline_core::error::{Error, Result};

/// A step.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
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
