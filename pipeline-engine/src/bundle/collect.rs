//! What goes into the archive, and what is left out.

use serde::Serialize;
use serde_json::{Value, json};

use pipeline_core::Result;
use pipeline_core::error::Error;
use pipeline_core::expression::Condition;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::pipeline::{Plan, PlannedStage};
use pipeline_core::settings::{Origin, Resolved};
use pipeline_core::storage::{CallQuery, CallRecord, CallState, ItemQuery, ItemRecord, JobRecord, ReviewQuery};

use crate::engine::Engine;

use super::redact::Redactor;
use super::tar;

/// What an archive is to hold.
#[derive(Clone, Debug)]
pub struct BundleRequest {
    /// Leave the texts of people in it: keywords, prompts, labels, paths, names, answers of vendors.
    pub with_content: bool,
    /// At most so many items that did not end well, and as many results of them as they have.
    pub bad_items: u32,
    /// At most so many other items.
    pub other_items: u32,
    /// At most so many of the newest events.
    pub events: u32,
    /// At most so many calls that went well, and as many of the others.
    pub calls: u32,
    /// Further documents, each under its name without an ending; texts are replaced in them too.
    pub extra: Vec<(String, Value)>,
}

impl Default for BundleRequest {
    fn default() -> Self {
        Self { with_content: false, bad_items: 200, other_items: 20, events: 2_000, calls: 200, extra: Vec::new() }
    }
}

/// An archive of a job, in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The documents by name; the first is the manifest.
    pub documents: Vec<(String, Vec<u8>)>,
    /// When it was made, in seconds since 1970.
    seconds: u64,
}

impl Bundle {
    /// Packs it into a gzipped tar file.
    ///
    /// # Errors
    /// `Invalid` when a further document has a name that is too long.
    pub fn packed(&self) -> Result<Vec<u8>> {
        tar::pack(&self.documents, self.seconds)
    }
}

/// The archive in the making.
struct Making {
    redactor: Redactor,
    documents: Vec<(String, Vec<u8>)>,
    contents: Vec<Value>,
}

impl Making {
    /// Adds one document.
    fn document(&mut self, name: &str, what: &str, value: &Value) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.redactor.value(value)).map_err(unwritten)?;
        text.push(b'\n');
        self.contents.push(json!({"document": name, "holds": what}));
        self.documents.push((name.to_owned(), text));
        Ok(())
    }

    /// Adds one document with a line for each of some records.
    fn lines(&mut self, name: &str, what: &str, values: &[Value], left_out: &str) -> Result<()> {
        let mut text = Vec::new();
        for value in values {
            serde_json::to_writer(&mut text, &self.redactor.value(value)).map_err(unwritten)?;
            text.push(b'\n');
        }
        self.contents.push(json!({"document": name, "holds": what, "records": values.len(), "left_out": left_out}));
        self.documents.push((name.to_owned(), text));
        Ok(())
    }
}

