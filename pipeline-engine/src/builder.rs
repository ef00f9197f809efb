//! Putting an engine together; every missing piece is reported at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pipeline_core::model::LogLevel;
use pipeline_core::pipeline::Catalog;
use pipeline_core::provider::HookSender;
use pipeline_core::stage::{Source, Stage};
use pipeline_core::storage::{ArtifactStore, LogKeeper, Store};
use pipeline_core::time::Clock;

use crate::bindings::{AnyBindings, Bindings, IntoBinding};
use crate::chance::{Chance, SystemChance};
use crate::clock::SystemClock;
use crate::engine::Engine;
use crate::scribe::Scribe;
use crate::stages;
use crate::worker::{Shared, Tuning};

/// What is missing or contradictory, all at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine cannot be built: {}", problems.join("; "))]
pub struct BuildError {
    /// One sentence each.
    pub problems: Vec<String>,
}

/// Puts an [`Engine`] together.
#[derive(Debug)]
pub struct EngineBuilder {
    store: Option<Arc<dyn Store>>,
    artifacts: Option<Arc<dyn ArtifactStore>>,
    bindings: Bindings,
    sender: Option<Arc<dyn HookSender>>,
    stages: HashMap<String, Arc<dyn Stage>>,
    sources: HashMap<String, Arc<dyn Source>>,
    problems: Vec<String>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    logs: Option<Arc<dyn LogKeeper>>,
    log_level: Option<LogLevel>,
    tuning: Tuning,
}

impl EngineBuilder {
    /// Starts with the built-in stages, and without store, artifacts and providers.
    pub fn new() -> Self {
        let mut builder = Self::bare();
        for source in stages::sources() {
            builder = builder.shared_source(source);
        }
        for stage in stages::stages() {
            builder = builder.shared_stage(stage);
        }
        builder
    }

    /// Starts without anything, built-in stages included: for programs that bring all their stages along.
    pub fn bare() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        Self {
            store: None,
            artifacts: None,
            bindings: Bindings::default(),
            sender: None,
            stages: HashMap::new(),
            sources: HashMap::new(),
            problems: Vec::new(),
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            logs: None,
            log_level: Some(LogLevel::Info),
            tuning: Tuning {
                concurrency: (4 * cores).max(8),
                lease: Duration::from_secs(30),
                poll: Duration::from_millis(500),
                patience: Duration::from_secs(30),
                own_heart: true,
                keeps_time: true,
            },
        }
    }

    /// Sets the record store.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Sets a record store that is used elsewhere too.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets the artifact store.
    pub fn artifacts(mut self, artifacts: impl ArtifactStore) -> Self {
        self.artifacts = Some(Arc::new(artifacts));
        self
    }

    /// Sets what keeps the logs of jobs; without it there are none.
    pub fn logs(self, keeper: impl LogKeeper) -> Self {
        self.shared_logs(Arc::new(keeper))
    }

    /// Sets what keeps the logs, where it is used elsewhere too.
    pub fn shared_logs(mut self, keeper: Arc<dyn LogKeeper>) -> Self {
        self.logs = Some(keeper);
        self
    }

    /// Says from which level on entries are kept: `Info` unless said otherwise, `Debug` for every step; `None` keeps no
    /// new ones.
    pub fn log_level(mut self, least: Option<LogLevel>) -> Self {
        self.log_level = least;
        self
    }

    /// Binds a provider under the name settings choose it by. One type may be bound under several names.
    pub fn provider<M>(mut self, name: &str, provider: impl IntoBinding<M>) -> Self {
        provider.bind(name, &mut AnyBindings(&mut self.bindings));
        self
    }

    /// Sets what takes messages where hooks lead; without it, runs tell no hook of anything.
    pub fn hook_sender(mut self, sender: impl HookSender) -> Self {
        self.sender = Some(Arc::new(sender));
        self
    }

    /// Adds a stage kind; one of the same name is replaced.
    pub fn stage(self, stage: impl Stage) -> Self {
        self.shared_stage(Arc::new(stage))
    }

    /// Adds a stage kind that begins items.
    pub fn source(self, source: impl Source) -> Self {
        self.shared_source(Arc::new(source))
    }

    /// Says how many items are in work at once; four a core, at least eight, unless said otherwise.
    pub fn concurrency(mut self, items: u32) -> Self {
        if items == 0 {
            self.problems.push("concurrency is 0; expected at least 1".to_owned());
        }
        self.tuning.concurrency = items;
        self
    }

    /// Says how long the session counts as alive without a heartbeat; 30 seconds unless said otherwise.
    pub fn lease(mut self, lease: Duration) -> Self {
        if lease < Duration::from_millis(10) {
            self.problems.push(format!("lease is {lease:?}; expected at least 10 ms"));
        }
        self.tuning.lease = lease;
        self
    }

    /// Says how long a failing store is tried again before a run gives up; 30 seconds unless said otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.tuning.patience = patience;
        self
    }

    /// Says how often to look for work that another process may have made; every half second unless said otherwise.
    pub fn poll(mut self, every: Duration) -> Self {
        self.tuning.poll = every.max(Duration::from_millis(1));
        self
    }

    /// Lets the heartbeat be a task of the caller's runtime instead of a thread of its own: for simulations, where time
    /// is not the machine's. A program whose runtime is kept busy then loses its leases.
    pub fn heartbeat_as_task(mut self) -> Self {
        self.tuning.own_heart = false;
        self
    }

    /// Says whether runs of the engine submit the jobs of schedules that are due; they do unless said otherwise.
    pub fn keeps_time(mut self, keeps: bool) -> Self {
        self.tuning.keeps_time = keeps;
        self
    }

    /// Sets the clock; the system's unless said otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where ids and random draws come from; the system unless said otherwise.
    pub fn chance(mut self, chance: Arc<dyn Chance>) -> Self {
        self.chance = chance;
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// [`BuildError`] with everything that is missing or wrong.
    pub fn build(mut self) -> Result<Engine, BuildError> {
        if self.store.is_none() {
            self.problems.push("no store is set; call `.store(…)`".to_owned());
        }
        if self.artifacts.is_none() {
            self.problems.push("no artifact store is set; call `.artifacts(…)`".to_owned());
        }
        match (self.store, self.artifacts) {
            (Some(store), Some(artifacts)) if self.problems.is_empty() => {
                let mut catalog = Catalog::new();
                for stage in self.stages.values() {
                    catalog.insert(stage.spec());
                }
                let scribe = Scribe::new(self.logs, self.log_level, Arc::clone(&self.clock));
                let surroundings = (self.clock, self.chance, scribe);
                let bound = (self.bindings, self.sender);
                let shared = Shared::new(store, artifacts, bound, self.stages, surroundings, self.tuning);
                Ok(Engine::new(Arc::new(shared), catalog, self.sources))
            }
            _ => Err(BuildError { problems: self.problems }),
        }
    }

    fn shared_stage(mut self, stage: Arc<dyn Stage>) -> Self {
        let kind = stage.spec().kind;
        self.sources.remove(&kind);
        self.stages.insert(kind, stage);
        self
    }

    fn shared_source(mut self, source: Arc<dyn Source>) -> Self {
        let kind = source.spec().kind;
        let stage: Arc<dyn Stage> = Arc::<dyn Source>::clone(&source);
        self.stages.insert(kind.clone(), stage);
        self.sources.insert(kind, source);
        self
    }
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self::new()
    }
}
