//! How one owner's jobs and items came to be what they are.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{EventRecord, Historian, JobProfile, Retries, RetryQuery};

use super::store::Owned;

#[async_trait]
impl Historian for Owned {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        self.store.profile(self.own(job).await?).await
    }

    async fn retries(&self, query: RetryQuery) -> Result<Retries> {
        if let Some(job) = query.job {
            return if self.owns(job).await? { self.store.retries(query).await } else { Ok(Retries::default()) };
        }
        let limit = if query.limit == 0 { 100 } else { query.limit } as usize;
        let mut all = Retries::default();
        for job in self.mine().await? {
            let Retries { records, counts } =
                self.store.retries(RetryQuery { job: Some(job), ..query.clone() }).await?;
            all.records.extend(records);
            for (status, count) in counts {
                *all.counts.entry(status).or_default() += count;
            }
        }
        all.records.sort_by_key(|record| std::cmp::Reverse(record.number));
        all.records.truncate(limit);
        Ok(all)
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        self.store.events_of(self.own_item(item).await?).await
    }
}