impl Engine {
    /// Collects what the records say of a job for a bug report.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn bundle(&self, id: JobId, request: &BundleRequest) -> Result<Bundle> {
        let store = &self.shared.store;
        let job = store.job(id).await?;
        let stored = store.plan(id).await?;
        let now = store.now().await?;
        let redactor = Redactor::new(self.shared.uuid(), request.with_content);
        let mut making = Making { redactor, documents: Vec::new(), contents: Vec::new() };
        making.document("job.json", "the job with its counts and times", &of_job(&job))?;
        making.document("plan.json", "the stages and policies", &plan(&stored.plan))?;
        let settings = settings(&stored.settings, &making.redactor)?;
        // Their texts are replaced already, but for those this program chose itself.
        let keep = std::mem::replace(&mut making.redactor, Redactor::new(self.shared.uuid(), true));
        making.document("settings.json", "every setting, and where its value comes from", &settings)?;
        making.redactor = keep;
        making.document(
            "stages.json",
            "counts, times, tries, cost and failures by stage",
            &self.stages_value(&job).await?,
        )?;
        let items = self.bundled_items(id, request).await?;
        let values = items.iter().map(of_item).collect::<Result<Vec<_>>>()?;
        let left = format!("of {} leaves; those that did not end well come first", job.counts.planned);
        making.lines("items.ndjson", "a sample of the items, with their machines", &values, &left)?;
        let mut results = Vec::new();
        for item in &items {
            results.extend(values_of(store.history(item.id).await?)?);
        }
        making.lines("results.ndjson", "what the stages of those items recorded", &results, "the files themselves")?;
        let calls = self.bundled_calls(id, request.calls).await?;
        let calls = calls.iter().map(|call| of_call(call, request.with_content)).collect::<Result<Vec<_>>>()?;
        let left = if request.with_content { "" } else { "responses, tasks of vendors" };
        making.lines("calls.ndjson", "calls of providers, those that did not go well first", &calls, left)?;
        let reviews = store.reviews(ReviewQuery { job: Some(id), limit: 1_000, ..ReviewQuery::default() }).await?;
        making.lines("reviews.ndjson", "what people decided, the first 1000", &values_of(reviews)?, "")?;
        let after = EventSeq(job.last_event.0.saturating_sub(i64::from(request.events)).max(0));
        let events = store.events(id, after, request.events).await?;
        let left = format!("the first {} events", after.0);
        making.lines("events.ndjson", "the end of the event log", &values_of(events)?, &left)?;
        making.document("store.json", "which store it is", &serde_json::to_value(store.info()).map_err(unwritten)?)?;
        for (name, value) in &request.extra {
            making.document(&format!("{name}.json"), "added by who made the archive", value)?;
        }
        let manifest = json!({
            "format": 1,
            "job": id,
            "made_at": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "content": if request.with_content {
                "texts of people are in it: look through it before you pass it on"
            } else {
                "texts of people are replaced by `text:HASH`; the same text has the same hash within this archive only. \
                 Names of stages, providers and pipelines, ids, times, numbers and words of the program are kept"
            },
            "never_in_it": ["secrets (records hold references only)", "files of artifacts", "the pipeline file and inputs"],
            "documents": making.contents,
        });
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(unwritten)?;
        text.push(b'\n');
        making.documents.insert(0, ("manifest.json".to_owned(), text));
        let seconds = u64::try_from(now.as_micros() / 1_000_000).unwrap_or_default();
        Ok(Bundle { documents: making.documents, seconds })
    }

    async fn bundled_items(&self, job: JobId, request: &BundleRequest) -> Result<Vec<ItemRecord>> {
        use ItemStatus::{Cancelled, Failed, Filtered, Pending, Rejected, Running, Succeeded, Undecided, Waiting};
        let bad = vec![Failed, Undecided, Rejected, Waiting];
        let others = vec![Succeeded, Filtered, Running, Pending, Cancelled];
        let mut items = Vec::new();
        for (statuses, limit) in [(bad, request.bad_items), (others, request.other_items)] {
            // A limit of nothing would be the usual one.
            if limit > 0 {
                items.extend(self.shared.store.items(ItemQuery { statuses, limit, ..ItemQuery::of(job) }).await?);
            }
        }
        Ok(items)
    }

    async fn bundled_calls(&self, job: JobId, limit: u32) -> Result<Vec<CallRecord>> {
        let mut calls = Vec::new();
        for states in [vec![CallState::Failed, CallState::Unknown, CallState::Open], vec![CallState::Succeeded]] {
            if limit > 0 {
                let query = CallQuery { job: Some(job), states, limit, ..CallQuery::default() };
                calls.extend(self.shared.store.calls(query).await?);
            }
        }
        Ok(calls)
    }

    async fn stages_value(&self, job: &JobRecord) -> Result<Value> {
        let told = self.stages(job).await?;
        let stages = told.stages.iter().map(|stage| {
            let failures = stage.failures.iter().map(
                |failure| json!({"code": failure.code.as_str(), "count": failure.count, "example": failure.example}),
            );
            json!({
                "stage": stage.stage, "kind": stage.kind, "states": stage.states, "attempts": stage.attempts,
                "results": stage.results,
                "median_ms": stage.times.as_ref().map(|times| times.median.as_secs_f64() * 1e3),
                "p95_ms": stage.times.as_ref().map(|times| times.p95.as_secs_f64() * 1e3),
                "calls": stage.calls, "spent_micros": stage.spent, "reserved_micros": stage.reserved,
                "failures": failures.collect::<Vec<_>>(),
            })
        });
        Ok(json!({"stages": stages.collect::<Vec<_>>(), "reruns": told.reruns}))
    }
}

