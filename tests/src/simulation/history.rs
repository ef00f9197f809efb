//! One history: workers, a person and a vendor around a store, until all has ended or an invariant does not hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pipeline::engine::EngineBuilder;
use pipeline::store::{Artifacts, MemoryStore};
use pipeline_core::ErrorKind;
use pipeline_core::model::Control;
use pipeline_core::provider::Repeat;
use pipeline_core::storage::{BudgetKey, Store};
use pipeline_core::time::Clock;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::tap::Tapped;

use super::audited::Audited;
use super::auditor::Auditor;
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::planted::Planted;
use super::process::Process;
use super::scenario::{Act, Scenario, Weather};
use super::stages::{Begin, Bench, Buy, Check, Craft, Step};
use super::tally::Tally;
use super::till::{Line, TILL, Till};
use super::world::{Violation, World};

/// After the storm all must have ended within this time.
const BOUND: Duration = Duration::from_hours(4);

/// Opens the store under test on the clock of a history. The store must answer without waiting for anything: the time
/// of a history is not the machine's.
pub type OpenStore = fn(Arc<dyn Clock>) -> Arc<dyn Store>;

/// How histories are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The store under test; the memory store unless said otherwise.
    pub store: OpenStore,
    /// A bug that is to be found.
    pub planted: Option<Planted>,
    /// Faults by the number of the step, on one job of three stages with a vendor of this kind, instead of chance.
    pub script: Option<(Repeat, Vec<(u64, Fault)>)>,
    /// Whether everything that happens is kept, to be read.
    pub told: bool,
}

impl Default for Options {
    fn default() -> Self {
        let store = |clock| -> Arc<dyn Store> { Arc::new(MemoryStore::with_clock(clock)) };
        Self { store, planted: None, script: None, told: false }
    }
}

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// What was checked and reached.
    pub tally: Tally,
    /// The hash of all that happened; the same for the same seed.
    pub trace: u64,
    /// How many steps its processes took.
    pub steps: u64,
    /// All that happened, when that was asked for.
    pub lines: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.violation {
            None => write!(f, "seed {}: all invariants hold", self.seed),
            Some(violation) => write!(f, "seed {}: {violation}", self.seed),
        }
    }
}

/// Runs one history. The same seed and options give the same one.
pub fn simulate(seed: u64, options: &Options) -> Outcome {
    match tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build() {
        Ok(runtime) => runtime.block_on(run(seed, options)),
        Err(error) => {
            let violation = Some(Violation { invariant: "a runtime starts", found: error.to_string() });
            Outcome { seed, violation, tally: Tally::default(), trace: 0, steps: 0, lines: Vec::new() }
        }
    }
}

async fn run(seed: u64, options: &Options) -> Outcome {
    let dice = Arc::new(Dice::new(seed));
    let weather = match &options.script {
        None => Weather::draw(&dice),
        Some((_, script)) => Weather::script(script.clone()),
    };
    let faults = Faults::new(weather.cause.clone(), weather.lease);
    let world = Arc::new(World::new(dice, faults, options.told));
    let scenario = match &options.script {
        None => Scenario::draw(&world, &weather),
        Some((repeat, _)) => Scenario::scripted(&world, &weather, *repeat),
    };
    let stage = Arc::new(Theatre::open(&world, scenario, options));
    let play = Arc::clone(&stage);
    tokio::select! {
        biased;
        () = world.stopped.notified() => {}
        () = play.play() => {}
    }
    let (tally, trace, lines) = world.report();
    Outcome { seed, violation: world.violation(), tally, trace, steps: world.faults.steps(), lines }
}

/// Everything a history plays with.
struct Theatre {
    world: Arc<World>,
    scenario: Scenario,
    store: Arc<dyn Store>,
    auditor: Arc<Auditor>,
    till: Arc<Till>,
    artifacts: Artifacts,
    planted: Option<Planted>,
    /// Whether the person has done all there was to do.
    idle: AtomicBool,
}

