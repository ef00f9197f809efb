//! `store verify`.

use serde_json::json;

use pipeline_engine::Engine;
use pipeline_engine::upkeep::VerifyOptions;

use crate::output::{Exit, Failure, Output, Row, Table, bytes};

/// Proves the store, and prints every breach.
pub(super) async fn verify(engine: &Engine, content: bool, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let report = engine.upkeep().verify(VerifyOptions { content }).await?;
    let exit = if report.is_clean() { Exit::Good } else { Exit::Broken };
    if !output.is_table() {
        output.value(&json!({
            "clean": report.is_clean(), "jobs": report.jobs, "items": report.audit.items, "results": report.audit.results,
            "calls": report.audit.calls, "events": report.audit.events, "artifacts": report.artifacts,
            "bytes": report.bytes, "content": content, "breaches": report.audit.breaches,
            "further": report.audit.further,
        }))?;
        return Ok(exit);
    }
    let mut table = Table::new(&["place", "breach"]).empty("nothing is wrong");
    for breach in &report.audit.breaches {
        table.push(Row::new([breach.place.clone(), breach.message.clone()], json!(breach)));
    }
    output.table(&table)?;
    if report.audit.further > 0 {
        output.line(&format!("and {} more", report.audit.further))?;
    }
    let looked = if content { "read" } else { "looked for" };
    output.line(&format!(
        "{} jobs, {} items, {} results, {} calls, {} events; {} files {looked}, {}",
        report.jobs,
        report.audit.items,
        report.audit.results,
        report.audit.calls,
        report.audit.events,
        report.artifacts,
        bytes(report.bytes),
    ))?;
    Ok(exit)
}
