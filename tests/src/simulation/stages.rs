//! The stage kinds of the simulation: a source, a step of local work, a check, and one that buys.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::id::{Digest, ItemId};
use pipeline_core::model::{Capability, Reason, Verdict};
use pipeline_core::pipeline::{GroupBy, PortSpec, StageSpec};
use pipeline_core::provider::{CallContext, TextRequest, TextTask};
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{
    Answer, CallSpec, Output, PlannedItem, SendCall, Source, SourceRequest, Stage, StageContext, StageEnd, Task,
};
use pipeline_core::{Error, ErrorKind, Result, Retryability};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::planted::Planted;
use super::process::Process;
use super::till::TILL;
use super::world::World;

/// Settings of the stages that have none.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

impl StageSettings for Nothing {}

/// Settings of the stage that buys.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BuySettings {
    /// The vendor.
    provider: String,
    /// How many pieces to buy for each item.
    pieces: u32,
}

impl Default for BuySettings {
    fn default() -> Self {
        Self { provider: TILL.to_owned(), pieces: 1 }
    }
}

impl StageSettings for BuySettings {}

static SOURCE: LazyLock<StageSpec> = LazyLock::new(|| {
    StageSpec::new("sim.source", "Begins items", SettingsSchema::of::<Nothing>()).source().self_contained()
});
static STEP: LazyLock<StageSpec> =
    LazyLock::new(|| StageSpec::new("sim.step", "Works here", SettingsSchema::of::<Nothing>()));
static CHECK: LazyLock<StageSpec> =
    LazyLock::new(|| StageSpec::new("sim.check", "Judges", SettingsSchema::of::<Nothing>()).check());
static BUY: LazyLock<StageSpec> = LazyLock::new(|| {
    StageSpec::new("sim.buy", "Buys", SettingsSchema::of::<BuySettings>())
        .self_contained()
        .provider(Capability::Text)
        .expands("pieces")
        .grouped(GroupBy::Siblings)
        .output(PortSpec::field("score", json!({"type": "integer"})))
});

/// What local work of a history is like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Craft {
    /// Tries that fail and may be repeated, in a thousand.
    pub(super) failing: u64,
    /// Items whose every step ends the process, in a thousand.
    pub(super) poisoned: u64,
    /// The longest a step takes, in milliseconds.
    pub(super) slow: u64,
}

/// What the stages of one process share.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    /// The history.
    pub(super) world: Arc<World>,
    /// The process they run in.
    pub(super) process: Arc<Process>,
    /// What local work is like.
    pub(super) craft: Craft,
    /// A bug that is theirs.
    pub(super) planted: Option<Planted>,
}

/// Begins items.
#[derive(Clone, Debug)]
pub(super) struct Begin;

/// Works here.
#[derive(Clone, Debug)]
pub(super) struct Step(pub(super) Bench);

/// Judges.
#[derive(Clone, Debug)]
pub(super) struct Check(pub(super) Bench);

/// Buys, for all pieces of an item at once.
#[derive(Clone, Debug)]
pub(super) struct Buy(pub(super) Bench);

impl Bench {
    /// Works for a while; may fail, or end the process.
    async fn work(&self, task: &Task) -> Result<()> {
        let (dice, calm) = (&self.world.dice, self.world.faults.have_ended());
        if task.seed("poison") % 1_000 < self.craft.poisoned {
            sleep(Duration::from_millis(3)).await;
            self.process.stand().await;
            self.process.kill();
        }
        let slow = if calm { self.craft.slow.min(50) } else { self.craft.slow };
        if slow > 0 {
            sleep(dice.millis(0, slow)).await;
        }
        self.process.stand().await;
        if !calm && dice.permille(self.craft.failing) {
            return Err(Error::new(ErrorKind::Unavailable, "the work failed on purpose"));
        }
        Ok(())
    }
}

#[async_trait]
impl Stage for Begin {
    fn spec(&self) -> StageSpec {
        SOURCE.clone()
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd> {
        Ok(Output::new().into())
    }
}

#[async_trait]
impl Source for Begin {
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>> {
        let items = 0..request.count.unwrap_or(1);
        Ok(items.map(|number| PlannedItem { name: number.to_string(), input: Map::new() }).collect())
    }
}

#[async_trait]
impl Stage for Step {
    fn spec(&self) -> StageSpec {
        STEP.clone()
    }

