//! Requests and settings kept under names.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{SavedBody, SavedKind, SavedRecord, TemplateKeeper};

use super::store::MemoryStore;

#[async_trait]
impl TemplateKeeper for MemoryStore {
    async fn save(&self, owner: &str, name: &str, body: SavedBody, replace: bool) -> Result<SavedRecord> {
        let saved_at = self.time();
        self.with(|state| {
            let key = (body.kind(), owner.to_owned(), name.to_owned());
            if !replace && state.saved.contains_key(&key) {
                return Err(Error::conflict("the name is taken").with("kind", key.0).with("name", name));
            }
            let record = SavedRecord { owner: owner.to_owned(), name: name.to_owned(), saved_at, body };
            state.saved.insert(key, record.clone());
            Ok(record)
        })
    }

    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord> {
        let key = (kind, owner.to_owned(), name.to_owned());
        self.with(|state| state.saved.get(&key).cloned().ok_or_else(|| missing(kind, name)))
    }

    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>> {
        self.with(|state| {
            let wanted =
                |record: &&SavedRecord| record.body.kind() == kind && owner.is_none_or(|owner| record.owner == owner);
            let mut records: Vec<SavedRecord> = state.saved.values().filter(wanted).cloned().collect();
            records.sort_by(|one, two| (&one.name, &one.owner).cmp(&(&two.name, &two.owner)));
            Ok(records)
        })
    }

    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()> {
        let key = (kind, owner.to_owned(), name.to_owned());
        self.with(|state| state.saved.remove(&key).map(drop).ok_or_else(|| missing(kind, name)))
    }
}

fn missing(kind: SavedKind, name: &str) -> Error {
    Error::not_found("nothing is saved under this name").with("kind", kind).with("name", name)
}
