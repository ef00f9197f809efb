//! `hooks add|list|show|pause|resume|rm|deliveries|retry|deliver|test`.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::error::Error;
use pipeline_core::id::MessageId;
use pipeline_core::provider::{HookAnswer, HookTarget};
use pipeline_core::settings::SecretRef;
use pipeline_core::storage::{
    DeliveryQuery, DeliveryRecord, DeliveryState, EventFilter, Hook, HookJobs, HookPolicy, HookSpec,
};
use pipeline_engine::Engine;

use crate::args::{DeliveriesArgs, DeliveryWord, HookAddArgs, HookArgs, HooksCommand};
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, clean, duration, notice, timestamp};
use crate::when;

/// Does a command about hooks.
pub(crate) async fn run(engine: &Engine, command: &HooksCommand, output: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        HooksCommand::Add(args) => add(engine, args, output).await,
        HooksCommand::List(_) => {
            output.rows(&table(&engine.store().hooks().await?))?;
            Ok(Exit::Good)
        }
        HooksCommand::Show(args) => show(&find(engine, args).await?, output),
        HooksCommand::Pause(args) => {
            let hook = find(engine, args).await?;
            show(&engine.store().pause_hook(hook.id, Some("a person has paused it")).await?, output)
        }
        HooksCommand::Resume(args) => {
            let hook = find(engine, args).await?;
            show(&engine.store().pause_hook(hook.id, None).await?, output)
        }
        HooksCommand::Rm(args) => remove(engine, args, output).await,
        HooksCommand::Deliveries(args) => deliveries(engine, args, output).await,
        HooksCommand::Retry { hook, message } => retry(engine, hook, message.as_deref(), output).await,
        HooksCommand::Deliver { name, .. } => deliver(engine, name.as_deref(), output).await,
        HooksCommand::Test(args) => test(engine, args, output).await,
    }
}

/// Says what is wrong with a hook before anything is opened.
pub(crate) async fn check(engine: &Engine, args: &HookAddArgs) -> Result<(), Failure> {
    engine.check_hook(engine.owner(), &args.name, &spec(args)?).await.map_err(refused)
}

async fn add(engine: &Engine, args: &HookAddArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let hook = engine.add_hook(engine.owner(), &args.name, spec(args)?).await.map_err(refused)?;
    let name = clean(&hook.name);
    notice(&format!("runs and workers deliver from now on; `pipeline hooks test {name}` tries the way"));
    show(&hook, output)
}

/// Where a hook must not lead, or leads nowhere, the request is to blame.
fn refused(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Timeout => {
            Failure::blame_request(&error)
        }
        _ => error.into(),
    }
}

fn spec(args: &HookAddArgs) -> Result<HookSpec, Failure> {
    let target = match (&args.url, args.program.split_first()) {
        (Some(url), _) => {
            let secrets = args.secret.iter().map(|text| text.parse::<SecretRef>());
            let secrets = secrets.collect::<Result<Vec<_>, _>>();
            // The text is left out: it may be the secret itself.
            let secrets = secrets.map_err(|error| Failure::wrong(format!("--secret is wrong: {error}")))?;
            HookTarget::Webhook { url: url.clone(), secrets, allow_private: args.allow_private }
        }
        (None, Some((program, args))) => HookTarget::Command { program: program.clone(), args: args.to_vec() },
        (None, None) => return Err(Failure::wrong("neither --url nor a program is given")),
    };
    let events = EventFilter::new(args.events.clone());
    let events = events.map_err(|error| Failure::wrong(format!("--events {}", clean(&error.to_string()))))?;
    let policy = HookPolicy {
        timeout: when::span("--timeout", &args.timeout)?,
        attempts: args.attempts,
        first_wait: when::span("--retry-after", &args.retry_after)?,
    };
    let jobs = HookJobs { pipeline: args.pipeline.clone(), label: args.job_label.clone() };
    Ok(HookSpec { target, events, jobs, policy })
}

async fn find(engine: &Engine, args: &HookArgs) -> Result<Hook, Failure> {
    named(engine, engine.owner(), &args.name).await
}