impl Theatre {
    fn open(world: &Arc<World>, scenario: Scenario, options: &Options) -> Self {
        world.tell(format_args!("{scenario:?}"));
        let store = (options.store)(Arc::<super::clock::SimulatedClock>::clone(&world.clock));
        let store = options.planted.map_or(Arc::clone(&store), |planted| planted.into_store(store));
        let auditor = Arc::new(Auditor::new(world, Arc::clone(&store), scenario.repeat.is_idempotent()));
        let kind = (scenario.repeat, scenario.limits);
        let till = Arc::new(Till::new(world, &auditor, kind, scenario.manners, options.planted));
        let store = Arc::new(Audited::new(store, Arc::clone(&auditor)));
        Self {
            world: Arc::clone(world),
            scenario,
            store,
            auditor,
            till,
            artifacts: Artifacts::memory(),
            planted: options.planted,
            idle: AtomicBool::new(false),
        }
    }

    async fn play(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let person = tokio::spawn(Arc::clone(&self).person());
        for number in 0..self.scenario.workers {
            tasks.spawn(Arc::clone(&self).worker(number));
        }
        let end = Instant::now() + self.scenario.storm;
        while Instant::now() < end && !self.is_over() {
            sleep(Duration::from_secs(1)).await;
        }
        self.world.tell(format_args!("the storm is over"));
        self.world.faults.end();
        let finish = async {
            person.await.ok();
            while tasks.join_next().await.is_some() {}
        };
        let in_time = timeout(BOUND, finish).await.is_ok();
        // Whoever stood still comes back, and what was in flight lands.
        sleep(Duration::from_mins(3)).await;
        self.auditor.close(in_time).await;
    }

    fn is_over(&self) -> bool {
        self.idle.load(Ordering::SeqCst) && self.auditor.is_over()
    }

    /// What a person does: submits the jobs, steers them, and in the end lets everything go on.
    async fn person(self: Arc<Self>) {
        let process = Process::person(&self.world);
        let store: Arc<dyn Store> = if matches!(self.scenario.cause, super::faults::Cause::Script(_)) {
            Arc::clone(&self.store)
        } else {
            Arc::new(Tapped::new(Arc::clone(&self.store), process))
        };
        let start = Instant::now();
        let mut jobs = self.scenario.jobs.clone();
        jobs.sort_by_key(|(at, _, _)| *at);
        let submit = async {
            for (at, job, items) in jobs {
                sleep_until(start + at).await;
                while store.submit(job.clone(), items.clone()).await.is_err() {
                    sleep(Duration::from_millis(50)).await;
                }
            }
        };
        let steer = async {
            for (at, act) in &self.scenario.acts {
                sleep_until(start + *at).await;
                self.act(store.as_ref(), *act).await;
            }
        };
        tokio::join!(submit, steer);
        // In the end nobody is short of money.
        sleep_until(start + self.scenario.storm).await;
        for (_, job, _) in self.scenario.jobs.iter().filter(|(_, job, _)| job.budget.is_some()) {
            insist(|| store.set_budget(BudgetKey::Job(job.id), None)).await;
        }
        self.idle.store(true, Ordering::SeqCst);
    }

    async fn act(&self, store: &dyn Store, act: Act) {
        let id = |place: usize| self.scenario.jobs.get(place).map(|(_, job, _)| job.id);
        match act {
            Act::Jump(micros) => {
                self.world.tell(format_args!("the clock jumps {micros} µs"));
                self.world.reached("clock jumped");
                self.world.clock.jump(micros);
            }
            Act::Cancel(job) => {
                if let Some(id) = id(job) {
                    insist(|| store.control(id, Control::Cancel)).await;
                }
            }
            Act::Abandon(job) => {
                if let Some(id) = id(job) {
                    insist(|| store.abandon(id)).await;
                }
            }
            Act::Pause(job, time) => {
                if let Some(id) = id(job) {
                    insist(|| store.control(id, Control::Pause)).await;
                    sleep(time).await;
                    insist(|| store.control(id, Control::Run)).await;
                }
            }
            Act::PauseAll(time) => {
                insist(|| store.pause_all(true)).await;
                sleep(time).await;
                insist(|| store.pause_all(false)).await;
            }
        }
    }

