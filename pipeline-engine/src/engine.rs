//! The engine as an embedding program sees it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::{Control, Money};
use pipeline_core::pipeline::Catalog;
use pipeline_core::stage::Source;
use pipeline_core::storage::{
    ArtifactStore, Budget, BudgetKey, CallRecord, ItemQuery, ItemRecord, JobQuery, JobRecord, LogKeeper, NewResolution,
    NewSession, ResultRecord, Store,
};
use pipeline_core::{Error, Result};

use crate::bindings::ProviderEntry;
use crate::builder::EngineBuilder;
use crate::clock::SystemClock;
use crate::metrics::MetricsSnapshot;
use crate::owned::Owned;
use crate::upkeep::Upkeep;
use crate::watch::Watch;
use crate::worker::{RunEnd, RunOptions, Shared, Signal, Stop, run};

/// Whose jobs are that nobody has claimed.
const NOBODY: &str = "system";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunSummary {
    /// Nothing is left that could go on by itself.
    Idle,
    /// It was asked to stop.
    Stopped,
}

/// Runs jobs. Cheap to clone; clones are the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) sources: Arc<HashMap<String, Arc<dyn Source>>>,
    owner: Option<Arc<str>>,
    stop: Arc<Signal<Stop>>,
    background: Arc<Mutex<Option<JoinHandle<Result<RunEnd>>>>>,
}