async fn named(engine: &Engine, owner: &str, name: &str) -> Result<Hook, Failure> {
    engine.hook(owner, name).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let (owner, name) = (clean(owner), clean(name));
            Failure::wrong(format!("{owner} has no hook `{name}`")).hint("`pipeline hooks list` shows them")
        }
        _ => error.into(),
    })
}

async fn remove(engine: &Engine, args: &HookArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let hook = find(engine, args).await?;
    engine.store().remove_hook(hook.id).await?;
    if output.is_table() {
        output.line(&format!("hook {} is removed", clean(&hook.name)))?;
    } else {
        output.value(&value(&hook))?;
    }
    Ok(Exit::Good)
}

async fn deliveries(engine: &Engine, args: &DeliveriesArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let hook = match &args.name {
        Some(name) => Some(named(engine, engine.owner(), name).await?.id),
        None => None,
    };
    let job = match &args.job {
        Some(text) => Some(lookup::job(engine, text).await?.id),
        None => None,
    };
    let state = args.state.map(|word| match word {
        DeliveryWord::Waiting => DeliveryState::Waiting,
        DeliveryWord::Delivered => DeliveryState::Delivered,
        DeliveryWord::Failed => DeliveryState::Failed,
    });
    let query = DeliveryQuery { hook, job, state, limit: args.limit, ..DeliveryQuery::default() };
    let found = engine.store().deliveries(query).await?;
    list(engine, &found, output).await?;
    if found.len() == args.limit as usize {
        notice(&format!("there may be more than {}: --limit shows more", args.limit));
    }
    Ok(Exit::Good)
}

async fn retry(
    engine: &Engine,
    args: &HookArgs,
    message: Option<&str>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let hook = find(engine, args).await?;
    let message = match message {
        Some(text) => Some(text.parse::<MessageId>().map_err(|error| Failure::wrong(format!("--message {error}")))?),
        None => None,
    };
    let done = engine.redeliver(&hook, message).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict => Failure::blame_request(&error),
        _ => error.into(),
    })?;
    list(engine, &done, output).await?;
    let good = done.iter().all(|record| record.state == DeliveryState::Delivered);
    Ok(if good { Exit::Good } else { Exit::Imperfect })
}

async fn deliver(engine: &Engine, name: Option<&str>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let only = match name {
        Some(name) => Some(named(engine, engine.owner(), name).await?.id),
        None => None,
    };
    let round = engine.deliver_hooks(only).await?;
    if output.is_table() {
        output.line(&format!(
            "{} delivered, {} to be tried again, {} given up",
            round.delivered, round.waiting, round.failed
        ))?;
    } else {
        output.value(&round)?;
    }
    Ok(if round.waiting + round.failed == 0 { Exit::Good } else { Exit::Imperfect })
}

async fn test(engine: &Engine, args: &HookArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let hook = find(engine, args).await?;
    let (good, status) = match engine.test_hook(&hook).await? {
        HookAnswer::Taken { status } => (true, status),
        HookAnswer::Refused { status, .. } | HookAnswer::Gone { status } => (false, status),
    };
    if output.is_table() {
        let what = if good { "was taken" } else { "was refused" };
        output.line(&format!("the message {what}, with status {status}"))?;
    } else {
        output.value(&json!({ "hook": hook.name, "delivered": good, "status": status }))?;
    }
    Ok(if good { Exit::Good } else { Exit::Imperfect })
}

fn show(hook: &Hook, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if !output.is_table() {
        output.value(&value(hook))?;
        return Ok(Exit::Good);
    }
    let HookSpec { target, events, jobs, policy } = &hook.spec;
    let mut pairs = vec![
        ("hook", clean(&hook.name)),
        ("owner", clean(&hook.owner)),
        ("state", state(hook)),
        ("added", timestamp(hook.created_at)),
    ];
    match target {
        HookTarget::Webhook { url, secrets, allow_private } => {
            let secrets: Vec<String> = secrets.iter().map(ToString::to_string).collect();
            pairs.push(("url", clean(url)));
            pairs.push(("signed with", clean(&secrets.join(", "))));
            pairs.push(("private network", if *allow_private { "allowed" } else { "refused" }.to_owned()));
        }
        HookTarget::Command { program, args } => {
            pairs.push(("program", clean(&format!("{program} {}", args.join(" "))).trim().to_owned()));
        }
    }
    pairs.push(("events", clean(&events.patterns().join(", "))));
    pairs.extend(jobs.pipeline.iter().map(|pipeline| ("only pipeline", clean(pipeline))));
    pairs.extend(jobs.label.iter().map(|label| ("only label", clean(label))));
    let (timeout, wait) = (duration(policy.timeout), duration(policy.first_wait));
    pairs.push(("tries", format!("{}, each up to {timeout}, the second after {wait}", policy.attempts)));
    output.pairs(&pairs)?;
    Ok(Exit::Good)
}

