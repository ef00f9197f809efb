//! `gates list`, `gates open`, `gates close`.

use serde_json::{Value, json};

use pipeline_core::model::Limits;
use pipeline_core::provider::Repeat;
use pipeline_core::storage::{GateKey, GateRecord};
use pipeline_core::time::Timestamp;
use pipeline_engine::Engine;

use crate::output::{Exit, Failure, Output, Row, Table, clean, duration};
use crate::when;

/// Lists the gates.
pub(crate) async fn list(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let gates = engine.store().gates().await?;
    let now = engine.store().now().await?;
    output.rows(&table(&gates, now))?;
    Ok(Exit::Good)
}

/// Opens a gate before its time.
pub(crate) async fn open(engine: &Engine, name: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let key = find(engine, name).await?;
    engine.store().open_gate(key.clone()).await?;
    tell(engine, &key, output).await
}

/// Closes a gate for a while.
pub(crate) async fn close(
    engine: &Engine,
    name: &str,
    pause: &str,
    reason: &str,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let pause = when::span("--for", pause)?;
    let key = find(engine, name).await?;
    engine.store().close_gate(key.clone(), pause, reason).await?;
    tell(engine, &key, output).await
}

/// Finds the gate `name` means: one the store knows, or one before a provider that costs something.
async fn find(engine: &Engine, name: &str) -> Result<GateKey, Failure> {
    let mut known: Vec<GateKey> = engine.store().gates().await?.into_iter().map(|gate| gate.key).collect();
    for provider in engine.providers() {
        let key = GateKey::provider(&provider.name);
        if provider.info.repeat != Repeat::Free && !known.contains(&key) {
            known.push(key);
        }
    }
    if let Some(key) = [GateKey::new(name), GateKey::provider(name)].into_iter().find(|key| known.contains(key)) {
        return Ok(key);
    }
    let names: Vec<&str> = known.iter().map(GateKey::as_str).collect();
    Err(Failure::wrong(format!("there is no gate `{}`", clean(name))).hint(if names.is_empty() {
        "gates stand before providers that cost something; there are none".to_owned()
    } else {
        format!("there is {}", names.join(", "))
    }))
}

async fn tell(engine: &Engine, key: &GateKey, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let gates: Vec<GateRecord> = engine.store().gates().await?.into_iter().filter(|gate| gate.key == *key).collect();
    let now = engine.store().now().await?;
    if output.is_table() {
        output.table(&table(&gates, now))?;
    } else {
        output.value(&gates.first().map(value))?;
    }
    Ok(Exit::Good)
}

/// Draws gates.
pub(super) fn table(gates: &[GateRecord], now: Timestamp) -> Table {
    let header = ["gate", "state", "open calls", "limits", "waiting", "outages", "why"];
    let mut table = Table::new(&header).empty("no gates: no provider that costs something has been called yet");
    for gate in gates {
        let state = gate
            .closed_until
            .map_or_else(|| "open".to_owned(), |until| format!("closed for {}", duration(until.since(now))));
        let cells = [
            gate.key.to_string(),
            state,
            gate.open_calls.to_string(),
            limits(gate.limits),
            gate.waiting.to_string(),
            gate.outages.to_string(),
            gate.reason.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        table.push(Row::new(cells, value(gate)));
    }
    table
}

/// Returns what machines get of a gate.
pub(super) fn value(gate: &GateRecord) -> Value {
    json!({
        "gate": gate.key,
        "closed": gate.closed_until.is_some(),
        "closed_until": gate.closed_until.map(|until| until.to_string()),
        "reason": gate.reason,
        "open_calls": gate.open_calls,
        "concurrency": gate.limits.concurrency,
        "per_minute": gate.limits.per_minute,
        "waiting": gate.waiting,
        "outages": gate.outages,
    })
}

/// Says how hard a provider may be pressed.
pub(super) fn limits(limits: Limits) -> String {
    let parts: Vec<String> = [
        limits.concurrency.map(|most| format!("{most} at once")),
        limits.per_minute.map(|most| format!("{most} a minute")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
