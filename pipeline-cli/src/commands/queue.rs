//! `queue status`, `queue pause`, `queue resume`.

use std::time::Duration;

use serde_json::json;

use pipeline_core::storage::Rates;
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
            "rates": {
                "window_ms": queue.rates.window.as_millis() as u64,
                "items": queue.rates.items,
                "items_per_second": queue.rates.items_per_second(),
                "stages": queue.rates.stages,
                "stages_per_second": queue.rates.stages_per_second(),
            },
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
        ("rates", rates(&queue.rates)),
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

/// Prints rates for people: in seconds what is quick, in minutes what is slow.
fn rates(rates: &Rates) -> String {
    let (items, stages) = (rates.items_per_second(), rates.stages_per_second());
    let quick = items >= 10.0;
    let (unit, factor) = if quick { ("second", 1.0) } else { ("minute", 60.0) };
    let window = if rates.window == Duration::from_mins(1) { "minute".to_owned() } else { duration(rates.window) };
    format!("{:.0} items ended and {:.0} stages done a {unit}, over the last {window}", items * factor, stages * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_told_by_the_minute() {
        let [minute, ten, _] = Rates::WINDOWS;
        let text = |window, items, stages| rates(&Rates { window, items, stages });
        assert_eq!(text(minute, 7, 30), "7 items ended and 30 stages done a minute, over the last minute");
        assert_eq!(text(ten, 5_000, 19_999), "500 items ended and 2000 stages done a second, over the last 10 s");
        assert_eq!(text(Duration::ZERO, 0, 0), "0 items ended and 0 stages done a minute, over the last 0 ms");
    }
}
