//! Items of one owner's jobs, what was recorded for them, and what was decided about them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId, ResultId, StageName};
use pipeline_core::storage::{
    ItemQuery, ItemRecord, ItemStore, ResultRecord, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling,
    RulingReply, StageTally,
};

use super::store::Owned;

/// How many reviews are asked for at once.
const PAGE: u32 = 500;

#[async_trait]
impl ItemStore for Owned {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        self.store.item(self.own_item(id).await?).await
    }

    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        if self.owns(query.job).await? { self.store.items(query).await } else { Ok(Vec::new()) }
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        let mut results = self.store.results(ids).await?;
        let mut others = BTreeSet::new();
        for item in results.iter().map(|result| result.item).collect::<BTreeSet<_>>() {
            if !self.owns_item(item).await? {
                others.insert(item);
            }
        }
        results.retain(|result| !others.contains(&result.item));
        Ok(results)
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        if self.owns_item(item).await? { self.store.history(item).await } else { Ok(Vec::new()) }
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        if self.owns(job).await? { self.store.tallies(job).await } else { Ok(Vec::new()) }
    }

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        if self.owns(job).await? { self.store.reused(job).await } else { Ok(BTreeMap::new()) }
    }
}

#[async_trait]
impl ReviewDesk for Owned {
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        for ruling in &rulings {
            self.own(ruling.job).await?;
            self.own_item(ruling.item).await?;
        }
        self.store.rule(by, rulings).await
    }

    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        let named = match (query.job, query.item) {
            (Some(job), _) => Some(self.owns(job).await?),
            (None, Some(item)) => Some(self.owns_item(item).await?),
            (None, None) => None,
        };
        match named {
            Some(true) => return self.store.reviews(query).await,
            Some(false) => return Ok(Vec::new()),
            None => {}
        }
        let limit = if query.limit == 0 { 100 } else { query.limit } as usize;
        let (mut found, mut left_out, mut looked_at) = (Vec::new(), 0, 0);
        while found.len() < limit {
            let page = self.store.reviews(ReviewQuery { skip: looked_at, limit: PAGE, ..query.clone() }).await?;
            if page.is_empty() {
                break;
            }
            looked_at += u32::try_from(page.len()).unwrap_or(u32::MAX);
            for review in page {
                if found.len() < limit && self.owns(review.job).await? {
                    if left_out < query.skip {
                        left_out += 1;
                    } else {
                        found.push(review);
                    }
                }
            }
        }
        Ok(found)
    }
}
