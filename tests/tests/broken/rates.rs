//! Broken rates.

use pipeline_core::error::Result;
use pipeline_core::executor::ItemEvent;
use pipeline_core::id::EventSeq;
use pipeline_core::storage::{
    EventBody, EventLog as _, JobQuery, JobRecord, JobStore as _, QueueStatus, Rates, WorkQueue as _,
};

use super::store::{Breach, Broken};

impl Broken {
    pub(super) async fn status(&self) -> Result<QueueStatus> {
        let mut status = self.store.queue_status().await?;
        let mut jobs = self.store.jobs(JobQuery::default()).await?;
        match self.breach {
            Some(Breach::RatesSinceSubmit) => {}
            Some(Breach::RatesOfOpenJobs) => jobs.retain(|job| job.ended_at.is_none()),
            Some(Breach::RatesOfOneJob) => jobs.truncate(1),
            _ => return Ok(status),
        }
        (status.rates.items, status.rates.stages) = (0, 0);
        for job in jobs {
            self.count(&job, &mut status.rates).await?;
        }
        Ok(status)
    }

    async fn count(&self, job: &JobRecord, rates: &mut Rates) -> Result<()> {
        let young = |at| self.time().since(at) < rates.window || self.is(Breach::RatesSinceSubmit);
        let mut events = self.store.events(job.id, EventSeq::START, u32::MAX).await?;
        events.retain(|event| young(event.at));
        for event in events {
            match event.body {
                EventBody::Item { what: ItemEvent::Ended { .. }, .. } => rates.items += 1,
                EventBody::Item { what: ItemEvent::StageDone { .. }, .. } => rates.stages += 1,
                _ => {}
            }
        }
        Ok(())
    }
}
