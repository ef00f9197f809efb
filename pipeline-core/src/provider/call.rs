//! What every provider call carries and every provider says about itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::CallId;
use crate::model::{Capability, Limits, Money};

use super::journal::Journal;
use super::task::TaskNote;

/// What may be done about a call whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Free and deterministic: just do it again. Such calls need no ledger entry.
    Free,
    /// Repeating with the same idempotency key is not charged again.
    Idempotent,
    /// Repeating may be charged again, but the vendor's task can be asked for by its id, once that is known.
    Resumable,
    /// Both: a task whose id is known is asked for, and any other call is repeated with its key.
    IdempotentResumable,
    /// Repeating may be charged again: a person must decide.
    Unsafe,
}

impl Repeat {
    /// Tells whether a repeat with the same idempotency key is not charged again.
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Idempotent | Self::IdempotentResumable)
    }

    /// Tells whether a task can be asked for by its id, see [`CallContext::resume`].
    pub const fn is_resumable(self) -> bool {
        matches!(self, Self::Resumable | Self::IdempotentResumable)
    }
}

/// What one call costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For each call.
    pub per_call: Money,
    /// For each unit delivered (an image, an answer).
    pub per_unit: Money,
}

/// What a provider says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderInfo {
    /// The vendor or implementation, for example `procedural`.
    pub name: String,
    /// The model used, when there is more than one.
    pub model: Option<String>,
    /// What it can do.
    pub capability: Capability,
    /// One sentence for `providers list`.
    pub summary: String,
    /// Whether it runs on this machine, without network and keys.
    pub local: bool,
    /// What may be done about an unknown outcome.
    pub repeat: Repeat,
    /// `None` when the price is not known; local providers are free.
    pub price: Option<Price>,
    /// What one call costs at most, where the price is not known but a person has set a bound.
    #[serde(default)]
    pub max_cost: Option<Money>,
    /// How much of it may be used, over all processes of a store.
    #[serde(default)]
    pub limits: Limits,
}

impl ProviderInfo {
    /// Describes a free, deterministic provider that runs on this machine.
    pub fn local(name: &str, capability: Capability, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            model: None,
            capability,
            summary: summary.to_owned(),
            local: true,
            repeat: Repeat::Free,
            price: Some(Price::default()),
            max_cost: None,
            limits: Limits::default(),
        }
    }
}

/// What every request carries beside its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallContext {
    /// The ledger's id of the call; the same for every repeat of it.
    pub idempotency_key: CallId,
    /// When the caller stops waiting.
    pub timeout: Option<Duration>,
    /// The vendor's id of the task an earlier try of this same call began, given only to a provider whose
    /// [`ProviderInfo::repeat`] is resumable: nothing is submitted, that task is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Where the provider notes the vendor's id of the task, as soon as it knows it and before it waits for the end.
    #[serde(skip)]
    pub note: TaskNote,
    /// Where the provider tells of its steps, for the log of the job.
    #[serde(skip)]
    pub journal: Journal,
}

impl CallContext {
    /// Makes the context of a first try without a time limit, whose task nobody remembers.
    pub fn new(idempotency_key: CallId) -> Self {
        Self { idempotency_key, timeout: None, resume: None, note: TaskNote::default(), journal: Journal::default() }
    }

    /// Says where the provider tells of its steps.
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Says when the caller stops waiting.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What a call used, as the provider reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// What it cost, when the provider says so.
    pub cost: Option<Money>,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// The vendor's id of the request or task.
    pub external_id: Option<String>,
}
