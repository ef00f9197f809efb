//! The scenario of a history: how many jobs, workers and faults there are, and of which kind.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pipeline::engine::{EngineBuilder, JobRequest};
use pipeline::store::{Artifacts, MemoryStore};
use pipeline_core::executor::ItemMachine;
use pipeline_core::id::{Digest, ItemId, JobId};
use pipeline_core::model::Limits;
use pipeline_core::pipeline::{Cache, Plan};
use pipeline_core::provider::Repeat;
use pipeline_core::storage::{Idempotency, JobKey, JobPlan, NewItem, NewJob};
use pipeline_core::time::Clock as _;
use serde_json::{Map, json};

use super::faults::{Cause, Fault, Rates};
use super::stages::Craft;
use super::till::Manners;
use super::world::World;

/// The pipelines of the simulation; each buys, one twice.
const PIPELINES: [&str; 6] = [
    r#"
name = "plain"
[stages.source]
kind = "sim.source"
[stages.buy]
kind = "sim.buy"
needs = ["source"]
"#,
    r#"
name = "three"
[stages.source]
kind = "sim.source"
[stages.sketch]
kind = "sim.step"
needs = ["source"]
[stages.buy]
kind = "sim.buy"
needs = ["sketch"]
"#,
    r#"
name = "conditional"
[stages.source]
kind = "sim.source"
[stages.buy]
kind = "sim.buy"
needs = ["source"]
[stages.frame]
kind = "sim.step"
needs = ["buy"]
when = "buy.score < 7"
"#,
    r#"
name = "checked"
[stages.source]
kind = "sim.source"
[stages.sketch]
kind = "sim.step"
needs = ["source"]
[stages.buy]
kind = "sim.buy"
needs = ["sketch"]
[stages.check]
kind = "sim.check"
needs = ["buy"]
"#,
    r#"
name = "framed"
[stages.source]
kind = "sim.source"
[stages.buy]
kind = "sim.buy"
needs = ["source"]
[stages.check]
kind = "sim.check"
needs = ["buy"]
[stages.frame]
kind = "sim.step"
needs = ["check"]
when = "buy.score < 8"
"#,
    r#"
name = "twice"
[stages.source]
kind = "sim.source"
[stages.draft]
kind = "sim.buy"
needs = ["source"]
[stages.buy]
kind = "sim.buy"
needs = ["draft"]
"#,
];

/// The pipelines, compiled once: what differs from history to history is in their plans.
static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| {
    let engine = super::history::equip(EngineBuilder::bare(), None)
        .store(MemoryStore::new())
        .artifacts(Artifacts::memory())
        .build();
    let Ok(engine) = engine else { return Vec::new() };
    let compile = |text: &&str| {
        let request = JobRequest::toml("simulation.toml", text).set("buy.pieces", 2).ok()?;
        engine.compile(&request).ok().map(|compiled| compiled.plan)
    };
    PIPELINES.iter().filter_map(compile).collect()
});

/// What a person does, and when.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Cancels a job.
    Cancel(usize),
    /// Cancels a job by force.
    Abandon(usize),
    /// Pauses a job, for a while.
    Pause(usize, Duration),
    /// Pauses everything, for a while.
    PauseAll(Duration),
    /// Lets the clock jump so many microseconds.
    Jump(i64),
}

/// The scenario of a history.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// The jobs with their items, and when they are submitted.
    pub(super) jobs: Vec<(Duration, NewJob, Vec<NewItem>)>,
    /// How many workers there are.
    pub(super) workers: u64,
    /// How many items a worker has in work at once.
    pub(super) concurrency: u32,
    /// Of every worker.
    pub(super) lease: Duration,
    /// Of every worker.
    pub(super) patience: Duration,
    /// Of every worker.
    pub(super) poll: Duration,
    /// What goes wrong.
    pub(super) cause: Cause,
    /// How long things go wrong.
    pub(super) storm: Duration,
    /// The kind of vendor.
    pub(super) repeat: Repeat,
    /// What the vendor allows.
    pub(super) limits: Limits,
    /// How the vendor behaves.
    pub(super) manners: Manners,
    /// What local work is like.
    pub(super) craft: Craft,
    /// What a person does.
    pub(super) acts: Vec<(Duration, Act)>,
    /// How often a worker is asked to stop at once, in a thousand starts.
    pub(super) stops: u64,
}