impl Engine {
    /// Starts putting an engine together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    pub(crate) fn new(shared: Arc<Shared>, catalog: Catalog, sources: HashMap<String, Arc<dyn Source>>) -> Self {
        Self {
            shared,
            catalog: Arc::new(catalog),
            sources: Arc::new(sources),
            owner: None,
            stop: Arc::new(Signal::new(Stop::Run)),
            background: Arc::default(),
        }
    }

    /// Returns every stage kind it knows.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Returns every provider bound to it.
    pub fn providers(&self) -> Vec<ProviderEntry> {
        self.shared.bindings.entries()
    }

    /// Returns this engine as it is for one owner: every job it makes is that owner's, and the jobs of others, with all that hangs on
    /// them, are not there: asking for one is `NotFound`, and no list, sum or log has anything of them. What concerns all
    /// owners (the whole queue, gates, looking after the store) is `Unauthorized`, and so is working on every job.
    pub fn for_owner(&self, owner: &str) -> Self {
        let owned = Owned::new(Arc::clone(&self.shared.store), owner);
        let scribe = self.shared.scribe.for_owner(&owned);
        Self {
            shared: Arc::new(self.shared.around(Arc::new(owned), Arc::new(scribe))),
            catalog: Arc::clone(&self.catalog),
            sources: Arc::clone(&self.sources),
            owner: Some(owner.into()),
            stop: Arc::new(Signal::new(Stop::Run)),
            background: Arc::default(),
        }
    }

    /// Returns whose the jobs are that it makes where a request does not say.
    pub fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(NOBODY)
    }

    /// Tells whether it is an engine for one owner.
    pub fn acts_for_one(&self) -> bool {
        self.owner.is_some()
    }

    /// Returns the record store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Returns the artifact store.
    pub fn artifacts(&self) -> &Arc<dyn ArtifactStore> {
        &self.shared.artifacts
    }

    /// Returns what keeps the logs of jobs; `None` when nothing does.
    pub fn logs(&self) -> Option<&Arc<dyn LogKeeper>> {
        self.shared.scribe.keeper()
    }

    /// Returns who looks after the stores.
    pub fn upkeep(&self) -> Upkeep {
        let upkeep = Upkeep::new(Arc::clone(self.store()), Arc::clone(self.artifacts()), Arc::new(SystemClock));
        match self.logs() {
            Some(logs) => upkeep.logs(Arc::clone(logs)),
            None => upkeep,
        }
    }

    /// Returns a job.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.shared.store.job(id).await
    }

    /// Lists jobs, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>> {
        self.shared.store.jobs(query).await
    }

    /// Lists items of a job.
    ///
    /// # Errors
    /// The store's.
    pub async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        self.shared.store.items(query).await
    }

    /// Returns an item with everything its stages recorded, oldest first.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn item(&self, id: ItemId) -> Result<(ItemRecord, Vec<ResultRecord>)> {
        let item = self.shared.store.item(id).await?;
        let mut history = Vec::new();
        if let Some(parent) = item.parent {
            history.extend(self.shared.store.history(parent).await?);
        }
        history.extend(self.shared.store.history(id).await?);
        Ok((item, history))
    }

    /// Follows a job's events after a point; use [`EventSeq::START`] for all of them.
    pub fn watch(&self, job: JobId, after: EventSeq) -> Watch {
        Watch::new(Arc::clone(&self.shared), job, after)
    }

    /// Cancels a job: sticky at once; what runs ends, what it has paid for is recorded.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the job has ended.
    pub async fn cancel(&self, job: JobId) -> Result<JobRecord> {
        self.steer(job, Control::Cancel).await
    }

    /// Says what a job, or an owner's jobs together, may spend, or that there is no budget; returns how it stands. What
    /// waited for the budget goes on, as far as it fits.
    ///
    /// # Errors
    /// `Invalid` for an amount that is not more than nothing or more than [`Money::MOST`]; `NotFound`; `Conflict` when the
    /// job has ended.
    pub async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        if let Some(amount) = amount.filter(|amount| *amount > Money::MOST) {
            return Err(Error::invalid("the amount is too large")
                .with("amount", amount)
                .with("accepted", format!("at most {}", Money::MOST)));
        }
        let budget = self.shared.store.set_budget(key, amount).await?;
        self.shared.bell.notify_waiters();
        Ok(budget)
    }

    /// Returns the closed budgets that paid work of a job waits for: its own, and its owner's.
    ///
    /// # Errors
    /// The store's.
    pub async fn closed_budgets(&self, job: &JobRecord) -> Result<Vec<Budget>> {
        let (own, owner) = (BudgetKey::Job(job.id), BudgetKey::Owner(job.owner.clone()));
        let mut budgets = self.shared.store.budgets().await?;
        budgets.retain(|budget| budget.closed.is_some() && (budget.key == own || budget.key == owner));
        Ok(budgets)
    }

    /// Records what a person decides about a call of which nobody knows what became; the items that wait for it go on.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the call's outcome is known, may still come, or a worker holds an item of it.
    pub async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        let record = self.shared.store.resolve(resolution).await?;
        self.shared.bell.notify_waiters();
        Ok(record)
    }

    /// Stops a job for now: nothing more of it is handed out and no paid call is made; what runs ends.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the job has ended or is being cancelled.
    pub async fn pause(&self, job: JobId) -> Result<JobRecord> {
        self.steer(job, Control::Pause).await
    }

    /// Lets a paused job go on.
    ///
    /// # Errors
    /// As [`Engine::pause`].
    pub async fn unpause(&self, job: JobId) -> Result<JobRecord> {
        self.steer(job, Control::Run).await
    }

    /// Cancels a job without waiting for those who work on it: its items end at once, and what they commit later is
    /// refused. What calls in flight have cost is still recorded.
    ///
    /// # Errors
    /// As [`Engine::cancel`].
    pub async fn abandon(&self, job: JobId) -> Result<JobRecord> {
        let record = self.shared.store.abandon(job).await?;
        if let Some(job) = self.shared.known(job) {
            job.control.set(Control::Cancel);
        }
        self.shared.bell.notify_waiters();
        Ok(record)
    }

    /// Gives a job another label.
    ///
    /// # Errors
    /// `Invalid` for a label without a visible character; `NotFound`.
    pub async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        if label.trim().is_empty() {
            return Err(Error::invalid("the label is empty").with("label", label).with("accepted", "any other text"));
        }
        self.shared.store.rename(job, label).await
    }

    async fn steer(&self, job: JobId, control: Control) -> Result<JobRecord> {
        let record = self.shared.store.control(job, control).await?;
        if let Some(job) = self.shared.known(job) {
            job.control.set(control);
        }
        self.shared.bell.notify_waiters();
        Ok(record)
    }

    /// Works on every job of the store until nothing is left that could go on by itself.
    ///
    /// # Errors
    /// The store's, when it keeps failing; items are resumable then.
    pub async fn run_until_idle(&self) -> Result<RunSummary> {
        self.run(None, true).await
    }

    /// Works on one job, beside whoever else does, until nothing is left of it that could go on by itself.
    ///
    /// # Errors
    /// `NotFound`; the store's.
    pub async fn join_job(&self, job: JobId) -> Result<RunSummary> {
        self.shared.store.job(job).await?;
        self.run(Some(job), true).await
    }

    /// Works on one job, alone, until nothing is left of it that could go on by itself.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when another process works on the job; the store's.
    pub async fn run_job(&self, job: JobId) -> Result<RunSummary> {
        self.shared.store.job(job).await?;
        if let Some(holder) = self.shared.store.sessions(Some(job)).await?.first() {
            return Err(Error::conflict("another process works on this job")
                .with("job", job)
                .with("pid", holder.pid)
                .with("host", &holder.host)
                .with("since", holder.started_at));
        }
        self.run(Some(job), true).await
    }

    /// Works on every job of the store until it is asked to stop.
    ///
    /// # Errors
    /// The store's, when it keeps failing; `Conflict` when the store has declared the session dead. Items are resumable
    /// then, and it may be called again.
    pub async fn work(&self) -> Result<RunSummary> {
        self.run(None, false).await
    }

    /// Tells the session of the newest run of this engine, once it is open; changes with every run.
    pub fn session(&self) -> watch::Receiver<Option<NewSession>> {
        self.shared.session.subscribe()
    }

    /// Returns what this engine has done since it was built, and how the queue stands.
    pub async fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot::take(&self.shared.metrics, self.shared.store.as_ref()).await
    }

    /// Works in the background until [`Engine::shutdown`].
    pub async fn start(&self) {
        let mut background = self.background.lock().await;
        if background.is_none() {
            let options = RunOptions { focus: None, until_idle: false, stop: self.stop.listen() };
            let running = run(Arc::clone(&self.shared), options);
            let time = self.timekeeper();
            *background = Some(tokio::spawn(async move {
                let _time = time;
                running.await
            }));
        }
    }

    /// Asks every run of this engine to end: nothing more is claimed, what runs ends in its own time.
    pub fn drain(&self) {
        self.stop.set(Stop::Drain);
    }

    /// Asks every run of this engine to end at once. Items that were running are resumable.
    pub fn stop_now(&self) {
        self.stop.set(Stop::Now);
    }

    /// Drains; after `patience` stops at once.
    ///
    /// # Errors
    /// What the background run ended with.
    pub async fn shutdown(&self, patience: Duration) -> Result<()> {
        self.drain();
        let Some(mut background) = self.background.lock().await.take() else { return Ok(()) };
        let ended = match tokio::time::timeout(patience, &mut background).await {
            Ok(ended) => ended,
            Err(_) => {
                self.stop_now();
                background.await
            }
        };
        ended.map_err(|error| Error::unexpected("the background run panicked").because(error))?.map(|_| ())
    }

    /// Returns the files a job has published, in the order of its items: of each the picture, then its renditions.
    ///
    /// # Errors
    /// The store's.
    pub async fn published(&self, job: JobId) -> Result<Vec<PathBuf>> {
        let plan = self.shared.store.plan(job).await?.plan;
        let publishing: Vec<usize> = plan
            .stages
            .iter()
            .enumerate()
            .filter(|(_, stage)| stage.kind == "output.folder")
            .map(|(index, _)| index)
            .collect();
        let mut files = Vec::new();
        let mut after = None;
        loop {
            let items = self.shared.store.items(ItemQuery { after, limit: 500, ..ItemQuery::of(job) }).await?;
            let Some(last) = items.last() else { return Ok(files) };
            after = Some((last.ordinal, last.slot));
            let ids: Vec<_> = items
                .iter()
                .flat_map(|item| {
                    item.machine.results().filter(|(index, _)| publishing.contains(index)).map(|(_, id)| id)
                })
                .collect();
            let mut paths: HashMap<_, _> = self
                .shared
                .store
                .results(ids.clone())
                .await?
                .into_iter()
                .map(|result| (result.id, paths_in(&result.fields)))
                .collect();
            files.extend(ids.iter().filter_map(|id| paths.remove(id)).flatten());
        }
    }

    /// Looks for recurring jobs as long as a run goes on.
    fn timekeeper(&self) -> Option<AbortOnDropHandle<()>> {
        self.shared.tuning.keeps_time.then(|| AbortOnDropHandle::new(tokio::spawn(self.clone().keep_time())))
    }

    async fn run(&self, focus: Option<JobId>, until_idle: bool) -> Result<RunSummary> {
        if until_idle && focus.is_none() && self.shared.tuning.keeps_time {
            // What is due is work, so it is not idle yet.
            if let Err(error) = self.fire_due().await {
                tracing::warn!(error = %pipeline_core::error::chain(&error), "cannot look for recurring jobs");
            }
        }
        let _time = self.timekeeper();
        let options = RunOptions { focus, until_idle, stop: self.stop.listen() };
        match run(Arc::clone(&self.shared), options).await? {
            RunEnd::Idle => Ok(RunSummary::Idle),
            RunEnd::Stopped => Ok(RunSummary::Stopped),
        }
    }
}

/// The files that a result of `output.folder` tells of.
fn paths_in(fields: &Map<String, Value>) -> Vec<PathBuf> {
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    match fields.get("paths").and_then(Value::as_array) {
        Some(paths) => paths.iter().filter_map(path).collect(),
        // Written by a version that told of the picture alone.
        None => fields.get("path").and_then(path).into_iter().collect(),
    }
}
