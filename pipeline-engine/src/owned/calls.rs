//! Calls and money of one owner.

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::{CallId, Digest, JobId};
use pipeline_core::model::Money;
use pipeline_core::storage::{
    AttachReply, Budget, BudgetKeeper, BudgetKey, CallLedger, CallQuery, CallRecord, NewResolution, SettleReply,
    Settlement, Spend, SpendQuery,
};

use super::store::Owned;

#[async_trait]
impl CallLedger for Owned {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        self.store.settle(settlement).await
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        self.store.attach(call, external_id).await
    }

    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        self.call(resolution.call).await?;
        self.store.resolve(resolution).await
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        let call = self.store.call(id).await?;
        if self.owns(call.job).await? {
            return Ok(call);
        }
        Err(Error::not_found("there is no such call").with("call", id))
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        if self.owns(job).await? { self.store.answered(job, request).await } else { Ok(None) }
    }

    async fn spend(&self, mut query: SpendQuery) -> Result<Vec<Spend>> {
        if query.owner.get_or_insert_with(|| self.owner.clone()) != &self.owner {
            return Ok(Vec::new());
        }
        self.store.spend(query).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        let named = match (query.job, query.item) {
            (Some(job), _) => Some(self.owns(job).await?),
            (None, Some(item)) => Some(self.owns_item(item).await?),
            (None, None) => None,
        };
        match named {
            Some(true) => return self.store.calls(query).await,
            Some(false) => return Ok(Vec::new()),
            None => {}
        }
        let limit = if query.limit == 0 { 100 } else { query.limit };
        let mut found = Vec::new();
        for job in self.mine().await? {
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            found.extend(self.store.calls(CallQuery { job: Some(job), limit: left, ..query.clone() }).await?);
        }
        Ok(found)
    }
}

#[async_trait]
impl BudgetKeeper for Owned {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        match &key {
            BudgetKey::Job(job) => {
                self.own(*job).await?;
            }
            // What an owner may spend is not for the owner to say.
            BudgetKey::Owner(owner) => {
                let error =
                    Error::new(ErrorKind::Unauthorized, "an owner's budget is set by who looks after the store");
                return Err(error.with("owner", owner).with("accepted", "no owner"));
            }
        }
        self.store.set_budget(key, amount).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        let mut mine = Vec::new();
        for budget in self.store.budgets().await? {
            let own = match &budget.key {
                BudgetKey::Job(job) => self.owns(*job).await?,
                BudgetKey::Owner(owner) => *owner == self.owner,
            };
            mine.extend(own.then_some(budget));
        }
        Ok(mine)
    }
}
