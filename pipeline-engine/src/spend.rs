//! What calls have cost, added up from the ledger.

use pipeline_core::Result;
use pipeline_core::storage::{Spend, SpendQuery};

use crate::engine::Engine;

impl Engine {
    /// Adds up what calls have cost, those of deleted jobs too; in the order of the keys. Of a call without a known outcome the time
    /// of its intent counts.
    ///
    /// # Errors
    /// `NotFound` for a job that is not there, or the store's.
    pub async fn spend(&self, query: &SpendQuery) -> Result<Vec<Spend>> {
        if let Some(job) = query.job {
            self.job(job).await?;
        }
        self.store().spend(query.clone()).await
    }
}
