//! `items explain`: the story of an item, in order.

use std::fmt::Write as _;

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::executor::Stop;
use pipeline_core::id::Digest;
use pipeline_core::storage::{CallState, Reviewer};
use pipeline_engine::Engine;
use pipeline_engine::story::{Action, Began, Ending, Explained, ItemStory, Next, RoundStory, StepKind};

use crate::lookup;
use crate::output::{Exit, Failure, Output, Table, bytes, duration, money, plain, timestamp};

use super::errors::named;
use super::history::{clock, skipped};
use super::why::reasons;

/// Tells the story.
pub(crate) async fn explain(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let id = lookup::item(engine, text).await?;
    let story = match engine.story(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(lookup::no_item(text)),
        found => found?,
    };
    let item = &story.item;
    if !output.is_table() {
        let mut shown = json!({
            "id": item.id, "job": item.job, "name": item.name, "status": item.status, "round": item.machine.round,
            "parent": item.parent, "cost_micros": item.cost.as_micros(),
        });
        if let (Value::Object(fields), Value::Object(told)) =
            (&mut shown, serde_json::to_value(&story).map_err(Failure::unexpected)?)
        {
            fields.extend(told);
        }
        output.value(&shown)?;
        return Ok(Exit::Good);
    }
    let mut pairs = vec![
        ("item", item.id.to_string()),
        ("name", item.name.clone()),
        ("job", item.job.to_string()),
        ("status", item.status.to_string()),
    ];
    pairs.extend(because(&story.ending));
    pairs.push(("cost", format!("{}; its calls together {}", money(item.cost), money(story.called))));
    output.pairs(&pairs)?;
    for round in &story.rounds {
        output.text("\n")?;
        output.line(&heading(round))?;
        let mut table = Table::new(&["at", "stage", "what"]).empty("  nothing yet");
        for step in &round.steps {
            let stage = step.stage.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let whose = if step.of_parent { " (before it was split)" } else { "" };
            table.cells([clock(&step.at.to_string()), stage, format!("{}{whose}", happened(&step.what))]);
        }
        output.table(&table)?;
    }
    output.text("\n")?;
    let mut table = Table::new(&["next", "possible", "how"]);
    for next in &story.next {
        let can = if next.can { "yes" } else { "no" };
        table.cells([word(next.action).to_owned(), can.to_owned(), how(&story, next)]);
    }
    output.table(&table)?;
    Ok(Exit::Good)
}

/// Says why the item is what it is.
fn because(ending: &Ending) -> Vec<(&'static str, String)> {
    let stage = ending.stage.as_ref().map(|stage| format!("{stage}: ")).unwrap_or_default();
    if let Some(Explained { failure, advice }) = &ending.failure {
        return vec![
            ("why", format!("{stage}{}", failure.message)),
            ("code", named(advice)),
            ("what helps", advice.next.to_owned()),
        ];
    }
    let reasons: Vec<&str> = ending.reasons.iter().map(|reason| reason.message.as_str()).collect();
    match (&ending.condition, reasons.is_empty()) {
        (Some(condition), _) => vec![("why", format!("{stage}the condition {condition} does not hold"))],
        (None, false) => vec![("why", format!("{stage}{}", reasons.join("; ")))],
        (None, true) => Vec::new(),
    }
}

fn heading(round: &RoundStory) -> String {
    let who = |by: &Option<Reviewer>| match by {
        Some(Reviewer { actor, reason: Some(reason) }) => format!(" by {actor}: {reason}"),
        Some(Reviewer { actor, reason: None }) => format!(" by {actor}"),
        None => String::new(),
    };
    let list =
        |stages: &[pipeline_core::id::StageName]| stages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let began = match &round.began {
        Began::Submit { owner } => format!("submitted by {owner}"),
        Began::Approve { by } => format!("approved{}", who(by)),
        Began::Retry { from, only, skip, by } => {
            let mut text = "wanted again".to_owned();
            if let Some(from) = from {
                let _ = write!(text, " from {from} on");
            }
            if !only.is_empty() {
                let _ = write!(text, ", only {}", list(only));
            }
            if !skip.is_empty() {
                let _ = write!(text, ", without {}", list(skip));
            }
            text + &who(by)
        }
    };
    let at = round.at.map(|at| format!(", {}", timestamp(at))).unwrap_or_default();
    let hash: String = Digest::to_hex(round.settings_hash).chars().take(12).collect();
    let changed: Vec<String> = round
        .changed
        .iter()
        .map(|changed| format!("{} {} -> {}", changed.setting, plain(&changed.was), plain(&changed.is)))
        .collect();
    let settings = match (round.revision, changed.is_empty()) {
        (0, _) => format!("settings {hash}…"),
        (number, true) => format!("settings {hash}…, revision {number}"),
        (number, false) => format!("settings {hash}…, revision {number}: {}", changed.join(", ")),
    };
    format!("round {}{at}: {began}; {settings}", round.round)
}

