//! Broken schedules.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::ScheduleId;
use pipeline_core::storage::{Due, NewSchedule, Outcome, ScheduleKeeper, ScheduleRecord};
use pipeline_core::time::Timestamp;

use super::store::{Breach, Broken};

impl Broken {
    async fn at(&self, id: ScheduleId) -> Result<Option<ScheduleRecord>> {
        Ok(self.store.schedules(None).await?.into_iter().find(|record| record.id == id))
    }
}

#[async_trait]
impl ScheduleKeeper for Broken {
    async fn schedule(&self, mut new: NewSchedule) -> Result<ScheduleRecord> {
        if self.is(Breach::OverlapForgotten) {
            new.overlap = false;
        }
        if self.is(Breach::ScheduleReplaced) {
            let _ = self.store.unschedule(&new.owner, &new.name).await;
        }
        self.store.schedule(new).await
    }

    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>> {
        if self.is_lost(Breach::SchedulesLost) {
            return Ok(Vec::new());
        }
        self.store.schedules(owner.filter(|_| !self.is(Breach::SchedulesOfAllOwners))).await
    }

    async fn due(&self) -> Result<Due> {
        let mut due = self.store.due().await?;
        let begun = |record: &ScheduleRecord| record.last.as_ref().is_some_and(|last| last.outcome == Outcome::Begun);
        match self.breach {
            Some(Breach::BegunForgotten) => due.schedules.retain(|record| !begun(record)),
            Some(Breach::DueLate) => {
                let now = self.time();
                due.schedules.retain(|record| record.next_at < now || begun(record));
            }
            Some(Breach::NextOccasionUntold) => due.next_at = None,
            Some(Breach::PausedIsDue) => {
                let (now, all) = (self.time(), self.store.schedules(None).await?);
                due.schedules = all.into_iter().filter(|record| record.next_at <= now || begun(record)).collect();
            }
            _ => {}
        }
        Ok(due)
    }

    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool> {
        match self.breach {
            // Looks in one step, and takes in another.
            Some(Breach::TakenTwice) => {
                let is_there = self.at(id).await?.is_some_and(|record| record.next_at == at);
                tokio::task::yield_now().await;
                let taken = self.store.take(id, at, next_at, outcome).await?;
                Ok(taken || is_there)
            }
            Some(Breach::AnyOccasionTaken) => {
                let at = self.at(id).await?.map_or(at, |record| record.next_at);
                self.store.take(id, at, next_at, outcome).await
            }
            _ => self.store.take(id, at, next_at, outcome).await,
        }
    }

    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool> {
        let last = self.at(id).await?.and_then(|record| record.last);
        match (self.breach, last) {
            (Some(Breach::AnyOccasionSettled), Some(last)) => self.store.settle_occasion(id, last.at, outcome).await,
            (Some(Breach::ReasonOfOccasionLost), _) => {
                let outcome = match outcome {
                    Outcome::Failed { .. } => Outcome::Failed { reason: String::new() },
                    other => other,
                };
                self.store.settle_occasion(id, at, outcome).await
            }
            _ => self.store.settle_occasion(id, at, outcome).await,
        }
    }

    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord> {
        self.store.pause_schedule(owner, name).await
    }

    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord> {
        if self.is(Breach::ResumeCatchesUp) {
            let all = self.store.schedules(Some(owner)).await?;
            let next_at = all.iter().find(|record| record.name == name).map_or(next_at, |record| record.next_at);
            return self.store.resume_schedule(owner, name, next_at).await;
        }
        self.store.resume_schedule(owner, name, next_at).await
    }

    async fn unschedule(&self, owner: &str, name: &str) -> Result<()> {
        match self.store.unschedule(owner, name).await {
            Err(_) if self.is(Breach::NothingUnscheduled) => Ok(()),
            answer => answer,
        }
    }
}
