//! The ports of a stage: what runs for an item, what plans items, and what a running stage may use.

mod context;
mod output;
mod providers;
mod task;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::pipeline::StageSpec;

pub use context::{Answer, CallSpec, Send as SendCall, StageContext};
pub use output::{Output, StageEnd};
pub use providers::Providers;
pub use task::{Inputs, Task};

/// A kind of stage.
///
/// # Contract
/// 1. *Repeatable.* After a crash the same task is run again with the same attempt; its effects outside the artifact
///    store must be idempotent, and paid calls go through [`StageContext::call`].
/// 2. *Settings* are exactly those of the task; nothing else decides what is done.
/// 3. *Checks judge.* A check's output has a verdict; a work stage's has none.
/// 4. *Errors classify* as the provider ports say; the stage never retries.
///
/// # Cancellation
/// The future is dropped when the session is lost or the job is cancelled by force; calls in flight go on.
#[async_trait]
pub trait Stage: fmt::Debug + Send + Sync + 'static {
    /// Declares what it reads, makes and can be set to.
    fn spec(&self) -> StageSpec;

    /// Says what the providers these settings choose cannot do for them, as `(setting, message)`. Asked before a job is
    /// stored, so that nothing is spent on what must fail.
    fn unable(&self, _settings: &Value, _providers: &dyn Providers) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Does one task.
    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd>;

    /// Does tasks that one call may serve together; one answer each, in order.
    ///
    /// The default runs them one after another, which is right for every stage that is not grouped.
    async fn run_group(&self, context: &dyn StageContext, tasks: Vec<Task>) -> Vec<Result<StageEnd>> {
        let mut ends = Vec::with_capacity(tasks.len());
        for task in tasks {
            ends.push(self.run(context, task).await);
        }
        ends
    }
}

/// What a job gives its source to plan items from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceRequest {
    /// The frozen settings of the source stage.
    pub settings: Value,
    /// What the caller passed in: paths, or keywords.
    pub inputs: Vec<String>,
    /// How many items are wanted, when the caller says so.
    pub count: Option<u32>,
    /// The job's seed.
    pub seed: u64,
    /// More than this many leaves are refused.
    pub max_items: u64,
    /// Leaves an item will stand for.
    pub leaves_per_item: u32,
}

/// One item a source plans.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedItem {
    /// For people.
    pub name: String,
    /// What the source stage will find in [`Task::input`].
    pub input: Map<String, Value>,
}

/// A stage that begins items.
#[async_trait]
pub trait Source: Stage {
    /// Plans the items of a job; nothing is read that a later run could not read again.
    ///
    /// # Errors
    /// `Invalid` when there is nothing to do or an input is missing, naming it.
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>>;
}

const _: Option<Arc<dyn Stage>> = None;
const _: Option<Arc<dyn Source>> = None;
