//! Broken hooks.

use async_trait::async_trait;
use pipeline_core::ErrorKind;
use pipeline_core::error::Result;
use pipeline_core::id::{EventSeq, HookId, MessageId, Token};
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, Hook, HookKeeper, LaneReport, LaneStep, Lanes, NewHook,
};
use pipeline_testkit::conformance::fixture::uuid;

use super::store::{Breach, Broken};

#[async_trait]
impl HookKeeper for Broken {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        match self.store.add_hook(hook.clone()).await {
            Err(error) if self.is(Breach::HookNamedTwice) && error.kind() == ErrorKind::Conflict => {
                let NewHook { id, owner, name, spec } = hook;
                Ok(Hook { id, owner, name, spec, created_at: self.time(), paused: None })
            }
            answer => answer,
        }
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        self.store.hooks().await
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        if self.is(Breach::PausedHookTold) {
            let paused = reason.map(str::to_owned);
            return Ok(Hook { paused, ..self.store.pause_hook(hook, None).await? });
        }
        self.store.pause_hook(hook, reason).await
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.store.wake_hook(hook).await
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        let known = self.store.hooks().await?.into_iter().find(|known| known.id == hook);
        self.store.remove_hook(hook).await?;
        if let Some(Hook { owner, name, spec, .. }) = known.filter(|_| self.is(Breach::RemovedHookKept)) {
            self.store.add_hook(NewHook { id: HookId::from_uuid(uuid()), owner, name, spec }).await?;
        }
        Ok(())
    }

    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        let mut taken = self.store.take_lanes(only, limit).await?;
        if self.is_lost(Breach::LaneHandedOutTwice) && taken.lanes.is_empty() {
            taken.lanes.clone_from(&self.notes().lanes);
        }
        if self.is(Breach::OldNewsTold) {
            taken.lanes.iter_mut().filter(|lane| lane.token == Token(1)).for_each(|lane| lane.after = EventSeq::START);
        }
        self.notes().lanes.clone_from(&taken.lanes);
        Ok(taken)
    }

    async fn report_lane(&self, report: LaneReport) -> Result<bool> {
        match &report.step {
            LaneStep::Tried { seq, outcome: DeliveryOutcome::Waiting { .. }, .. } if self.is(Breach::WaitingPassed) => {
                let step = LaneStep::Passed(*seq);
                self.store.report_lane(LaneReport { step, ..report }).await
            }
            _ => Ok(self.store.report_lane(report).await? || self.is(Breach::LostLaneReported)),
        }
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.store.deliveries(query).await
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        let query = DeliveryQuery { id: Some(message), ..DeliveryQuery::default() };
        match self.store.deliveries(query).await?.pop() {
            Some(mut known) if self.is(Breach::RedeliveryForgotten) => {
                known.tried(&outcome, self.time());
                Ok(known)
            }
            _ => self.store.redelivered(message, outcome).await,
        }
    }
}