fn failed(explained: &Explained) -> String {
    format!("{}, {}", explained.failure.message, named(&explained.advice))
}

fn happened(what: &StepKind) -> String {
    match what {
        StepKind::Condition { condition, answer, saw } => {
            let answer = match answer {
                Some(true) => "holds",
                Some(false) => "does not hold",
                None => "cannot be evaluated",
            };
            let saw: Vec<String> = saw.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect();
            let saw = if saw.is_empty() { "nothing it names is there".to_owned() } else { saw.join(", ") };
            format!("condition {} {answer}: {saw}", condition.as_deref().unwrap_or_default())
        }
        StepKind::Call { call, provider, attempt, state, reserved, cost, items, task, failure, resolution, .. } => {
            let price = match (state, cost) {
                (CallState::Succeeded | CallState::Failed, Some(cost)) => format!("cost {cost}"),
                _ => format!("reserved {reserved}"),
            };
            let mut text = format!("call {call} of {provider}, try {attempt}: {state}, {price}");
            if *items > 1 {
                let _ = write!(text, ", for {items} items");
            }
            if let Some(task) = task {
                let _ = write!(text, ", task {task}");
            }
            if let Some(failure) = failure {
                let _ = write!(text, "; {}", failed(failure));
            }
            if let Some(decided) = resolution {
                let _ = write!(text, "; decided by {}: {}", decided.by, decided.why);
            }
            text
        }
        StepKind::Result { attempt, took, cost, provider, verdict, files, stop } => {
            let mut text = match (stop, verdict) {
                (Some(Stop::Rejected), Some(verdict)) => format!("rejected: {}", reasons(verdict)),
                (Some(_), Some(verdict)) => format!("undecided: {}", reasons(verdict)),
                (None, Some(_)) => "passed".to_owned(),
                _ => "done".to_owned(),
            };
            let _ = write!(text, " in {}", duration(*took));
            if *attempt > 1 {
                let _ = write!(text, " at try {attempt}");
            }
            if let Some(provider) = provider {
                let _ = write!(text, " by {provider}");
            }
            if cost.as_micros() != 0 {
                let _ = write!(text, ", cost {cost}");
            }
            for (name, file) in files {
                let _ = write!(text, "; {name}: {}, {}, {}", file.media_type, bytes(file.size), file.digest);
            }
            text
        }
        StepKind::Skipped { why, failure: None } => format!("passed over: {}", skipped(*why)),
        StepKind::Skipped { why, failure: Some(failure) } => {
            format!("passed over: {}: {}", skipped(*why), failed(failure))
        }
        StepKind::Stopped { failure: Some(failure), stop: Stop::Failed { .. } } => {
            format!("failed: {}", failed(failure))
        }
        StepKind::Stopped { failure: Some(failure), .. } => format!("could not judge: {}", failed(failure)),
        StepKind::Stopped { stop: Stop::Cancelled, .. } => "cancelled".to_owned(),
        StepKind::Stopped { .. } => "ended the walk".to_owned(),
        StepKind::Retrying { attempt, again_at, failure } => {
            format!("try {attempt} failed, again at {}: {}", clock(&again_at.to_string()), failed(failure))
        }
        StepKind::Waited { reason } => format!("waits: {reason}"),
        StepKind::Recovered { crashes } => format!("taken over after the process ended ({crashes} times so far)"),
        StepKind::Expanded { children } => format!("makes {children} of it"),
        StepKind::Discarded { by: Some(Reviewer { actor, reason }) } => {
            format!("discarded by {actor}: {}", reason.as_deref().unwrap_or("no reason given"))
        }
        StepKind::Discarded { by: None } => "discarded".to_owned(),
        StepKind::Ended { status } => format!("ended: {status}"),
    }
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Retry => "retry",
        Action::Approve => "approve",
        Action::Discard => "discard",
        Action::Rerun => "rerun",
        Action::ResolveCall => "resolve",
        Action::OpenGate => "gate",
        Action::RaiseBudget => "budget",
        Action::Wait => "wait",
    }
}

/// Says what to type, or why it cannot be done.
fn how(story: &ItemStory, next: &Next) -> String {
    if !next.can {
        return next.detail.clone();
    }
    let (item, job) = (story.item.id, story.item.job);
    let command = match next.action {
        Action::Retry => format!("pipeline items retry {item}"),
        Action::Approve => format!("pipeline items approve {item}"),
        Action::Discard => format!("pipeline items discard {item}"),
        Action::Rerun => format!("pipeline jobs rerun {job}"),
        Action::ResolveCall => format!("pipeline calls list {job} --state held"),
        Action::OpenGate => "pipeline gates list".to_owned(),
        Action::RaiseBudget => "pipeline budgets list".to_owned(),
        Action::Wait => return next.detail.clone(),
    };
    format!("{}: {command}", next.detail)
}
