//! What one owner has kept under names: templates, settings, schedules.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::ScheduleId;
use pipeline_core::storage::{
    Due, NewSchedule, Outcome, SavedBody, SavedKind, SavedRecord, ScheduleKeeper, ScheduleRecord, TemplateKeeper,
};
use pipeline_core::time::Timestamp;

use super::store::Owned;

#[async_trait]
impl TemplateKeeper for Owned {
    async fn save(&self, owner: &str, name: &str, body: SavedBody, replace: bool) -> Result<SavedRecord> {
        self.only(owner)?;
        self.store.save(owner, name, body, replace).await
    }

    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord> {
        self.only(owner)?;
        self.store.saved(owner, kind, name).await
    }

    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>> {
        match owner {
            Some(owner) if owner != self.owner => Ok(Vec::new()),
            _ => self.store.list_saved(Some(&self.owner), kind).await,
        }
    }

    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()> {
        self.only(owner)?;
        self.store.forget(owner, kind, name).await
    }
}

#[async_trait]
impl ScheduleKeeper for Owned {
    async fn schedule(&self, new: NewSchedule) -> Result<ScheduleRecord> {
        self.only(&new.owner)?;
        self.store.schedule(new).await
    }

    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>> {
        match owner {
            Some(owner) if owner != self.owner => Ok(Vec::new()),
            _ => self.store.schedules(Some(&self.owner)).await,
        }
    }

    /// Nothing: whoever works for one owner does not submit for the others.
    async fn due(&self) -> Result<Due> {
        Ok(Due::default())
    }

    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.store.take(id, at, next_at, outcome).await
    }

    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.store.settle_occasion(id, at, outcome).await
    }

    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord> {
        self.only(owner)?;
        self.store.pause_schedule(owner, name).await
    }

    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord> {
        self.only(owner)?;
        self.store.resume_schedule(owner, name, next_at).await
    }

    async fn unschedule(&self, owner: &str, name: &str) -> Result<()> {
        self.only(owner)?;
        self.store.unschedule(owner, name).await
    }
}
