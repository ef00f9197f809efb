//! Hooks as an embedding program handles them: add, test, pause, remove, deliver, send again.

use pipeline_core::id::{EventSeq, HookId, MessageId, Token};
use pipeline_core::provider::{HookAnswer, HookMessage};
use pipeline_core::storage::{DeliveryQuery, DeliveryRecord, DeliveryState, Hook, HookPolicy, HookSpec, Lane, NewHook};
use pipeline_core::{Error, Result};

use crate::delivery::{self, DeliveryRound};
use crate::engine::Engine;

/// A name has at most this many characters.
const LONGEST_NAME: usize = 60;

impl Engine {
    /// Adds a hook. It is told of what happens from now on; runs and workers of every process deliver.
    ///
    /// # Errors
    /// `Invalid` with field and what is accepted: a name, a limit, a target that is none or leads where it must not;
    /// `Conflict` when the owner has a hook of this name; `Unsupported` for an engine without a sender.
    pub async fn add_hook(&self, owner: &str, name: &str, spec: HookSpec) -> Result<Hook> {
        self.check_hook(owner, name, &spec).await?;
        let id = HookId::from_uuid(self.shared.uuid());
        let new = NewHook { id, owner: owner.to_owned(), name: name.to_owned(), spec };
        self.store().add_hook(new).await
    }

    /// Tells whether a hook could be added, as far as that does not depend on those there are.
    ///
    /// # Errors
    /// As [`Engine::add_hook`].
    pub async fn check_hook(&self, owner: &str, name: &str, spec: &HookSpec) -> Result<()> {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(named) {
            return Err(Error::invalid("a hook cannot have this name")
                .with("name", name)
                .with("accepted", format!("letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}")));
        }
        if owner.trim().is_empty() {
            return Err(Error::invalid("the owner is empty").with("accepted", "a name, for example system"));
        }
        let HookPolicy { timeout, attempts, first_wait } = spec.policy;
        if timeout.is_zero() || timeout > HookPolicy::LONGEST_TIMEOUT {
            return Err(Error::invalid("a try cannot take so long")
                .with("timeout", format!("{timeout:?}"))
                .with("accepted", "more than nothing, up to 60s"));
        }
        if !(1..=HookPolicy::MOST_ATTEMPTS).contains(&attempts) {
            return Err(Error::invalid("a message cannot be tried so often")
                .with("attempts", attempts)
                .with("accepted", format!("1 to {}", HookPolicy::MOST_ATTEMPTS)));
        }
        if first_wait.is_zero() || first_wait > HookPolicy::LONGEST_TIMEOUT {
            return Err(Error::invalid("the first wait cannot be so long")
                .with("retry_after", format!("{first_wait:?}"))
                .with("accepted", "more than nothing, up to 60s"));
        }
        delivery::sender(&self.shared)?.check(&spec.target).await
    }

    /// Returns a hook by its owner and name.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn hook(&self, owner: &str, name: &str) -> Result<Hook> {
        let hooks = self.store().hooks().await?;
        let found = hooks.into_iter().find(|hook| hook.owner == owner && hook.name == name);
        found.ok_or_else(|| Error::not_found("there is no such hook").with("name", name).with("owner", owner))
    }

    /// Sends one message that tests the way, at once, and returns the answer. Nothing is recorded.
    ///
    /// # Errors
    /// What kept it from being sent or answered.
    pub async fn test_hook(&self, hook: &Hook) -> Result<HookAnswer> {
        let sender = delivery::sender(&self.shared)?;
        let at = self.shared.now();
        let message = HookMessage {
            id: MessageId::from_uuid(self.shared.uuid()),
            hook: hook.name.clone(),
            kind: "hook.test".to_owned(),
            job: None,
            attempt: 1,
            at,
            timeout: hook.spec.policy.timeout,
            body: delivery::body_of_test(&hook.name, at),
        };
        delivery::send(sender, hook, &message).await
    }

    /// Delivers what is due now, of all hooks or of one; what waits for a later try goes on waiting.
    ///
    /// # Errors
    /// `Unsupported` for an engine without a sender.
    pub async fn deliver_hooks(&self, only: Option<HookId>) -> Result<DeliveryRound> {
        let sender = delivery::sender(&self.shared)?;
        Ok(delivery::deliver(&self.shared, sender, only).await)
    }

    /// Sends messages of a hook again that were tried for the last time, or one whatever became of it, each once and the
    /// oldest first; returns what came of each. Messages that wait for a later try are due at once then. A hook that is
    /// paused meanwhile, by a person or because the receiver wants no messages any more, stays so, and no more is sent.
    ///
    /// # Errors
    /// `NotFound` for a message that is none of the hook's; `Conflict` for a hook that is paused; the store's.
    pub async fn redeliver(&self, hook: &Hook, only: Option<MessageId>) -> Result<Vec<DeliveryRecord>> {
        let sender = delivery::sender(&self.shared)?;
        if let Some(reason) = self.why_paused(hook.id).await? {
            return Err(Error::conflict("the hook is paused").with("name", &hook.name).with("reason", reason));
        }
        let state = if only.is_none() { Some(DeliveryState::Failed) } else { None };
        let query = DeliveryQuery { hook: Some(hook.id), id: only, state, limit: u32::MAX, ..DeliveryQuery::default() };
        let mut wanted = self.store().deliveries(query).await?;
        if let Some(id) = only.filter(|_| wanted.is_empty()) {
            return Err(Error::not_found("the hook has sent no such message").with("message", id));
        }
        wanted.reverse();
        let mut done = Vec::new();
        for known in wanted.into_iter().filter(|known| known.state != DeliveryState::Waiting) {
            let job = self.job(known.job).await?;
            let events = self.store().events(known.job, EventSeq(known.seq.0 - 1), 1).await?;
            let Some(event) = events.first() else { continue };
            if self.why_paused(hook.id).await?.is_some() {
                return Ok(done);
            }
            let plan = self.store().plan(known.job).await?.plan;
            let lane = Lane {
                hook: hook.id,
                job: known.job,
                label: job.label,
                pipeline: plan.pipeline,
                owner: job.owner,
                token: Token(0),
                after: known.seq,
                attempts: known.attempts,
            };
            let (outcome, gone) = delivery::attempt_again(&self.shared, sender, hook, &lane, event).await?;
            done.push(self.store().redelivered(known.id, outcome).await?);
            if gone {
                return Ok(done);
            }
        }
        self.store().wake_hook(hook.id).await?;
        Ok(done)
    }

    /// Says why nothing of a hook is delivered, as it stands now.
    async fn why_paused(&self, hook: HookId) -> Result<Option<String>> {
        let found = self.store().hooks().await?.into_iter().find(|known| known.id == hook);
        Ok(found.ok_or_else(|| Error::not_found("there is no such hook").with("hook", hook))?.paused)
    }
}
