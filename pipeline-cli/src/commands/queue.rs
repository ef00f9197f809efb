//! `queue status`, `queue pause`, `queue resume`.

use serde_json::json;

use pipeline_engine::Engine;

use crate::output::{Exit, Failure, Output, duration};

use super::gates;

/// Says what stands in the queue.
pub(crate) async fn status(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let queue = engine.store().queue_status().await?;
    let gates = engine.store().gates().await?;
    let sessions = engine.store().sessions(None).await?;
    let now = engine.store().now().await?;
    let age = queue.oldest.map(|oldest| now.since(oldest));
    if !output.is_table() {
        output.value(&json!({
            "paused": queue.paused,
            "jobs": queue.jobs,
            "items": queue.depth,
            "by_gate": queue.by_gate,
            "oldest_at": queue.oldest.map(|oldest| oldest.to_string()),
            "oldest_age_ms": age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            "workers": sessions.len(),
            "gates": gates.iter().map(gates::value).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Good);
    }
    let jobs: Vec<String> = queue.jobs.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let depth = queue.depth;
    output.pairs(&[
        ("work", if queue.paused { "paused; `pipeline queue resume` lets it go on" } else { "going on" }.to_owned()),
        ("jobs", if jobs.is_empty() { "none that have not ended".to_owned() } else { jobs.join(", ") }),
        ("items", format!("{} due, {} waiting, {} held by workers", depth.due, depth.waiting, depth.held)),
        ("oldest", age.map_or_else(|| "-".to_owned(), |age| format!("not served for {}", duration(age)))),
        ("workers", sessions.len().to_string()),
    ])?;
    if !gates.is_empty() {
        output.text("\n")?;
        output.table(&gates::table(&gates, now))?;
    }
    Ok(Exit::Good)
}

/// Stops all work of the store, or lets it go on.
pub(crate) async fn pause(engine: &Engine, paused: bool, output: &mut Output<'_>) -> Result<Exit, Failure> {
    engine.store().pause_all(paused).await?;
    if output.is_table() {
        output.line(if paused {
            "all work is paused: nothing starts until `pipeline queue resume`; what runs ends"
        } else {
            "work goes on; jobs that were paused one by one stay paused"
        })?;
    } else {
        output.value(&json!({ "paused": paused }))?;
    }
    Ok(Exit::Good)
}
