//! `calls list`, `calls show`, `calls resolve`.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::executor::{StageState, Wait};
use pipeline_core::id::{CallId, StageName};
use pipeline_core::model::Money;
use pipeline_core::storage::{CallQuery, CallRecord, CallState, Decision, NewResolution};
use pipeline_engine::Engine;
use uuid::Uuid;

use crate::actor::actor;
use crate::args::{CallWord, CallsArgs, ResolveArgs};
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, ago, clean, money, notice, short, timestamp};
use crate::request::{amount, read};

/// Lists calls, oldest first.
pub(crate) async fn list(engine: &Engine, args: &CallsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = match &args.job {
        Some(text) => Some(lookup::job(engine, text).await?.id),
        None => None,
    };
    let item = match &args.item {
        Some(text) => Some(lookup::item(engine, text).await?),
        None => None,
    };
    let stage = match &args.stage {
        Some(name) => Some(StageName::new(name).map_err(|error| Failure::wrong(format!("--stage: {error}")))?),
        None => None,
    };
    let mut states: Vec<CallState> = args.state.iter().map(|word| state(*word)).collect();
    states.dedup();
    let wants = |word| args.state.is_empty() || args.state.contains(&word);
    let calls = engine.store().calls(CallQuery { job, item, stage, states, limit: args.limit, unused: false }).await?;
    let now = engine.store().now().await?;
    let header = ["call", "job", "stage", "provider", "state", "items", "reserved", "cost", "sent"];
    let mut table = Table::new(&header).empty("no such calls: nothing that costs something was called");
    let full = calls.len() >= args.limit as usize;
    for call in calls {
        let held = call.state == CallState::Unknown && is_held(engine, &call).await?;
        if call.state == CallState::Unknown && !wants(CallWord::Unknown) && !held {
            continue;
        }
        let cells = [
            call.id.to_string(),
            short_id(call.job),
            call.stage.to_string(),
            short(&call.provider, 24),
            word(&call, held).to_owned(),
            call.items.len().to_string(),
            money(call.reserved),
            cost(&call),
            ago(call.opened_at, now),
        ];
        table.push(Row::new(cells, value(&call, held)));
    }
    output.rows(&table)?;
    if full {
        notice(&format!("there may be more than {}: --limit shows more", args.limit));
    }
    Ok(Exit::Good)
}

/// Shows one call.
pub(crate) async fn show(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let call = find(engine, text).await?;
    tell(engine, &call, output).await
}

/// Records a decision about a call.
pub(crate) async fn resolve(engine: &Engine, args: &ResolveArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let call = find(engine, &args.call).await?;
    let (decision, response) = match &args.result {
        Some(path) => {
            let text = read(path, "cannot read the result")?;
            let response: Value = serde_json::from_str(&text).map_err(|error| {
                Failure::wrong(format!("{} is not JSON: {error}", path.display()))
                    .hint("accepted: the raw response, as `calls show -o json` prints that of a call that succeeded")
            })?;
            (Decision::Answered, Some(response))
        }
        None if args.repeat => (Decision::Repeat, None),
        None => (Decision::GiveUp, None),
    };
    let cost = match args.charged.as_deref() {
        Some("0") => Money::ZERO,
        Some(text) => amount("--charged", text)?,
        None if decision == Decision::Answered => call.reserved,
        None => Money::ZERO,
    };
    let (by, why) = (actor(engine, args.actor.as_deref())?, args.reason.clone());
    let resolution = NewResolution { call: call.id, decision, by, why, cost, response };
    let resolved = engine.resolve(resolution).await.map_err(|error| match error.kind() {
        ErrorKind::Conflict => {
            Failure::blame_request(&error).hint("`pipeline calls list --state held` shows what can be resolved")
        }
        _ => Failure::from(error),
    })?;
    if output.is_table() {
        let then = match decision {
            Decision::Answered => "its items go on with the answer",
            Decision::Repeat => "it is made again",
            Decision::GiveUp => "what it was for is given up",
        };
        let id = short_id(resolved.job);
        output.line(&format!("call {} is resolved at a cost of {cost}; {then}", resolved.id))?;
        notice(&format!("a worker goes on with it, or: pipeline jobs resume {id}"));
    } else {
        output.value(&value(&resolved, false))?;
    }
    Ok(Exit::Good)
}

