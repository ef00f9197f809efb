//! A stage that does nothing but look at the clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use pipeline::core::pipeline::StageSpec;
use pipeline::core::settings::{SettingsSchema, StageSettings};
use pipeline::core::stage::{Output, PlannedItem, Source, SourceRequest, Stage, StageContext, StageEnd, Task};
use pipeline::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pipeline of that stage alone.
pub(crate) const PIPELINE: &str = "name = 'noop'\n[stages.s]\nkind = 'bench.source'\n";

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoSettings {}

impl StageSettings for NoSettings {}

/// Begins items and does nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoOp {
    /// How long each item had waited when its stage started.
    pub(crate) waits: Arc<Mutex<Vec<Duration>>>,
}

/// The time, as far as processes on one machine agree on it.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[async_trait]
impl Stage for NoOp {
    fn spec(&self) -> StageSpec {
        StageSpec::new("bench.source", "Does nothing", SettingsSchema::of::<NoSettings>()).source().self_contained()
    }

    async fn run(&self, _: &dyn StageContext, task: Task) -> Result<StageEnd, Error> {
        if let Some(planned) = task.input.get("at").and_then(serde_json::Value::as_u64) {
            let waited = now().saturating_sub(Duration::from_micros(planned));
            self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(waited);
        }
        Ok(Output::new().into())
    }
}

#[async_trait]
impl Source for NoOp {
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>, Error> {
        let count = request.count.unwrap_or(1);
        let input: serde_json::Map<_, _> =
            [("at".to_owned(), serde_json::json!(u64::try_from(now().as_micros()).unwrap_or(0)))].into_iter().collect();
        Ok((0..count).map(|number| PlannedItem { name: number.to_string(), input: input.clone() }).collect())
    }
}
