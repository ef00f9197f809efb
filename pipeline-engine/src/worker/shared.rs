//! What every part of a worker uses: ports, bindings, stages, tuning, and the bell that wakes the claim loop.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use pipeline_core::Result;
use pipeline_core::id::JobId;
use pipeline_core::provider::HookSender;
use pipeline_core::stage::Stage;
use pipeline_core::storage::{ArtifactStore, NewSession, Store};
use pipeline_core::time::{Clock, Timestamp};

use crate::bindings::Bindings;
use crate::chance::Chance;
use crate::metrics::Metrics;
use crate::scribe::Scribe;

use super::job::JobContext;

/// How a worker behaves; none of it changes what a job means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Items in work at once.
    pub(crate) concurrency: u32,
    /// How long the session counts as alive without a heartbeat.
    pub(crate) lease: Duration,
    /// How long to wait before looking again when another process may have made work.
    pub(crate) poll: Duration,
    /// How long a failing store is tried again before the worker gives up.
    pub(crate) patience: Duration,
    /// Whether the heartbeat has a thread of its own.
    pub(crate) own_heart: bool,
    /// Whether its runs submit the jobs of schedules.
    pub(crate) keeps_time: bool,
}

/// What every part of a worker uses.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) bindings: Bindings,
    /// What takes messages where hooks lead.
    pub(crate) sender: Option<Arc<dyn HookSender>>,
    pub(crate) stages: HashMap<String, Arc<dyn Stage>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) tuning: Tuning,
    /// Rung whenever something may have become claimable, or has been told.
    pub(crate) bell: Arc<Notify>,
    /// The newest session of this engine.
    pub(crate) session: watch::Sender<Option<NewSession>>,
    /// What has been done so far.
    pub(crate) metrics: Metrics,
    /// Who writes down what happens in detail.
    pub(crate) scribe: Arc<Scribe>,
    jobs: Mutex<BTreeMap<(JobId, u32), Arc<JobContext>>>,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        artifacts: Arc<dyn ArtifactStore>,
        (bindings, sender): (Bindings, Option<Arc<dyn HookSender>>),
        stages: HashMap<String, Arc<dyn Stage>>,
        (clock, chance, scribe): (Arc<dyn Clock>, Arc<dyn Chance>, Scribe),
        tuning: Tuning,
    ) -> Self {
        Self {
            store,
            artifacts,
            bindings,
            sender,
            stages,
            clock,
            chance,
            tuning,
            bell: Arc::default(),
            session: watch::Sender::new(None),
            metrics: Metrics::new(),
            scribe: Arc::new(scribe),
            jobs: Mutex::default(),
        }
    }

    /// The same around another store and log: for an engine that acts for one owner.
    pub(crate) fn around(&self, store: Arc<dyn Store>, scribe: Arc<Scribe>) -> Self {
        Self {
            store,
            artifacts: Arc::clone(&self.artifacts),
            bindings: self.bindings.clone(),
            sender: self.sender.clone(),
            stages: self.stages.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
            tuning: self.tuning,
            bell: Arc::clone(&self.bell),
            session: watch::Sender::new(None),
            metrics: Metrics::new(),
            scribe,
            jobs: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes an id nobody else has.
    pub(crate) fn uuid(&self) -> Uuid {
        self.chance.uuid()
    }

    /// Draws a random number.
    pub(crate) fn draw(&self) -> u64 {
        // The low half of a version 7 UUID is random but for its two variant bits.
        self.uuid().as_u64_pair().1 & 0x3fff_ffff_ffff_ffff
    }

    /// Returns a revision of a job's plan, and its control, loading them at first.
    pub(crate) async fn job(&self, id: JobId, revision: u32) -> Result<Arc<JobContext>> {
        let submitted = self.revision(id, 0, None).await?;
        if revision == 0 { Ok(submitted) } else { self.revision(id, revision, Some(submitted)).await }
    }

    async fn revision(&self, id: JobId, number: u32, of: Option<Arc<JobContext>>) -> Result<Arc<JobContext>> {
        if let Some(job) = self.loaded(id, number) {
            return Ok(job);
        }
        let plan = self.store.revision(id, number).await?.plan;
        let mut job = JobContext::new(id, plan, &self.stages, &self.bindings);
        if let Some(submitted) = of {
            job = job.revising(submitted);
        }
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(jobs.entry((id, number)).or_insert_with(|| Arc::new(job))))
    }

    fn loaded(&self, id: JobId, number: u32) -> Option<Arc<JobContext>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).get(&(id, number)).cloned()
    }

    /// Returns a job that is loaded.
    pub(crate) fn known(&self, id: JobId) -> Option<Arc<JobContext>> {
        self.loaded(id, 0)
    }

    /// Returns every job that is loaded, each of its revisions.
    pub(crate) fn jobs(&self) -> Vec<Arc<JobContext>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Drops the jobs no walk uses any more.
    pub(crate) fn forget_idle_jobs(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, job| Arc::strong_count(job) > 1);
    }
}
