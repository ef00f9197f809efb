//! `jobs list`, `jobs show`, `jobs pause`, `jobs unpause`, `jobs rename`, `jobs delete`.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::id::JobId;
use pipeline_core::model::Counts;
use pipeline_core::settings::Resolved;
use pipeline_core::storage::{JobCursor, JobOrder, JobQuery, JobRecord, SessionRecord};
use pipeline_core::time::Timestamp;
use pipeline_engine::Engine;

use crate::args::ListJobsArgs;
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, ago, money, notice, short, timestamp};
use crate::progress::{percent, took};
use crate::when;

use super::estimate::Compared;
use super::summary::parts;
use super::{budgets, stages};

/// How many jobs are asked for at once.
pub(super) const PAGE: u32 = 200;

/// Lists a page of jobs.
pub(crate) async fn list(engine: &Engine, args: &ListJobsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut query = wanted(engine, args).await?;
    let now = engine.store().now().await?;
    let mut jobs = Vec::new();
    // One more than is shown: then there is another page.
    let mut left = args.limit.saturating_add(1);
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = engine.jobs(query.clone()).await?;
        let Some(last) = page.last() else { break };
        query.after = Some(JobCursor::of(last, query.order));
        left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        let full = page.len() >= query.limit as usize;
        jobs.extend(page);
        if !full {
            break;
        }
    }
    let more = jobs.len() > args.limit as usize;
    jobs.truncate(args.limit as usize);
    // A column nobody uses only takes place.
    let keys = jobs.iter().any(|job| job.key.is_some());
    let mut header = vec!["id", "label", "status", "items", "not good", "cost", "took", "submitted"];
    header.extend(keys.then_some("key"));
    let all = JobQuery { order: query.order, after: query.after.clone(), limit: query.limit, ..JobQuery::default() };
    let none = if query == all && args.cursor.is_none() {
        "no jobs yet: `pipeline run factory -i keywords.txt` makes one"
    } else {
        "no such jobs"
    };
    let mut table = Table::new(&header).empty(none);
    for job in &jobs {
        let mut cells = vec![
            short_id(job.id),
            short(&job.label, 32),
            status(job, now),
            items(&job.counts),
            bad(&job.counts),
            money(job.cost),
            took(job, now),
            ago(job.created_at, now),
        ];
        cells.extend(keys.then(|| key(job)));
        let mut shown = value(job);
        if let Value::Object(fields) = &mut shown {
            fields.insert("cursor".to_owned(), json!(JobCursor::of(job, query.order).to_string()));
        }
        table.push(Row::new(cells, shown));
    }
    output.rows(&table)?;
    if let Some(last) = jobs.last().filter(|_| more) {
        notice(&format!("there are more: go on with --cursor {}", JobCursor::of(last, query.order)));
    }
    Ok(Exit::Good)
}

/// Reads what is asked for.
async fn wanted(engine: &Engine, args: &ListJobsArgs) -> Result<JobQuery, Failure> {
    let after: Option<JobCursor> = args.cursor.as_deref().map(str::parse).transpose().map_err(|error| blame(&error))?;
    let order: Option<JobOrder> = args.sort.as_deref().map(str::parse).transpose().map_err(|error| blame(&error))?;
    let order = order.or(after.as_ref().map(|cursor| cursor.order)).unwrap_or_default();
    let moment = |option, given: &Option<String>| given.as_deref().map(|text| when::moment(option, text)).transpose();
    let (label, label_prefix) = match args.label.as_deref().map(|label| (label, label.strip_suffix('*'))) {
        Some((_, Some(prefix))) => (None, Some(prefix.to_owned())),
        Some((label, None)) => (Some(label.to_owned()), None),
        None => (None, None),
    };
    let parent = match &args.parent {
        Some(text) => Some(lookup::job(engine, text).await?.id),
        None => None,
    };
    let query = JobQuery {
        id_prefix: None,
        label,
        label_prefix,
        owner: args.owner.clone(),
        statuses: args.status.clone(),
        pipeline: args.pipeline.clone(),
        since: moment("--since", &args.since)?,
        until: moment("--until", &args.until)?,
        parent,
        retried: args.has_retries.then_some(true),
        order,
        after,
        limit: 0,
    };
    query.place().map_err(|error| blame(&error))?;
    Ok(query)
}

fn blame(error: &pipeline_core::Error) -> Failure {
    Failure::blame_request(error)
}

