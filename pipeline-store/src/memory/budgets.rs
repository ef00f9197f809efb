//! The budgets: those that concern a job, and setting them.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKeeper, BudgetKey, CallState};

use super::state::{Job, State};
use super::store::MemoryStore;

impl State {
    /// Returns the keys of the budgets that a call of a job reserves of, where they are set.
    fn budget_keys(&self, job: JobId) -> Vec<BudgetKey> {
        let owner = self.jobs.get(&job).map(|job| BudgetKey::Owner(job.new.owner.clone()));
        [Some(BudgetKey::Job(job)), owner].into_iter().flatten().collect()
    }

    /// Returns the budgets that a call of a job reserves of.
    pub(super) fn budgets_of(&self, job: JobId) -> Vec<Budget> {
        self.budget_keys(job).iter().filter_map(|key| self.budgets.get(key)).cloned().collect()
    }

    /// Turns the reservation of a job's call into what it cost.
    pub(super) fn pay(&mut self, job: JobId, reserved: Money, cost: Money) {
        for key in self.budget_keys(job) {
            if let Some(budget) = self.budgets.get_mut(&key) {
                budget.settle(reserved, cost);
            }
        }
    }

    /// Tells whether paid work of a job waits for a budget.
    pub(super) fn is_closed(&self, job: &Job) -> bool {
        let closed = |key| self.budgets.get(&key).is_some_and(|budget| budget.closed.is_some());
        self.budget_keys(job.new.id).into_iter().any(closed)
    }

    /// Returns a new budget, with what was spent and reserved so far.
    fn budget(&self, key: &BudgetKey, amount: Money) -> Budget {
        let concerns = |job: JobId| self.budget_keys(job).contains(key);
        let mut budget = Budget::new(key.clone(), amount);
        for call in self.calls.iter().filter(|call| concerns(call.job)) {
            match call.state {
                CallState::Open | CallState::Unknown => budget.reserved += call.reserved,
                CallState::Succeeded | CallState::Failed => budget.spent += call.cost.unwrap_or_default(),
            }
        }
        budget
    }
}

#[async_trait]
impl BudgetKeeper for MemoryStore {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        if let Some(amount) = amount.filter(|amount| *amount <= Money::ZERO) {
            return Err(Error::invalid("a budget is more than nothing").with("key", key).with("amount", amount));
        }
        self.with(|state| {
            if let BudgetKey::Job(id) = &key
                && let Some(status) = state.job(*id)?.status
            {
                return Err(Error::conflict("the job has ended").with("job", id).with("status", status));
            }
            let Some(amount) = amount else {
                state.budgets.remove(&key);
                return Ok(None);
            };
            let mut budget = match state.budgets.get(&key) {
                Some(known) => known.clone(),
                None => state.budget(&key, amount),
            };
            budget.set(amount);
            state.budgets.insert(key, budget.clone());
            Ok(Some(budget))
        })
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.with(|state| {
            let current = |key: &BudgetKey| match key {
                BudgetKey::Owner(_) => true,
                BudgetKey::Job(id) => state.jobs.get(id).is_some_and(|job| job.status.is_none()),
            };
            let mut budgets: Vec<Budget> =
                state.budgets.values().filter(|budget| current(&budget.key)).cloned().collect();
            budgets.sort_by_key(|budget| budget.key.to_string());
            Ok(budgets)
        })
    }
}