/// The part of a scenario that is needed before there is a world.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// What goes wrong.
    pub(super) cause: Cause,
    /// Of every worker.
    pub(super) lease: Duration,
}

impl Weather {
    /// Draws it.
    pub(super) fn draw(dice: &super::dice::Dice) -> Self {
        Self { cause: Cause::Rates(Rates::draw(dice)), lease: dice.millis(800, 12_000) }
    }

    /// Makes one of a script.
    pub(super) fn script(script: Vec<(u64, Fault)>) -> Self {
        Self { cause: Cause::Script(script), lease: Duration::from_secs(3) }
    }
}

impl Scenario {
    /// Draws a scenario.
    pub(super) fn draw(world: &World, weather: &Weather) -> Self {
        let dice = &world.dice;
        let quiet = dice.permille(150);
        let rate = |some: &[u64]| if quiet { 0 } else { dice.pick(some, 0) };
        let manners = Manners {
            busy: rate(&[0, 30, 150]),
            throttled: rate(&[0, 0, 60]),
            refused: rate(&[0, 0, 40]),
            partial: rate(&[0, 0, 150]),
            lost: rate(&[0, 40, 150]),
            reset: rate(&[0, 60, 200]),
            outage: rate(&[0, 0, 60]),
            slow: dice.pick(&[20, 300, 3_000, 12_000], 300),
        };
        let craft = Craft {
            failing: rate(&[0, 50, 300]),
            poisoned: rate(&[0, 0, 0, 120]),
            slow: dice.pick(&[0, 100, 2_000], 0),
        };
        let repeats =
            [Repeat::Idempotent, Repeat::Resumable, Repeat::IdempotentResumable, Repeat::Unsafe, Repeat::Idempotent];
        let some = |odds: u64, least: u64, most: u64| dice.permille(odds).then(|| dice.from(least, most) as u32);
        let limits = Limits { concurrency: some(400, 1, 3), per_minute: some(200, 3, 9) };
        let key = dice.permille(200).then(|| JobKey { name: "turns".to_owned(), limit: dice.from(1, 2) as u32 });
        let count = dice.pick(&[1, 1, 1, 2, 2, 3, 4], 1);
        let storm = dice.millis(2_000, 25_000);
        let jobs = (0..count).map(|number| job(world, number, key.clone())).collect();
        let moment = || dice.millis(0, 12_000);
        let mut acts = Vec::new();
        for _ in 0..dice.pick(&[0, 0, 1, 2, 3], 0) {
            let of = dice.below(count) as usize;
            let pause = dice.millis(100, 8_000);
            let act = match dice.below(10) {
                0..=2 => Act::Cancel(of),
                3 | 4 => Act::Abandon(of),
                5 | 6 => Act::Pause(of, pause),
                7 => Act::PauseAll(pause),
                8 => Act::Jump(dice.millis(1_000, 3_600_000).as_micros() as i64),
                _ => Act::Jump(-(dice.millis(1, 60_000).as_micros() as i64)),
            };
            acts.push((moment(), act));
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            jobs,
            workers: dice.pick(&[1, 1, 2, 2, 3, 4], 1),
            concurrency: dice.pick(&[1, 2, 8], 8),
            lease: weather.lease,
            patience: dice.millis(2_000, 6_000),
            poll: Duration::from_millis(dice.pick(&[300, 1_000, 3_000], 1_000)),
            cause: weather.cause.clone(),
            storm,
            repeat: dice.pick(&repeats, Repeat::Idempotent),
            limits,
            manners,
            craft,
            acts,
            stops: dice.pick(&[0, 0, 200], 0),
        }
    }

