//! Jobs of one owner, and their events.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::model::Control;
use pipeline_core::storage::{EventLog, EventRecord, JobPlan, JobQuery, JobRecord, JobStore, NewItem, NewJob};

use super::store::Owned;

#[async_trait]
impl JobStore for Owned {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        self.only(&job.owner)?;
        if let Some(parent) = job.parent {
            self.own(parent).await?;
        }
        self.store.submit(job, items).await
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.store.job(self.own(id).await?).await
    }

    async fn jobs(&self, mut query: JobQuery) -> Result<Vec<JobRecord>> {
        if query.owner.get_or_insert_with(|| self.owner.clone()) != &self.owner {
            return Ok(Vec::new());
        }
        self.store.jobs(query).await
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.store.plan(self.own(id).await?).await
    }

    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32> {
        self.store.revise(self.own(id).await?, plan).await
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        self.store.revision(self.own(id).await?, number).await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        self.store.control(self.own(id).await?, control).await
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        self.store.abandon(self.own(id).await?).await
    }
}

#[async_trait]
impl EventLog for Owned {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        if self.owns(job).await? { self.store.events(job, after, limit).await } else { Ok(Vec::new()) }
    }
}
