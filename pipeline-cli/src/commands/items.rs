//! `items list` and `items show`.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::executor::{StageState, Stop};
use pipeline_core::model::{Advice, ItemStatus};
use pipeline_core::pipeline::{Plan, StageIndex};
use pipeline_core::query::Term;
use pipeline_core::storage::{ItemQuery, ItemRecord, ResultRecord};
use pipeline_engine::{Engine, Selected};

use crate::args::ItemPageArgs;
use crate::lookup;
use crate::output::{
    Exit, Failure, Output, Row, Table, bytes, clean, duration, money, notice, plain, short, timestamp,
};

use super::errors::named;
use super::query;
use super::rounds::Rounds;
use super::why::{reasons, stopped, waits, why};

/// How many items are asked for at once.
const PAGE: u32 = 500;

/// Lists the items of a job.
pub(crate) async fn list(
    engine: &Engine,
    text: &str,
    (query, statuses): (&str, &[ItemStatus]),
    page: &ItemPageArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut after = page.cursor.as_deref().map(place_of).transpose()?;
    let query = query::read(query, statuses)?;
    let job = lookup::job(engine, text).await?;
    let plan = engine.store().plan(job.id).await?.plan;
    let stage = page.stage.as_deref().map(|name| stage_of(&plan, name)).transpose()?;
    let mut table = Table::new(&["#", "name", "status", "why", "id"]).empty("no items");
    let mut left = page.limit.unwrap_or(u32::MAX) as usize;
    let mut last = None;
    let mut more = false;
    while !more {
        // One more than is shown: then there is another page. A query leaves some of what is read out.
        let few = u32::try_from(left.saturating_add(1)).unwrap_or(u32::MAX).min(PAGE);
        let limit = if query.terms.iter().all(Term::restricts_states) { few } else { PAGE };
        let (code, round) = (page.code, page.round);
        let asked = ItemQuery { stage, code, round, after, limit, ..ItemQuery::of(job.id) };
        let Selected { items, next } = engine.select(&query, asked).await?;
        more = items.len() > left;
        for item in items.iter().take(left) {
            let reason = why(engine, &plan, item).await?;
            let cells = [
                place(&plan, item),
                short(&item.name, 40),
                item.status.to_string(),
                short(&reason, 90),
                item.id.to_string(),
            ];
            let mut shown = value(item, &reason);
            last = Some((item.ordinal, item.slot));
            if let Value::Object(fields) = &mut shown {
                fields.insert("cursor".to_owned(), json!(cursor((item.ordinal, item.slot))));
            }
            table.push(Row::new(cells, shown));
        }
        left = left.saturating_sub(items.len());
        after = next;
        if after.is_none() {
            break;
        }
    }
    output.rows(&table)?;
    if let Some(place) = last.filter(|_| more) {
        notice(&format!("there are more: go on with --cursor {}", cursor(place)));
    }
    Ok(Exit::Good)
}

fn cursor((ordinal, slot): (u32, u32)) -> String {
    format!("{ordinal}.{slot}")
}

fn place_of(text: &str) -> Result<(u32, u32), Failure> {
    let parts = text.split_once('.').and_then(|(ordinal, slot)| Some((ordinal.parse().ok()?, slot.parse().ok()?)));
    parts.ok_or_else(|| {
        Failure::wrong(format!("--cursor `{}` is no cursor of a list of items", clean(text)))
            .hint("accepted: the one an earlier page has told, as it is")
    })
}

/// Finds a stage of a job's pipeline by its name.
fn stage_of(plan: &Plan, name: &str) -> Result<StageIndex, Failure> {
    plan.stages.iter().position(|stage| stage.name.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        Failure::wrong(format!("--stage `{}` is no stage of this job", clean(name)))
            .hint(format!("accepted: {}", names.join(", ")))
    })
}