fn unwritten(error: serde_json::Error) -> Error {
    Error::unexpected("cannot write the archive").because(error)
}

fn values_of(records: Vec<impl Serialize>) -> Result<Vec<Value>> {
    records.into_iter().map(|record| serde_json::to_value(record).map_err(unwritten)).collect()
}

fn of_job(job: &JobRecord) -> Value {
    json!({
        "id": job.id, "label": job.label, "owner": job.owner, "pipeline": job.pipeline, "priority": job.priority,
        "control": job.control, "status": job.status, "counts": job.counts, "steps_done": job.steps_done,
        "steps_planned": job.steps_planned, "cost_micros": job.cost, "created_at": job.created_at.to_string(),
        "started_at": job.started_at.map(|at| at.to_string()), "ended_at": job.ended_at.map(|at| at.to_string()),
        "last_event": job.last_event, "out": job.out, "parent": job.parent,
        "key": job.key.as_ref().map(|key| &key.name), "start_at": job.start_at.map(|at| at.to_string()),
        "budget_micros": job.budget.as_ref().map(|budget| budget.amount),
    })
}

fn of_item(item: &ItemRecord) -> Result<Value> {
    serde_json::to_value(item).map_err(unwritten)
}

fn of_call(call: &CallRecord, with_content: bool) -> Result<Value> {
    let mut value = serde_json::to_value(call).map_err(unwritten)?;
    if let (Value::Object(fields), false) = (&mut value, with_content) {
        let there = |value: &Value| json!(!value.is_null());
        for name in ["response", "external_id"] {
            let had = fields.get(name).map(there);
            fields.insert(name.to_owned(), had.unwrap_or_default());
        }
        // A `why` of the program's own is a word; this one is a person's.
        if let Some(Value::Object(resolution)) = fields.get_mut("resolution")
            && let Some(why) = resolution.remove("why")
        {
            resolution.insert("reason".to_owned(), why);
        }
    }
    Ok(value)
}

fn plan(plan: &Plan) -> Value {
    let stage = |stage: &PlannedStage| {
        json!({
            "stage": stage.name, "kind": stage.kind, "role": stage.role, "enabled": stage.enabled,
            "disabled_because": stage.disabled_because, "needs": stage.needs,
            "when": stage.when.as_ref().map(Condition::source), "policy": stage.policy, "expand": stage.expand,
            "group": stage.group.map(|group| group.max),
            "provider": stage.providers.iter().map(|(_, name)| name).collect::<Vec<_>>(),
        })
    };
    json!({
        "format": plan.format, "pipeline": plan.pipeline, "hash": plan.hash, "seed": plan.seed,
        "stages": plan.stages.iter().map(stage).collect::<Vec<_>>(), "retry_from": plan.retry_from,
        "max_rounds": plan.max_rounds, "concurrency": plan.concurrency, "max_cost_micros": plan.max_cost,
    })
}

/// Texts that this program chose itself stay; every other one is replaced, whatever the setting is called.
fn settings(settings: &Value, redactor: &Redactor) -> Result<Value> {
    let resolved: Resolved = serde_json::from_value(settings.clone())
        .map_err(|error| Error::corrupt("the job's settings cannot be read").because(error))?;
    let mut all = Vec::new();
    for (section, settings) in resolved.iter() {
        for (key, setting) in settings.iter() {
            let ours = setting.origin == Origin::BuiltIn;
            let value = if ours { setting.value.clone() } else { redactor.value(&setting.value) };
            all.push(json!({
                "section": section, "setting": key, "value": value, "origin": origin(&setting.origin),
                "not_applied": setting.not_applied.as_ref().map(|reason| redactor.message(reason)),
            }));
        }
    }
    Ok(Value::Array(all))
}

/// Where a value comes from, without the name of the file or variable.
const fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::BuiltIn => "built_in",
        Origin::Pipeline => "pipeline",
        Origin::File(_) => "file",
        Origin::Environment(_) => "environment",
        Origin::Template(_) => "template",
        Origin::Saved(_) => "saved",
        Origin::Argument => "argument",
        Origin::Program => "program",
    }
}