    /// A worker's life: whenever its process has ended, it is started again.
    async fn worker(self: Arc<Self>, number: u64) {
        let dice = &self.world.dice;
        for start in 0_u32.. {
            let process = Process::start(&self.world, format!("worker {number}.{start}"), self.scenario.patience);
            let store = Tapped::new(Arc::clone(&self.store), Arc::clone(&process));
            let bench = Bench {
                world: Arc::clone(&self.world),
                process: Arc::clone(&process),
                craft: self.scenario.craft,
                planted: self.planted,
            };
            let engine = equip(EngineBuilder::bare(), Some((bench, Line::new(&self.till, &process))))
                .store(store)
                .artifacts(self.artifacts.clone())
                .clock(Arc::<super::clock::SimulatedClock>::clone(&self.world.clock))
                .chance(Arc::<Dice>::clone(dice))
                .heartbeat_as_task()
                .concurrency(self.scenario.concurrency)
                .lease(self.scenario.lease)
                .patience(self.scenario.patience)
                .poll(self.scenario.poll)
                .build();
            let Ok(engine) = engine else { return };
            let stop = (!self.world.faults.have_ended() && dice.permille(self.scenario.stops))
                .then(|| Instant::now() + dice.millis(1, 4_000));
            let running = engine.clone();
            let mut run = tokio::spawn(async move { running.run_until_idle().await });
            let killed = tokio::select! {
                biased;
                () = process.killed.notified() => true,
                () = sleep_until(stop.unwrap_or_else(Instant::now)), if stop.is_some() => {
                    engine.stop_now();
                    tokio::select! {
                        biased;
                        () = process.killed.notified() => true,
                        _ = &mut run => false,
                    }
                }
                ended = &mut run => {
                    if !matches!(ended, Ok(Ok(_))) {
                        self.world.reached("run given up");
                    }
                    false
                }
            };
            if killed {
                run.abort();
            }
            if self.world.faults.have_ended() && self.is_over() {
                return;
            }
            sleep(if killed { dice.millis(10, 3_000) } else { self.scenario.poll }).await;
        }
    }
}

/// Gives an engine to be all that the pipelines of the simulation need.
pub(super) fn equip(builder: EngineBuilder, parts: Option<(Bench, Line)>) -> EngineBuilder {
    let (bench, line) = parts.unwrap_or_else(nothing);
    // No history has a schedule: looking for some would only draw chance.
    let builder = builder.keeps_time(false);
    builder.source(Begin).stage(Step(bench.clone())).stage(Check(bench.clone())).stage(Buy(bench)).provider(TILL, line)
}

/// Parts that compile pipelines and run none.
fn nothing() -> (Bench, Line) {
    let dice = Arc::new(Dice::new(0));
    let faults = Faults::new(super::faults::Cause::Script(Vec::new()), Duration::ZERO);
    let world = Arc::new(World::new(dice, faults, false));
    let process = Process::person(&world);
    let auditor = Arc::new(Auditor::new(&world, Arc::new(MemoryStore::new()), false));
    let kind = (Repeat::Idempotent, pipeline_core::model::Limits::default());
    let till = Arc::new(Till::new(&world, &auditor, kind, super::till::Manners::default(), None));
    let line = Line::new(&till, &process);
    (Bench { world, process, craft: Craft::default(), planted: None }, line)
}

/// Does something again until the store answers; a conflict, or a job that is not there yet, is an answer.
async fn insist<T, F: Future<Output = pipeline_core::Result<T>>>(act: impl Fn() -> F) {
    loop {
        match act().await {
            Err(error) if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                sleep(Duration::from_millis(50)).await;
            }
            Ok(_) | Err(_) => return,
        }
    }
}
