//! `workers list`.

use serde_json::json;

use pipeline_engine::Engine;

use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, Row, Table, ago, duration};

/// Lists the processes that work on jobs of the store.
pub(crate) async fn list(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let sessions = engine.store().sessions(None).await?;
    let now = engine.store().now().await?;
    let mut table = Table::new(&["session", "host", "pid", "items", "works on", "started", "lease"])
        .empty("no workers: `pipeline worker` starts one");
    for session in &sessions {
        let cells = [
            session.id.to_string(),
            session.host.clone(),
            session.pid.to_string(),
            session.claims.to_string(),
            session.focus.map_or_else(|| "every job".to_owned(), short_id),
            ago(session.started_at, now),
            duration(session.lease_until.since(now)),
        ];
        let value = json!({
            "session": session.id,
            "host": session.host,
            "pid": session.pid,
            "focus": session.focus,
            "started_at": session.started_at.to_string(),
            "lease_until": session.lease_until.to_string(),
            "claims": session.claims,
        });
        table.push(Row::new(cells, value));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}