/// Shows one job.
pub(crate) async fn show(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    let stored = engine.store().plan(job.id).await?;
    let told = engine.stages(&job).await?;
    let holders = engine.store().sessions(Some(job.id)).await?;
    let now = engine.store().now().await?;
    let compared = Compared::of(engine, &job, stored.estimate.clone()).await?;
    if !output.is_table() {
        let mut shown = value(&job);
        let stages: Vec<Value> = told.stages.iter().map(stages::value).collect();
        if let Value::Object(fields) = &mut shown {
            fields.insert("estimate".to_owned(), json!(compared.expected()));
            fields.insert("calls".to_owned(), json!(compared.calls));
            fields.insert("reused".to_owned(), json!(compared.reused));
            fields.insert("spent_micros".to_owned(), json!(compared.spent.as_micros()));
            fields.insert("plan_hash".to_owned(), json!(stored.plan.hash));
            fields.insert("seed".to_owned(), json!(stored.plan.seed));
            fields.insert("stages".to_owned(), Value::Array(stages));
            fields.insert("reruns".to_owned(), json!(told.reruns));
            if let Some(parent) = job.parent {
                let changed = lineage(engine, parent, &stored.settings).await?;
                let one = |(name, was, is)| json!({"setting": name, "was": was, "is": is});
                let changed = changed.map(|changed| changed.into_iter().map(one).collect::<Vec<_>>());
                fields.insert("changed".to_owned(), json!(changed));
            }
            fields.insert("settings".to_owned(), stored.settings);
            fields.insert("held_by".to_owned(), json!(holders.iter().map(holder_value).collect::<Vec<_>>()));
        }
        output.value(&shown)?;
        return Ok(Exit::Good);
    }
    let mut pairs = vec![
        ("job", job.id.to_string()),
        ("label", job.label.clone()),
        ("pipeline", job.pipeline.clone()),
        ("status", status(&job, now)),
        ("items", parts(&job.counts)),
        ("progress", format!("{} %", percent(&job))),
    ];
    pairs.extend(compared.pairs(job.cost));
    pairs.extend([
        ("submitted", timestamp(job.created_at)),
        ("started", job.started_at.map_or_else(|| "-".to_owned(), timestamp)),
        ("ended", job.ended_at.map_or_else(|| "-".to_owned(), timestamp)),
        ("took", took(&job, now)),
        ("out", job.out.clone().unwrap_or_else(|| "-".to_owned())),
        ("recipe", stored.plan.hash.to_hex()),
        ("seed", stored.plan.seed.to_string()),
    ]);
    if job.key.is_some() {
        pairs.push(("key", key(&job)));
    }
    if let Some(parent) = job.parent {
        pairs.push(("made from", parent.to_string()));
        let changed = match lineage(engine, parent, &stored.settings).await? {
            None => "not known: that job is gone".to_owned(),
            Some(changed) if changed.is_empty() => "nothing".to_owned(),
            Some(changed) => {
                let one = |(name, was, is): &(String, Value, Value)| format!("{name}: {was} -> {is}");
                changed.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        };
        pairs.push(("changed", changed));
    }
    if !told.reruns.is_empty() {
        let reruns: Vec<String> = told.reruns.iter().map(ToString::to_string).collect();
        pairs.push(("made into", reruns.join(", ")));
    }
    if let Some(budget) = &job.budget {
        pairs.push(("budget", budgets::line(budget)));
    }
    for budget in engine.closed_budgets(&job).await?.iter().filter(|budget| Some(*budget) != job.budget.as_ref()) {
        pairs.push(("waits for", format!("the budget of {}: {}", budgets::named(&budget.key), budgets::line(budget))));
    }
    if let Some(at) = job.start_at {
        pairs.push(("starts", timestamp(at)));
    }
    for holder in &holders {
        pairs.push(("held by", format!("process {} on {}", holder.pid, holder.host)));
    }
    if holders.is_empty() && !job.status.is_terminal() {
        let id = short_id(job.id);
        pairs.push(("held by", format!("nobody; go on with: pipeline worker, or pipeline jobs resume {id}")));
    }
    output.pairs(&pairs)?;
    stages::print(&told.stages, output)?;
    for warning in &stored.plan.warnings {
        notice(&format!("warning: {} is not applied ({})", warning.setting, warning.reason));
    }
    Ok(Exit::Good)
}

/// A setting that differs: its name, its value in the one job and in the other.
type Difference = (String, Value, Value);

/// Returns which settings a job has otherwise than the one it was made from; `None` when that is gone.
async fn lineage(engine: &Engine, parent: JobId, settings: &Value) -> Result<Option<Vec<Difference>>, Failure> {
    let was = match engine.store().plan(parent).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        plan => plan?.settings,
    };
    let read = |settings: &Value| serde_json::from_value::<Resolved>(settings.clone());
    let unreadable = |error| pipeline_core::Error::corrupt("the job's settings cannot be read").because(error);
    let (was, is) = (read(&was).map_err(unreadable)?, read(settings).map_err(unreadable)?);
    Ok(Some(was.differences(&is)))
}

