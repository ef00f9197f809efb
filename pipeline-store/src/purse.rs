//! The budgets that the calls of one batch of commits reserve of.

use std::collections::BTreeMap;

use pipeline_core::id::JobId;
use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKey, Refusal};

/// The budgets of some jobs, as the calls of a batch change them one after the other.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    of: BTreeMap<JobId, Vec<BudgetKey>>,
    budgets: BTreeMap<BudgetKey, Budget>,
    /// What the calls of the commit at hand have reserved.
    taken: Vec<(BudgetKey, Money)>,
    changed: bool,
}

impl Purse {
    /// Makes the budgets of a job known, if they are not.
    pub(crate) fn add(&mut self, job: JobId, budgets: impl IntoIterator<Item = Budget>) {
        let keys = budgets.into_iter().map(|budget| {
            let key = budget.key.clone();
            self.budgets.entry(key.clone()).or_insert(budget);
            key
        });
        let keys = keys.collect();
        self.of.entry(job).or_insert(keys);
    }

    /// Tells whether the budgets of a job are known.
    pub(crate) fn knows(&self, job: JobId) -> bool {
        self.of.contains_key(&job)
    }

    /// Begins with a commit.
    pub(crate) fn begin(&mut self) {
        self.taken.clear();
    }

    /// Reserves for a call of the commit at hand, in both budgets or in none.
    ///
    /// # Errors
    /// When it may not pass: why. That is remembered; what the commit has reserved before is free again.
    pub(crate) fn admit(&mut self, job: JobId, price: Option<Money>) -> Result<(), Refusal> {
        for key in self.of.get(&job).cloned().unwrap_or_default() {
            let Some(budget) = self.budgets.get_mut(&key) else { continue };
            self.changed = true;
            if let Err(closed) = budget.admit(price) {
                let refusal = Refusal::Budget(budget.scope(), closed);
                self.undo();
                return Err(refusal);
            }
            self.taken.push((key, price.unwrap_or_default()));
        }
        Ok(())
    }

    /// Gives back what the commit at hand has reserved.
    pub(crate) fn undo(&mut self) {
        for (key, taken) in self.taken.drain(..) {
            if let Some(budget) = self.budgets.get_mut(&key) {
                budget.reserved = Money::from_micros(budget.reserved.as_micros() - taken.as_micros());
            }
        }
    }

    /// Returns the budgets as they stand, where anything may have changed.
    pub(crate) fn changed(self) -> impl Iterator<Item = Budget> {
        self.budgets.into_values().filter(move |_| self.changed)
    }
}
