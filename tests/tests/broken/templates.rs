//! Broken keeping of requests and settings.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{SavedBody, SavedKind, SavedRecord, TemplateKeeper};

use super::store::{Breach, Broken};

#[async_trait]
impl TemplateKeeper for Broken {
    async fn save(&self, owner: &str, name: &str, mut body: SavedBody, replace: bool) -> Result<SavedRecord> {
        if let (true, SavedBody::Template(request)) = (self.is(Breach::CountOfTemplateLost), &mut body) {
            request.recipe.count = None;
        }
        let replace = replace || self.is(Breach::TakenNameReplaced);
        self.store.save(owner, name, body, replace).await
    }

    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord> {
        if self.is_lost(Breach::SavedLost) {
            return Err(Error::not_found("nothing is saved under this name"));
        }
        match self.store.saved(owner, kind, name).await {
            Err(error) if self.is(Breach::SavedOfAllOwners) => {
                let all = self.store.list_saved(None, kind).await?;
                all.into_iter().find(|record| record.name == name).ok_or(error)
            }
            answer => answer,
        }
    }

    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>> {
        let owner = owner.filter(|_| !self.is(Breach::SavedOwnerIgnored));
        self.store.list_saved(owner, kind).await
    }

    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()> {
        match self.store.forget(owner, kind, name).await {
            Err(_) if self.is(Breach::NothingForgotten) => Ok(()),
            answer => answer,
        }
    }
}