    async fn run(&self, _: &dyn StageContext, task: Task) -> Result<StageEnd> {
        self.0.work(&task).await?;
        Ok(Output::new().into())
    }
}

#[async_trait]
impl Stage for Check {
    fn spec(&self) -> StageSpec {
        CHECK.clone()
    }

    async fn run(&self, _: &dyn StageContext, task: Task) -> Result<StageEnd> {
        self.0.work(&task).await?;
        let reason = || Reason::new("chance", "the dice said so");
        let verdict = match task.seed("verdict") % 10 {
            0 => Verdict::Uncertain { reason: reason() },
            1 | 2 => Verdict::Fail { reasons: vec![reason()] },
            _ => Verdict::Pass,
        };
        Ok(Output::new().verdict(verdict).into())
    }
}

#[async_trait]
impl Stage for Buy {
    fn spec(&self) -> StageSpec {
        BUY.clone()
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let missing = || Err(Error::unexpected("the stage gave no answer"));
        self.run_group(context, vec![task]).await.pop().unwrap_or_else(missing)
    }

    async fn run_group(&self, context: &dyn StageContext, tasks: Vec<Task>) -> Vec<Result<StageEnd>> {
        match self.buy(context, &tasks).await {
            Ok(ends) => ends,
            Err(error) => {
                let copy = || Error::new(error.kind(), pipeline_core::error::chain(&error)).retry(error.retryability());
                tasks.iter().map(|_| Err(copy())).collect()
            }
        }
    }
}

impl Buy {
    async fn buy(&self, context: &dyn StageContext, tasks: &[Task]) -> Result<Vec<Result<StageEnd>>> {
        let Some(first) = tasks.first() else { return Ok(Vec::new()) };
        let settings: BuySettings = first.settings()?;
        let model = context.providers().text_model(&settings.provider)?;
        let items: Vec<ItemId> = tasks.iter().map(|task| task.item).collect();
        let mut input = Map::new();
        input.insert("items".to_owned(), json!(items));
        input.insert("stage".to_owned(), json!(context.stage().as_str()));
        let request = move |context| TextRequest {
            task: TextTask::Free,
            instructions: String::new(),
            input: input.clone(),
            schema: None,
            seed: 0,
            context,
        };
        if self.0.planted == Some(Planted::CallBeforeIntent) {
            let early = CallContext::new(pipeline_core::id::CallId::from_uuid(pipeline::engine::Chance::uuid(
                self.0.world.dice.as_ref(),
            )));
            model.write(request(early)).await.ok();
        }
        let text = format!("{} {items:?}", context.stage());
        let spec = CallSpec {
            provider: model.info().clone(),
            items: items.clone(),
            round: first.round,
            attempt: first.attempt,
            request: Digest::of(text.as_bytes()),
            units: u32::try_from(items.len()).unwrap_or(u32::MAX),
            prompt: None,
        };
        let send: SendCall = Box::new(move |context| {
            Box::pin(async move {
                let answer = model.write(request(context)).await?;
                let (cost, external_id) = (answer.usage.cost, answer.usage.external_id);
                Ok(Answer { response: answer.answer, cost, external_id })
            })
        });
        let (answer, cost) = context.call(spec, send).await?;
        let delivered: Vec<ItemId> =
            serde_json::from_value(answer.response.get("delivered").cloned().unwrap_or_default())
                .map_err(|error| Error::corrupt("the answer does not fit").because(error))?;
        let ends = tasks.iter().map(|task| {
            let place = delivered.iter().position(|item| *item == task.item);
            let missing =
                || Error::corrupt("the vendor delivered fewer pieces than asked for").retry(Retryability::Transient);
            let place = place.ok_or_else(missing)?;
            let score = task.seed("score") % 10;
            Ok(Output::new()
                .field("score", Value::from(score))
                .by(TILL)
                .cost(cost.share(place, delivered.len()))
                .into())
        });
        Ok(ends.collect())
    }
}