    /// The scenario faults are scripted for: one job of three stages, one worker, a vendor that behaves.
    pub(super) fn scripted(world: &World, weather: &Weather, repeat: Repeat) -> Self {
        let (id, plan) = (JobId::from_uuid(uuid(world)), plan(1, 2, 7));
        Self {
            jobs: vec![(Duration::ZERO, new_job(id, plan.clone(), 0), items(world, &plan, 1))],
            workers: 1,
            concurrency: 4,
            lease: weather.lease,
            patience: Duration::from_secs(4),
            poll: Duration::from_millis(500),
            cause: weather.cause.clone(),
            storm: Duration::ZERO,
            repeat,
            limits: Limits::default(),
            manners: Manners { slow: 200, ..Manners::default() },
            craft: Craft::default(),
            acts: Vec::new(),
            stops: 0,
        }
    }
}

fn job(world: &World, number: u64, key: Option<JobKey>) -> (Duration, NewJob, Vec<NewItem>) {
    let dice = &world.dice;
    let pieces = dice.pick(&[1, 2, 3, 4], 2);
    let mut plan = plan(dice.below(PIPELINES.len() as u64) as usize, pieces, dice.word() >> 11);
    plan.concurrency = dice.permille(200).then(|| dice.from(1, 3) as u32);
    let timeout = dice.millis(500, 12_000);
    let attempts = dice.from(1, 4) as u32;
    let most = dice.pick(&[2, 8, 8], 8);
    for stage in &mut plan.stages {
        stage.policy.max_attempts = attempts;
        stage.policy.timeout = Some(timeout);
        stage.policy.backoff_base = Duration::from_millis(300);
        stage.policy.backoff_cap = Duration::from_secs(3);
        if let Some(group) = &mut stage.group {
            group.max = most;
        }
    }
    let id = JobId::from_uuid(uuid(world));
    let count = dice.pick(&[1, 1, 2, 3], 1);
    let items = items(world, &plan, count);
    let mut job = new_job(id, plan, number);
    job.priority = dice.from(0, 3) as i32;
    job.key = key;
    // Not drawn, so that the histories of before there were budgets stay as they were but for that.
    let (high, low) = id.as_uuid().as_u64_pair();
    job.budget = (high.wrapping_add(low) % 5 == 0).then(|| super::till::PRICE * (1 + low % 6));
    job.start_at = dice.permille(150).then(|| world.clock.now().after(dice.millis(0, 15_000)));
    (dice.millis(0, 4_000), job, items)
}

fn plan(number: usize, pieces: u32, seed: u64) -> Plan {
    let mut plan = PLANS.get(number).cloned().unwrap_or_else(|| Plan {
        format: pipeline_core::pipeline::PLAN_FORMAT,
        pipeline: "none".to_owned(),
        hash: Digest::of(b"none"),
        seed: 0,
        stages: Vec::new(),
        retry_from: None,
        max_rounds: 1,
        concurrency: None,
        max_cost: None,
        cache: Cache::Off,
        warnings: Vec::new(),
    });
    plan.seed = seed;
    if let Some(stage) = plan.stages.iter_mut().find(|stage| stage.name.as_str() == "buy") {
        stage.expand = Some(pieces);
        stage.settings = json!({ "provider": super::till::TILL, "pieces": pieces });
    }
    plan
}

fn new_job(id: JobId, plan: Plan, number: u64) -> NewJob {
    let key = format!("job {number}");
    NewJob {
        id,
        label: key.clone(),
        owner: "simulation".to_owned(),
        priority: 0,
        plan: JobPlan { plan, settings: json!({}), recipe: None, estimate: None },
        out: None,
        parent: None,
        key: None,
        start_at: None,
        budget: None,
        idempotency: Some(Idempotency { body: Digest::of(key.as_bytes()), key }),
    }
}

fn items(world: &World, plan: &Plan, count: u32) -> Vec<NewItem> {
    let item = |ordinal| {
        let id = ItemId::from_uuid(uuid(world));
        let machine = ItemMachine::new(id, plan);
        NewItem {
            id,
            parent: None,
            ordinal,
            slot: 0,
            name: format!("item {ordinal}"),
            input: Map::new(),
            status: machine.status(plan),
            machine,
            unit: None,
            gate: None,
        }
    };
    (0..count).map(item).collect()
}

fn uuid(world: &World) -> uuid::Uuid {
    pipeline::engine::Chance::uuid(Arc::as_ref(&world.dice))
}
