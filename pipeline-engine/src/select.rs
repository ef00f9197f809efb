//! Which items of a job a query asks for.

use std::collections::HashMap;

use pipeline_core::id::{JobId, ResultId};
use pipeline_core::query::{Candidate, Query};
use pipeline_core::storage::{ItemQuery, ItemRecord, ResultRecord};

use crate::engine::Engine;
use crate::review::stage;
use crate::submit::SubmitError;

/// How many items are looked at for one page.
const PAGE: u32 = 500;

/// Some of the items a query asks for.
#[derive(Clone, Debug)]
pub struct Selected {
    /// In order; may be empty although more follow.
    pub items: Vec<ItemRecord>,
    /// After which place to go on; `None` when nothing follows.
    pub next: Option<(u32, u32)>,
}

impl Engine {
    /// Returns the next items of a job for which a query holds, after a place of [`Selected::next`].
    ///
    /// # Errors
    /// [`SubmitError`]: no such job, or a stage that the job does not have; the store's.
    pub async fn select(&self, job: JobId, query: &Query, after: Option<(u32, u32)>) -> Result<Selected, SubmitError> {
        let plan = self.shared.store.plan(job).await.map_err(SubmitError::Store)?.plan;
        for name in query.stages() {
            stage(&plan, name.as_str())?;
        }
        let page = ItemQuery { statuses: query.statuses(), after, limit: PAGE, ..ItemQuery::of(job) };
        // Terms that contradict each other leave no state, which would mean any.
        let none = query.statuses().is_empty() && query.terms.iter().any(|term| term.restricts_states());
        let items = if none { Vec::new() } else { self.shared.store.items(page).await.map_err(SubmitError::Store)? };
        let next = items.last().map(|last| (last.ordinal, last.slot));
        let results = match query.needs_results() {
            true => self.recorded(&items).await.map_err(SubmitError::Store)?,
            false => HashMap::new(),
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