fn state(hook: &Hook) -> String {
    hook.paused.as_ref().map_or_else(|| "on".to_owned(), |why| format!("paused: {}", clean(why)))
}

fn table(hooks: &[Hook]) -> Table {
    let mut table = Table::new(&["hook", "owner", "leads to", "events", "state"])
        .empty("no hooks: `pipeline hooks add NAME --url URL --secret env:NAME` adds one");
    for hook in hooks {
        let cells = [
            clean(&hook.name),
            clean(&hook.owner),
            place(&hook.spec.target),
            clean(&hook.spec.events.patterns().join(", ")),
            state(hook),
        ];
        table.push(Row::new(cells, value(hook)));
    }
    table
}

/// Says where a hook leads, in short: the path of an address may be long, or not for everybody.
fn place(target: &HookTarget) -> String {
    match target {
        HookTarget::Webhook { url, .. } => {
            let end = url.match_indices('/').nth(2).map_or(url.len(), |(place, _)| place);
            clean(url.get(..end).unwrap_or(url))
        }
        HookTarget::Command { program, .. } => clean(program),
    }
}

fn value(hook: &Hook) -> Value {
    let mut value = json!({
        "hook": hook.name,
        "owner": hook.owner,
        "id": hook.id,
        "events": hook.spec.events.patterns(),
        "pipeline": hook.spec.jobs.pipeline,
        "label": hook.spec.jobs.label,
        "timeout_seconds": hook.spec.policy.timeout.as_secs_f64(),
        "attempts": hook.spec.policy.attempts,
        "retry_after_seconds": hook.spec.policy.first_wait.as_secs_f64(),
        "paused": hook.paused,
        "created_at": hook.created_at.to_string(),
    });
    if let (Value::Object(fields), Ok(Value::Object(target))) = (&mut value, serde_json::to_value(&hook.spec.target)) {
        fields.extend(target);
    }
    value
}

async fn list(engine: &Engine, found: &[DeliveryRecord], output: &mut Output<'_>) -> Result<(), Failure> {
    let hooks = engine.store().hooks().await?;
    let header = ["message", "hook", "job", "seq", "event", "state", "tries", "status", "last try", "why"];
    let mut table = Table::new(&header).empty("no messages");
    for record in found {
        let hook = hooks.iter().find(|hook| hook.id == record.hook).map(|hook| hook.name.clone());
        let status = record.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let why = match (&record.error, record.next_at) {
            (Some(error), Some(next)) => format!("{}; again at {}", clean(error), timestamp(next)),
            (Some(error), None) => clean(error),
            (None, _) => "-".to_owned(),
        };
        let cells = [
            record.id.to_string(),
            clean(hook.as_deref().unwrap_or("-")),
            short_id(record.job),
            record.seq.0.to_string(),
            record.kind.clone(),
            record.state.as_str().to_owned(),
            record.attempts.to_string(),
            status,
            timestamp(record.tried_at),
            why,
        ];
        let value = json!({
            "message": record.id,
            "hook": hook,
            "job": record.job,
            "seq": record.seq,
            "event": record.kind,
            "state": record.state,
            "attempts": record.attempts,
            "status": record.status,
            "error": record.error,
            "tried_at": record.tried_at.to_string(),
            "next_at": record.next_at.map(|at| at.to_string()),
        });
        table.push(Row::new(cells, value));
    }
    output.rows(&table)
}
