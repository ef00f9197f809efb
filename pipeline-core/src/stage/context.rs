//! What a running stage may use: files, providers, the ledger, and answers that concern several items.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;
use crate::id::{Digest, ItemId, JobId, StageName};
use crate::model::Money;
use crate::provider::{CallContext, Journal, ProviderInfo};
use crate::storage::{ArtifactStore, TakeOver};

use super::providers::Providers;

/// A provider call to be made under the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSpec {
    /// Who is called.
    pub provider: ProviderInfo,
    /// The items it serves, in order.
    pub items: Vec<ItemId>,
    /// The round of the items.
    pub round: u32,
    /// The try of the stage.
    pub attempt: u32,
    /// The hash of the full request.
    pub request: Digest,
    /// How many units are asked for, to estimate the price.
    pub units: u32,
    /// What is asked in words, for the ledger.
    pub prompt: Option<String>,
}

/// A provider's answer in the form the ledger keeps; files are in it by digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The raw response.
    pub response: Value,
    /// What the provider says it cost.
    pub cost: Option<Money>,
    /// The vendor's id of the request or task.
    pub external_id: Option<String>,
}

/// Sends the request once; called at most once.
pub type Send = Box<
    dyn FnOnce(CallContext) -> Pin<Box<dyn Future<Output = Result<Answer>> + std::marker::Send>> + std::marker::Send,
>;

/// What a running stage may use. Implemented by the engine; tests use the testkit's.
#[async_trait]
pub trait StageContext: fmt::Debug + std::marker::Send + Sync {
    /// Returns the job.
    fn job(&self) -> JobId;

    /// Returns the stage's name in the pipeline.
    fn stage(&self) -> &StageName;

    /// Returns the artifact store.
    fn artifacts(&self) -> &Arc<dyn ArtifactStore>;

    /// Returns the providers to choose from.
    fn providers(&self) -> &dyn Providers;

    /// Returns where the stage tells of its steps, for the log of the job. What goes through [`StageContext::artifacts`] and
    /// [`StageContext::call`] is told already.
    fn journal(&self) -> &Journal;

    /// Makes a provider call under the ledger: intent, time limit, send, settle.
    ///
    /// A call of the same items and round whose answer no try has used up, because the process that made it ended or lost
    /// the item, is not made again: its recorded answer, or error, is returned. An answer is used up by the try that got
    /// it when that gives a result, or fails with `Corrupt`; when it fails for another reason, as when a file cannot be
    /// downloaded, the next try gets the same answer. A call that was not answered is made again under its own id when that buys nothing new: with the
    /// provider's idempotency key, or with `resume` in its context. The call and its settlement go on even when the
    /// caller is dropped. Returns the answer and what the call cost.
    ///
    /// In a job that may use answers again ([`crate::pipeline::Plan::cache`]), the first try of a stage in the first round takes the answer
    /// that another job of the same owner has to exactly this request: no call is made and it costs nothing. The ids of
    /// the items in it are replaced by those of `spec`.
    ///
    /// # Errors
    /// What `send` answered, or `Indeterminate` when an earlier call's outcome is unknown and may not be repeated.
    async fn call(&self, spec: CallSpec, send: Send) -> Result<(Answer, Money)>;

    /// Reserves a file name in an output folder for an item and this stage; see [`crate::storage::Registry::reserve_name`].
    async fn reserve_name(
        &self,
        item: ItemId,
        scope: &str,
        name: &str,
        take_over: TakeOver,
        only_if_mine: bool,
    ) -> Result<bool>;

    /// Looks for a near-duplicate of an item's picture in the job, and marks the item when there is none.
    async fn mark_fingerprint(&self, item: ItemId, fingerprint: u64, max_distance: u32) -> Result<Option<ItemId>>;

    /// Returns the name of an item of the job, which is for people.
    async fn item_name(&self, item: ItemId) -> Result<String>;
}
