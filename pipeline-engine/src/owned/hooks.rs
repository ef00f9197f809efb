//! Hooks of one owner.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{HookId, MessageId};
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, Hook, HookKeeper, LaneReport, Lanes, NewHook,
};

use super::store::Owned;

/// How many messages are asked for at once.
const PAGE: u32 = 500;

impl Owned {
    /// Passes a hook that is there for the owner.
    async fn own_hook(&self, hook: HookId) -> Result<HookId> {
        if self.hooks().await?.iter().any(|known| known.id == hook) {
            return Ok(hook);
        }
        Err(Error::not_found("there is no such hook").with("hook", hook))
    }
}

#[async_trait]
impl HookKeeper for Owned {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        self.only(&hook.owner)?;
        self.store.add_hook(hook).await
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        let mut hooks = self.store.hooks().await?;
        hooks.retain(|hook| hook.owner == self.owner);
        Ok(hooks)
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        self.store.pause_hook(self.own_hook(hook).await?, reason).await
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.store.wake_hook(self.own_hook(hook).await?).await
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        self.store.remove_hook(self.own_hook(hook).await?).await
    }

    /// Of one's own hooks alone, where no hook is named: of none.
    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        match only {
            Some(hook) => self.store.take_lanes(Some(self.own_hook(hook).await?), limit).await,
            None => Ok(Lanes::default()),
        }
    }

    async fn report_lane(&self, report: LaneReport) -> Result<bool> {
        self.store.report_lane(report).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        let limit = if query.limit == 0 { 100 } else { query.limit } as usize;
        let mine: Vec<HookId> = self.hooks().await?.into_iter().map(|hook| hook.id).collect();
        let mut found = Vec::new();
        let mut before = query.before;
        loop {
            let page = self.store.deliveries(DeliveryQuery { before, limit: PAGE, ..query.clone() }).await?;
            let Some(last) = page.last() else { return Ok(found) };
            let end = page.len() < PAGE as usize;
            before = Some(last.id);
            found.extend(page.into_iter().filter(|message| mine.contains(&message.hook)));
            if end || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        let query = DeliveryQuery { id: Some(message), ..DeliveryQuery::default() };
        if self.deliveries(query).await?.is_empty() {
            return Err(Error::not_found("there is no such message").with("message", message));
        }
        self.store.redelivered(message, outcome).await
    }
}