/// Stops a job for now.
pub(crate) async fn pause(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = open(engine, text, "paused").await?;
    tell(&steered(engine.pause(job.id).await)?, output)
}

/// Lets workers go on with a paused job.
pub(crate) async fn unpause(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = open(engine, text, "unpaused").await?;
    tell(&steered(engine.unpause(job.id).await)?, output)
}

/// Gives a job another label.
pub(crate) async fn rename(engine: &Engine, text: &str, label: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    tell(&engine.rename(job.id, label).await?, output)
}

/// Removes a job that has ended.
pub(crate) async fn delete(engine: &Engine, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    engine.upkeep().delete(job.id).await.map_err(|error| match error.kind() {
        ErrorKind::Conflict => {
            Failure::wrong(format!("job {} ({}) has not ended: it is {}", job.id, job.label, job.status))
                .hint("cancel it first: `pipeline jobs cancel JOB`")
        }
        _ => Failure::from(error),
    })?;
    if output.is_table() {
        output.line(&format!("job {} ({}) is removed; `pipeline store gc` removes its files", job.id, job.label))?;
    } else {
        output.value(&value(&job))?;
    }
    Ok(Exit::Good)
}

/// Finds a job that has not ended.
pub(super) async fn open(engine: &Engine, text: &str, wanted: &str) -> Result<JobRecord, Failure> {
    let job = lookup::job(engine, text).await?;
    if job.status.is_terminal() {
        return Err(Failure::wrong(format!("job {} ({}) has ended: it is {}", job.id, job.label, job.status))
            .hint(format!("only a job that has not ended can be {wanted}")));
    }
    Ok(job)
}

/// What the state of the job does not allow is a wrong request.
pub(super) fn steered(outcome: pipeline_core::Result<JobRecord>) -> Result<JobRecord, Failure> {
    outcome.map_err(|error| match error.kind() {
        ErrorKind::Conflict => Failure::blame_request(&error),
        _ => Failure::from(error),
    })
}

/// Prints what a job is now.
pub(super) fn tell(job: &JobRecord, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if output.is_table() {
        output.line(&format!("job {} ({}) is {}; {}", job.id, job.label, job.status, parts(&job.counts)))?;
    } else {
        output.value(&value(job))?;
    }
    Ok(Exit::Good)
}

/// Returns what machines get of a job.
pub(super) fn value(job: &JobRecord) -> Value {
    json!({
        "id": job.id,
        "label": job.label,
        "status": job.status,
        "counts": job.counts,
        "pipeline": job.pipeline,
        "owner": job.owner,
        "priority": job.priority,
        "control": job.control,
        "progress_percent": percent(job),
        "cost_micros": job.cost.as_micros(),
        "created_at": job.created_at.to_string(),
        "started_at": job.started_at.map(|time| time.to_string()),
        "ended_at": job.ended_at.map(|time| time.to_string()),
        "last_event": job.last_event,
        "out": job.out,
        "parent": job.parent,
        "key": job.key.as_ref().map(|key| key.name.as_str()),
        "key_limit": job.key.as_ref().map(|key| key.limit),
        "start_at": job.start_at.map(|time| time.to_string()),
        "budget": job.budget.as_ref().map(budgets::value),
    })
}

fn holder_value(holder: &SessionRecord) -> Value {
    json!({"pid": holder.pid, "host": holder.host, "since": holder.started_at.to_string(), "items": holder.claims})
}

/// Names the status, with the time when a queued job is to start.
fn status(job: &JobRecord, now: Timestamp) -> String {
    let ahead = job.start_at.filter(|at| *at > now && !job.status.is_terminal());
    ahead.map_or_else(|| job.status.to_string(), |at| format!("{}, starts {}", job.status, timestamp(at)))
}

fn key(job: &JobRecord) -> String {
    job.key.as_ref().map_or_else(
        || "-".to_owned(),
        |key| match key.limit {
            1 => short(&key.name, 24),
            most => format!("{} (at most {most})", short(&key.name, 24)),
        },
    )
}

fn items(counts: &Counts) -> String {
    if counts.open() == 0 { counts.planned.to_string() } else { format!("{}/{}", counts.ended(), counts.planned) }
}

fn bad(counts: &Counts) -> String {
    let bad = counts.rejected + counts.undecided + counts.failed + counts.cancelled;
    if bad == 0 { "-".to_owned() } else { bad.to_string() }
}