/// Shows one item with everything its stages recorded.
pub(crate) async fn show(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let id = lookup::item(engine, text).await?;
    let (item, history) = match engine.item(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(lookup::no_item(text)),
        found => found?,
    };
    let plan = engine.store().revision(item.job, item.machine.revision).await?.plan;
    let rounds = Rounds::load(engine, &item).await?;
    let reason = why(engine, &plan, &item).await?;
    let image = image(&item, &history);
    if !output.is_table() {
        let mut shown = value(&item, &reason);
        if let Value::Object(fields) = &mut shown {
            let advice = advice(&item);
            fields.insert("code".to_owned(), json!(advice.map(|advice| advice.code)));
            fields.insert("support_id".to_owned(), json!(advice.map(|advice| advice.support)));
            fields.insert("what_helps".to_owned(), json!(advice.map(|advice| advice.next)));
            fields.insert("settings_hash".to_owned(), json!(plan.hash));
            fields.insert("image".to_owned(), json!(image.map(|(state, file)| json!({"state": state, "file": file}))));
            let states = plan.stages.iter().zip(&item.machine.stages);
            let states = states.map(|(stage, state)| json!({"stage": stage.name, "kind": stage.kind, "state": state}));
            fields.insert("stages".to_owned(), states.collect());
            fields.insert("results".to_owned(), json!(history));
            fields.insert("reviews".to_owned(), json!(rounds.reviews));
            fields.insert("files".to_owned(), rounds.files(&history).map(|file| file.value()).collect());
        }
        output.value(&shown)?;
        return Ok(Exit::Good);
    }
    let job = engine.job(item.job).await?;
    let mut pairs = vec![
        ("item", item.id.to_string()),
        ("name", item.name.clone()),
        ("job", format!("{} ({})", job.id, job.label)),
        ("place", place(&plan, &item)),
        ("status", item.status.to_string()),
        ("why", if reason.is_empty() { "-".to_owned() } else { reason }),
        ("round", item.machine.round.to_string()),
        ("cost", money(item.cost)),
        ("written", timestamp(item.updated_at)),
        (
            "image",
            image.map_or_else(
                || "-".to_owned(),
                |(state, file)| format!("{state}: {}, {}, {}", file.media_type, bytes(file.size), file.digest),
            ),
        ),
        ("settings", plan.hash.to_hex()),
    ];
    if let Some(advice) = advice(&item) {
        let why = pairs.iter().position(|(name, _)| *name == "why").map_or(0, |place| place + 1);
        pairs.insert(why, ("what helps", advice.next.to_owned()));
        pairs.insert(why, ("code", named(&advice)));
    }
    output.pairs(&pairs)?;
    let mut table = Table::new(&["stage", "state", "took", "cost", "provider", "result"]);
    for (stage, state) in plan.stages.iter().zip(&item.machine.stages) {
        let id = match state {
            StageState::Done { result }
            | StageState::Skipped { result: Some(result), .. }
            | StageState::Stopped { result: Some(result), .. } => Some(*result),
            _ => None,
        };
        let result = id.and_then(|id| history.iter().find(|result| result.id == id));
        table.cells([
            stage.name.to_string(),
            state_word(state),
            result.map_or_else(|| "-".to_owned(), |result| duration(result.ended_at.since(result.started_at))),
            result.map_or_else(|| "-".to_owned(), |result| money(result.cost)),
            result.and_then(|result| result.provider.clone()).unwrap_or_else(|| "-".to_owned()),
            detail(state, result),
        ]);
    }
    output.text("\n")?;
    output.table(&table)?;
    rounds.print(&history, output)?;
    Ok(Exit::Good)
}

/// Returns what the code of the failure that ended the item means.
fn advice(item: &ItemRecord) -> Option<Advice> {
    match item.machine.stop()?.1 {
        Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => Some(failure.code.advice()),
        Stop::Rejected | Stop::Undecided { failure: None } | Stop::Cancelled => None,
    }
}

/// Returns what machines get of an item.
fn value(item: &ItemRecord, reason: &str) -> Value {
    json!({
        "id": item.id,
        "job": item.job,
        "name": item.name,
        "status": item.status,
        "why": if reason.is_empty() { None } else { Some(reason) },
        "ordinal": item.ordinal,
        "slot": item.slot,
        "round": item.machine.round,
        "leaves": item.machine.leaves,
        "cost_micros": item.cost.as_micros(),
        "updated_at": item.updated_at.to_string(),
        "parent": item.parent,
        "input": item.input,
    })
}

/// Says where an item stands: its number, and its variation when there are several.
fn place(plan: &Plan, item: &ItemRecord) -> String {
    if plan.leaves_per_item() > 1 {
        format!("{}.{}", item.ordinal + 1, item.slot + 1)
    } else {
        (item.ordinal + 1).to_string()
    }
}

/// Returns the newest picture of an item: final once the item has succeeded, staged before.
fn image<'a>(
    item: &ItemRecord,
    history: &'a [ResultRecord],
) -> Option<(&'static str, &'a pipeline_core::model::Artifact)> {
    let file = history.iter().rev().find_map(|result| result.files.get("image"))?;
    Some((if item.status == ItemStatus::Succeeded { "final" } else { "staged" }, file))
}

fn state_word(state: &StageState) -> String {
    match state {
        StageState::Blocked => "blocked".to_owned(),
        StageState::Ready { attempt } => format!("ready (try {attempt})"),
        StageState::Running { attempt, .. } => format!("running (try {attempt})"),
        StageState::Waiting { .. } => "waiting".to_owned(),
        StageState::Done { .. } => "done".to_owned(),
        StageState::Skipped { .. } => "skipped".to_owned(),
        StageState::Stopped { stop, .. } => match stop {
            Stop::Rejected => "rejected",
            Stop::Undecided { .. } => "undecided",
            Stop::Failed { .. } => "failed",
            Stop::Cancelled => "cancelled",
        }
        .to_owned(),
    }
}

fn detail(state: &StageState, result: Option<&ResultRecord>) -> String {
    let mut parts = Vec::new();
    match state {
        StageState::Stopped { stop, .. } => {
            parts.push(stopped(stop, result.and_then(|result| result.verdict.as_ref())));
        }
        StageState::Waiting { on, .. } => parts.push(waits(on)),
        StageState::Skipped { why, .. } => parts.push(super::history::skipped(*why).to_owned()),
        _ => parts.extend(result.and_then(|result| result.verdict.as_ref()).map(reasons)),
    }
    if let Some(result) = result {
        parts.extend(result.fields.iter().map(|(name, value)| format!("{name} = {}", short(&plain(value), 160))));
        parts.extend(result.files.iter().map(|(name, file)| {
            let digest: String = file.digest.to_hex().chars().take(12).collect();
            format!("{name}: {}, {}, {digest}…", file.media_type, bytes(file.size))
        }));
    }
    parts.join(" · ")
}
