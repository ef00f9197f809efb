//! Whose something is.

use std::sync::{MutexGuard, PoisonError};

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{JobCursor, JobQuery};

use super::store::{Known, Owned};

/// How much is kept of whose things are.
const MOST: usize = 100_000;

/// How many jobs are asked for at once.
const PAGE: u32 = 500;

impl Owned {
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.jobs.len() + known.items.len() > MOST {
            *known = Known::default();
        }
        known
    }

    /// Tells whether a job is there for the owner.
    pub(super) async fn owns(&self, job: JobId) -> Result<bool> {
        let known = self.known().jobs.get(&job).copied();
        match known {
            // One's own may be deleted, and what there is not yet may come.
            Some(mine) => Ok(mine),
            None => match self.store.job(job).await {
                Ok(record) => Ok(*self.known().jobs.entry(job).or_insert(record.owner == self.owner)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    /// Passes a job that is there for the owner.
    pub(super) async fn own(&self, job: JobId) -> Result<JobId> {
        if self.owns(job).await? {
            return Ok(job);
        }
        Err(Error::not_found("there is no such job").with("job", job))
    }

    /// Tells whether an item is there for the owner.
    pub(super) async fn owns_item(&self, item: ItemId) -> Result<bool> {
        let known = self.known().items.get(&item).copied();
        let job = match known {
            Some(job) => job,
            None => match self.store.item(item).await {
                Ok(record) => *self.known().items.entry(item).or_insert(record.job),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            },
        };
        self.owns(job).await
    }

    /// Passes an item that is there for the owner.
    pub(super) async fn own_item(&self, item: ItemId) -> Result<ItemId> {
        if self.owns_item(item).await? {
            return Ok(item);
        }
        Err(Error::not_found("there is no such item").with("item", item))
    }

    /// Refuses what another owner is named for.
    pub(super) fn only(&self, owner: &str) -> Result<()> {
        if owner == self.owner {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Unauthorized, "another owner is named");
        Err(error.with("owner", owner).with("accepted", &self.owner))
    }

    /// Refuses what concerns all owners.
    pub(super) fn operator<T>(&self, what: &'static str) -> Result<T> {
        let error = Error::new(ErrorKind::Unauthorized, "this concerns all owners");
        Err(error.with("what", what).with("owner", &self.owner).with("accepted", "no owner"))
    }

    /// Returns the owner's jobs, oldest first.
    pub(super) async fn mine(&self) -> Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        let mut query = JobQuery { owner: Some(self.owner.clone()), limit: PAGE, ..JobQuery::default() };
        loop {
            let page = self.store.jobs(query.clone()).await?;
            let Some(last) = page.last() else { break };
            query.after = Some(JobCursor::of(last, query.order));
            jobs.extend(page.iter().map(|job| job.id));
        }
        jobs.reverse();
        Ok(jobs)
    }
}
