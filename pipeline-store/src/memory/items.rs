//! Items and their results, for reading.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, ResultId, StageName};
use pipeline_core::model::Money;
use pipeline_core::storage::{ItemQuery, ItemRecord, ItemStore, ResultRecord, StageTally};

use super::store::MemoryStore;

#[async_trait]
impl ItemStore for MemoryStore {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        self.with(|state| {
            let item = state.items.get(&id);
            item.map(super::state::Item::view).ok_or_else(|| Error::not_found("there is no such item").with("item", id))
        })
    }

    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        let prefix = query.id_prefix.map(|prefix| prefix.to_ascii_lowercase());
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let Some(job) = state.jobs.get(&query.job) else { return Ok(Vec::new()) };
            let items = state.items_of(job).filter(|item| {
                !item.is_replaced()
                    && query.after.is_none_or(|after| (item.record.ordinal, item.record.slot) > after)
                    && query.stage.is_none_or(|stage| item.record.machine.stop().is_some_and(|(at, _)| at == stage))
                    && query.code.is_none_or(|code| item.record.machine.failure().is_some_and(|why| why.code == code))
                    && query.round.is_none_or(|round| item.record.machine.round == round)
                    && (query.statuses.is_empty() || query.statuses.contains(&item.status()))
                    && prefix.as_ref().is_none_or(|prefix| item.record.id.to_string().starts_with(prefix))
            });
            Ok(items.take(limit as usize).map(super::state::Item::view).collect())
        })
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        self.with(|state| Ok(ids.iter().filter_map(|id| state.results.get(id)).cloned().collect()))
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        self.with(|state| {
            let ids = state.items.get(&item).map_or(&[][..], |item| &item.history);
            Ok(ids.iter().filter_map(|id| state.results.get(id)).cloned().collect())
        })
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        self.with(|state| {
            let mut tallies: BTreeMap<StageName, StageTally> = BTreeMap::new();
            let Some(job) = state.jobs.get(&job) else { return Ok(Vec::new()) };
            let ids = state.items_of(job).flat_map(|item| &item.history);
            for result in ids.filter_map(|id| state.results.get(id)) {
                let tally = tallies.entry(result.stage.clone()).or_insert_with(|| StageTally {
                    stage: result.stage.clone(),
                    count: 0,
                    total: Duration::ZERO,
                    sum_squares: 0.0,
                    cost: Money::ZERO,
                });
                let took = result.ended_at.since(result.started_at);
                tally.count += 1;
                tally.total += took;
                tally.sum_squares += took.as_secs_f64() * took.as_secs_f64();
                tally.cost += result.cost;
            }
            Ok(tallies.into_values().collect())
        })
    }

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        self.with(|state| {
            let mut counts = BTreeMap::new();
            let Some(job) = state.jobs.get(&job) else { return Ok(counts) };
            let ids = state.items_of(job).flat_map(|item| &item.history);
            for result in ids.filter_map(|id| state.results.get(id)).filter(|result| result.reused.is_some()) {
                *counts.entry(result.stage.clone()).or_default() += 1;
            }
            Ok(counts)
        })
    }
}
