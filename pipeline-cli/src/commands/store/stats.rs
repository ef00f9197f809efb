//! `store stats`.

use pipeline_engine::Engine;

use crate::commands::doctor;
use crate::output::{Exit, Failure, Output, bytes};

/// Prints how much is kept.
pub(super) async fn stats(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let stats = engine.upkeep().stats().await?;
    if !output.is_table() {
        output.value(&stats)?;
        return Ok(Exit::Good);
    }
    let records = &stats.records;
    output.pairs(&[
        ("store", format!("{} at {}, schema {}", stats.store.backend, stats.store.location, stats.store.schema)),
        ("jobs", records.jobs.to_string()),
        ("items", records.items.to_string()),
        ("results", records.results.to_string()),
        ("calls", records.calls.to_string()),
        ("events", records.events.to_string()),
        ("names", records.names.to_string()),
        ("fingerprints", records.fingerprints.to_string()),
        ("size", records.bytes.map_or_else(|| "-".to_owned(), bytes)),
        ("artifacts", format!("{} in {}", stats.artifacts.count, stats.artifacts.location)),
        ("their size", bytes(stats.artifacts.bytes)),
        ("logs", stats.logs.as_ref().map_or_else(|| "-".to_owned(), doctor::volume)),
    ])?;
    Ok(Exit::Good)
}
