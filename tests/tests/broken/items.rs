//! Broken items and results.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, ResultId, StageName};
use pipeline_core::model::{ItemStatus, Money};
use pipeline_core::storage::{ItemQuery, ItemRecord, ItemStore, ResultRecord, StageTally};

use super::store::{Breach, Broken};

#[async_trait]
impl ItemStore for Broken {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        let missing = || Error::not_found("there is no such item");
        if self.is_lost(Breach::SubmitLost) {
            return Err(missing());
        }
        let mut record = match self.store.item(id).await {
            Err(_) if self.is(Breach::MissingItemCorrupt) => return Err(Error::corrupt("the item cannot be read")),
            answer => answer?,
        };
        if self.is(Breach::ReplacedGone) && record.machine.expanded.is_some() {
            return Err(missing());
        }
        if self.is(Breach::LateChildrenPending) && self.notes().late_children.contains(&id) {
            record.status = ItemStatus::Pending;
        }
        Ok(record)
    }

    async fn items(&self, mut query: ItemQuery) -> Result<Vec<ItemRecord>> {
        let (job, mut replaced) = (query.job, Vec::new());
        match self.breach {
            Some(Breach::CursorWithoutSlot) => query.after = query.after.map(|(ordinal, _)| (ordinal, u32::MAX)),
            Some(Breach::CursorIgnored) => query.after = None,
            Some(Breach::HeldOverlooked) if !query.statuses.is_empty() => {
                query.statuses.retain(|status| *status != ItemStatus::Running);
                if query.statuses.is_empty() {
                    return Ok(Vec::new());
                }
            }
            Some(Breach::StageOfItemsIgnored) => query.stage = None,
            Some(Breach::CodeIgnored) => query.code = None,
            Some(Breach::RoundIgnored) => query.round = None,
            Some(Breach::CodeOfOldRounds) => {
                if let Some(code) = query.code {
                    let all = self.store.items(ItemQuery::of(job)).await?;
                    let mut notes = self.notes();
                    for (item, failure) in all.iter().filter_map(|item| Some((item, item.machine.failure()?))) {
                        notes.failed.entry(item.id).or_insert((job, failure.code));
                    }
                    replaced = notes.failed.iter().filter(|(_, was)| **was == (job, code)).map(|(id, _)| *id).collect();
                }
            }
            Some(Breach::ItemPrefixIgnored) => query.id_prefix = None,
            Some(Breach::ReplacedListed) if query == ItemQuery::of(job) => {
                replaced.clone_from(&self.notes().replaced);
            }
            _ => {}
        }
        let mut records = self.store.items(query).await?;
        replaced.retain(|id| records.iter().all(|record| record.id != *id));
        for id in replaced {
            records.push(self.store.item(id).await?);
        }
        records.retain(|record| record.job == job);
        records.sort_by_key(|record| (record.ordinal, record.slot));
        Ok(records)
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        let wanted = ids.len();
        let records = self.store.results(ids).await?;
        if self.is(Breach::MissingResultRefused) && records.len() < wanted {
            return Err(Error::not_found("there is no such result"));
        }
        Ok(records)
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        let mut records = self.store.history(item).await?;
        match self.breach {
            Some(Breach::OldRoundsGone) => {
                let last = records.iter().map(|record| record.round).max();
                records.retain(|record| Some(record.round) == last);
            }
            Some(Breach::HistoryBackwards) => records.reverse(),
            _ => {}
        }
        Ok(records)
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        let mut tallies = self.store.tallies(job).await?;
        match self.breach {
            Some(Breach::SquareOfTheSum) => {
                for tally in &mut tallies {
                    tally.sum_squares = tally.total.as_secs_f64().powi(2);
                }
            }
            Some(Breach::FreeStagesLeftOut) => tallies.retain(|tally| tally.cost != Money::ZERO),
            _ => {}
        }
        Ok(tallies)
    }

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        let mut counts = self.store.reused(job).await?;
        if self.is(Breach::BoughtCountsAsReused) {
            for tally in self.store.tallies(job).await? {
                counts.insert(tally.stage, tally.count);
            }
        }
        Ok(counts)
    }
}