async fn find(engine: &Engine, text: &str) -> Result<CallRecord, Failure> {
    let none = || {
        Failure::wrong(format!("there is no call `{}`", clean(text)))
            .hint("`pipeline calls list JOB` shows the calls of a job, each with its whole id")
    };
    let id = Uuid::try_parse(text).map_err(|_| none())?;
    match engine.store().call(CallId::from_uuid(id)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(none()),
        found => Ok(found?),
    }
}

async fn tell(engine: &Engine, call: &CallRecord, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let held = call.state == CallState::Unknown && is_held(engine, call).await?;
    if !output.is_table() {
        output.value(&value(call, held))?;
        return Ok(Exit::Good);
    }
    let dash = || "-".to_owned();
    let mut pairs = vec![
        ("call", call.id.to_string()),
        ("job", call.job.to_string()),
        ("stage", format!("{}, round {}, attempt {}", call.stage, call.round, call.attempt)),
        ("provider", call.provider.clone()),
        ("state", word(call, held).to_owned()),
        ("reserved", money(call.reserved)),
        ("cost", cost(call)),
        ("sent", timestamp(call.opened_at)),
        ("settled", call.settled_at.map_or_else(dash, timestamp)),
        ("task", call.external_id.clone().unwrap_or_else(dash)),
        ("request", call.request.to_hex()),
    ];
    for item in &call.items {
        let used = if call.used_by.contains(item) { "has used the answer" } else { "has not used an answer" };
        pairs.push(("item", format!("{item}, {used}")));
    }
    if let Some(failure) = &call.failure {
        pairs.push(("failure", failure.message.clone()));
    }
    if let Some(decided) = &call.resolution {
        let what = match decided.decision {
            Decision::Answered => "answered",
            Decision::Repeat => "to be made again",
            Decision::GiveUp => "given up",
        };
        pairs.push(("resolved", format!("{what}, by {}, {}: {}", decided.by, timestamp(decided.at), decided.why)));
    }
    output.pairs(&pairs)?;
    if let Some(response) = &call.response {
        let text = serde_json::to_string_pretty(response).map_err(Failure::unexpected)?;
        output.text("\n")?;
        for line in text.lines() {
            output.line(line)?;
        }
    }
    if held {
        notice(&format!("it waits for a person: pipeline calls resolve {} --result FILE|--repeat|--give-up", call.id));
    }
    Ok(Exit::Good)
}

/// Tells whether an item of an unknown call waits for a person in its stage.
async fn is_held(engine: &Engine, call: &CallRecord) -> Result<bool, Failure> {
    let plan = engine.store().plan(call.job).await?.plan;
    let Some(index) = plan.index_of(call.stage.as_str()) else { return Ok(false) };
    for item in &call.items {
        let item = engine.store().item(*item).await?;
        if matches!(item.machine.stages.get(index), Some(StageState::Waiting { on: Wait::Person { .. }, .. })) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What it has cost, once somebody knows.
fn cost(call: &CallRecord) -> String {
    let known = call.cost.filter(|_| matches!(call.state, CallState::Succeeded | CallState::Failed));
    known.map_or_else(|| "-".to_owned(), |cost| cost.to_string())
}

const fn state(word: CallWord) -> CallState {
    match word {
        CallWord::Open => CallState::Open,
        CallWord::Held | CallWord::Unknown => CallState::Unknown,
        CallWord::Failed => CallState::Failed,
        CallWord::Succeeded => CallState::Succeeded,
    }
}

const fn word(call: &CallRecord, held: bool) -> &'static str {
    if held { "held" } else { call.state.as_str() }
}

/// Returns what machines get of a call.
fn value(call: &CallRecord, held: bool) -> Value {
    json!({
        "id": call.id,
        "job": call.job,
        "stage": call.stage,
        "provider": call.provider,
        "capability": call.capability,
        "state": call.state,
        "held": held,
        "round": call.round,
        "attempt": call.attempt,
        "items": call.items,
        "used_by": call.used_by,
        "reserved_micros": call.reserved.as_micros(),
        "cost_micros": call.cost.map(Money::as_micros),
        "request": call.request,
        "task": call.external_id,
        "opened_at": call.opened_at.to_string(),
        "deadline": call.deadline.to_string(),
        "settled_at": call.settled_at.map(|at| at.to_string()),
        "failure": call.failure,
        "response": call.response,
        "resolution": call.resolution.as_ref().map(|decided| json!({
            "decision": decided.decision, "by": decided.by, "why": decided.why, "at": decided.at.to_string(),
        })),
    })
}
