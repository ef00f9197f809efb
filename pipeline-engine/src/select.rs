//! Which items of a job a query asks for.

use std::collections::HashMap;

use pipeline_core::id::ResultId;
use pipeline_core::query::{Candidate, Query, Term};
use pipeline_core::storage::{ItemQuery, ItemRecord, ResultRecord};

use crate::engine::Engine;
use crate::review::stage;
use crate::submit::SubmitError;

/// Some of the items a query asks for.
#[derive(Clone, Debug)]
pub struct Selected {
    /// In order; may be empty although more follow.
    pub items: Vec<ItemRecord>,
    /// After which place to go on; `None` when nothing follows.
    pub next: Option<(u32, u32)>,
}

impl Engine {
    /// Returns items of a job for which a query holds, of the `page` of those that pass its filters; go on with
    /// [`Selected::next`] in its `after`. Of the states the query's and the page's both must hold.
    ///
    /// # Errors
    /// [`SubmitError`]: no such job, or a stage that the job does not have; the store's.
    pub async fn select(&self, query: &Query, mut page: ItemQuery) -> Result<Selected, SubmitError> {
        let plan = self.shared.store.plan(page.job).await.map_err(SubmitError::Store)?.plan;
        for name in query.stages() {
            stage(&plan, name.as_str())?;
        }
        if query.terms.iter().any(Term::restricts_states) {
            let mut statuses = query.statuses();
            statuses.retain(|status| page.statuses.is_empty() || page.statuses.contains(status));
            if statuses.is_empty() {
                // Terms that contradict each other; no state would mean any.
                return Ok(Selected { items: Vec::new(), next: None });
            }
            page.statuses = statuses;
        }
        let limit = if page.limit == 0 { 100 } else { page.limit } as usize;
        let items = self.shared.store.items(page).await.map_err(SubmitError::Store)?;
        let next = items.last().filter(|_| items.len() >= limit).map(|last| (last.ordinal, last.slot));
        let results = if query.needs_results() {
            self.recorded(&items).await.map_err(SubmitError::Store)?
        } else {
            HashMap::new()
        };
        let mut selected = Vec::new();
        for item in items {
            let own: Vec<ResultRecord> =
                item.machine.results().filter_map(|(_, id)| results.get(&id).cloned()).collect();
            if query.matches(Candidate { plan: &plan, item: &item, results: &own }) {
                selected.push(item);
            }
        }
        Ok(Selected { items: selected, next })
    }

    /// Returns the results the states of items refer to.
    async fn recorded(&self, items: &[ItemRecord]) -> pipeline_core::Result<HashMap<ResultId, ResultRecord>> {
        let mut ids: Vec<ResultId> = items.iter().flat_map(|item| item.machine.results().map(|(_, id)| id)).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.shared.store.results(ids).await?;
        Ok(found.into_iter().map(|result| (result.id, result)).collect())
    }
}
