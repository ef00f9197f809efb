//! `jobs rerun`.

use serde_json::{Value, json};

use pipeline_core::id::JobId;
use pipeline_core::storage::JobKey;
use pipeline_engine::{Engine, RerunRequest, RerunSettings, StagePreview};

use crate::args::{RerunArgs, WhoseSettings};
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, money, notice, short};
use crate::request;

use super::jobs;
use super::summary::parts;

/// Makes new jobs from old ones. All that are named are looked up and compiled before the first is stored.
pub(crate) async fn rerun(engine: &Engine, args: &RerunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let layers = request::assignments(&args.set)?;
    if let Some(key) = &args.key {
        request::text("--key", key)?;
    }
    if let Some(key) = &args.idempotency_key {
        request::text("--idempotency-key", key)?;
    }
    let mut old = Vec::new();
    for text in &args.jobs {
        let job = lookup::job(engine, text).await?;
        if !old.contains(&job.id) {
            old.push(job.id);
        }
    }
    // Several go one after another, also over restarts: the key is stored with them.
    let own = || (old.len() > 1).then(|| format!("rerun {}", old.first().map(ToString::to_string).unwrap_or_default()));
    let settings = match args.settings {
        WhoseSettings::AsRun => RerunSettings::AsRun,
        WhoseSettings::Current => RerunSettings::Current,
    };
    let key = args.key.clone().or_else(own).map(|name| JobKey { name, limit: 1 });
    let wanted = RerunRequest {
        settings,
        layers,
        key,
        reuse: args.reuse,
        idempotency_key: args.idempotency_key.clone(),
        label: args.label.clone(),
    };
    for job in &old {
        engine.compile(&engine.rerun_request(*job, &wanted).await?)?;
    }
    if args.dry_run {
        return preview(engine, &old, &wanted, output).await;
    }
    let mut table = Table::new(&["id", "label", "status", "items", "made from"]);
    for job in old {
        let new = engine.rerun(job, &wanted).await?;
        let cells =
            [short_id(new.id), short(&new.label, 32), new.status.to_string(), parts(&new.counts), short_id(job)];
        table.push(Row::new(cells, jobs::value(&new)));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

/// Says what each new job would do.
async fn preview(
    engine: &Engine,
    old: &[JobId],
    wanted: &RerunRequest,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut table = Table::new(&["made from", "items", "calls", "reused", "cost"]);
    for job in old {
        let preview = engine.preview(&engine.rerun_request(*job, wanted).await?).await?;
        let sum = |of: fn(&StagePreview) -> u64| preview.stages.iter().map(of).sum::<u64>();
        let (calls, reused) = (sum(|stage| stage.calls), sum(|stage| stage.reused));
        let cost = preview.cost.map_or_else(|| "not known".to_owned(), money);
        let cells = [short_id(*job), preview.planned.to_string(), calls.to_string(), reused.to_string(), cost];
        let mut value = json!(preview);
        if let Value::Object(fields) = &mut value {
            fields.insert("parent".to_owned(), json!(job));
        }
        table.push(Row::new(cells, value));
    }
    output.rows(&table)?;
    notice("dry run: nothing was stored and nothing was spent");
    Ok(Exit::Good)
}
