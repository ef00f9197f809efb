//! Broken budgets; what is broken in letting calls pass is in the commits.

use async_trait::async_trait;
use pipeline_core::ErrorKind;
use pipeline_core::error::Result;
use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKeeper, BudgetKey};

use super::store::{Breach, Broken};

#[async_trait]
impl BudgetKeeper for Broken {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        let known = self.store.budgets().await?.into_iter().find(|budget| budget.key == key);
        match (self.breach, amount) {
            (Some(Breach::RaiseIgnored), Some(amount)) if known.is_some() && amount > Money::ZERO => {
                return Ok(known.map(|known| Budget { amount, closed: None, ..known }));
            }
            (Some(Breach::BudgetFromNow), Some(amount)) if known.is_none() => {
                let counted = self.store.set_budget(key.clone(), Some(amount)).await?;
                let used = counted.map_or(Money::ZERO, |budget| budget.spent + budget.reserved);
                return self.store.set_budget(key, Some(amount + used)).await;
            }
            (Some(Breach::NegativeBudgetAccepted), Some(amount)) if amount < Money::ZERO => {
                return Ok(Some(Budget::new(key, amount)));
            }
            _ => {}
        }
        match self.store.set_budget(key, amount).await {
            Err(error) if self.is(Breach::EndedJobBudgeted) && error.kind() == ErrorKind::Conflict => Ok(None),
            answer => answer,
        }
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.store.budgets().await
    }
}
