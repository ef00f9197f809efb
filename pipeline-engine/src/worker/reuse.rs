//! Answers that earlier jobs have to the same request, taken instead of making a call.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use pipeline_core::id::{CallId, ItemId};
use pipeline_core::model::Artifact;
use pipeline_core::stage::{Answer, CallSpec};
use pipeline_core::storage::{CallRecord, Mention};
use pipeline_core::{ErrorKind, Result};

use super::calls::Caller;

impl Caller {
    /// Returns the answer some job of the same owner has to exactly this request, in the names of these items, and the call
    /// it is from. Only a first try asks: a person who begins another round wants the work done again, and what has gone
    /// wrong with an answer goes wrong again.
    pub(super) async fn reuse(&self, spec: &CallSpec) -> Result<Option<(Answer, CallId)>> {
        if self.cache.is_off() || (spec.round, spec.attempt) != (1, 1) {
            return Ok(None);
        }
        let Some(call) = self.shared.store.answered(self.job, spec.request).await? else { return Ok(None) };
        let Some(mut response) = call.response.clone().filter(|_| call.items.len() == spec.items.len()) else {
            return Ok(None);
        };
        if !self.complete(&call, &mut response).await? || !self.renew(&response).await? {
            return Ok(None);
        }
        rename(&mut response, &call.items.iter().copied().zip(spec.items.iter().copied()).collect());
        Ok(Some((Answer { response, cost: None, external_id: None }, call.id)))
    }

    /// Puts the files that were downloaded after the answer where the answer has only a reference, which may have expired:
    /// an entry that names an item and has no `artifact` gets the file its item has kept. Tells whether nothing is left open.
    async fn complete(&self, call: &CallRecord, response: &mut Value) -> Result<bool> {
        let Value::Array(entries) = response else { return Ok(true) };
        for entry in entries.iter_mut().filter(|entry| entry.get("artifact").is_some_and(Value::is_null)) {
            let item = entry.get("item").and_then(Value::as_str).and_then(|text| text.parse::<ItemId>().ok());
            let kept = match item {
                Some(item) => self.kept(call, item).await?,
                None => None,
            };
            let (Some(kept), Some(entry)) = (kept, entry.as_object_mut()) else { return Ok(false) };
            entry.insert("artifact".to_owned(), json!(kept));
        }
        Ok(true)
    }

    /// Returns the file the stage of a call has recorded for one of its items.
    async fn kept(&self, call: &CallRecord, item: ItemId) -> Result<Option<Artifact>> {
        let history = self.shared.store.history(item).await?;
        let result = history.into_iter().rfind(|result| result.stage == call.stage && result.round == call.round);
        Ok(result.and_then(|result| result.files.into_values().next()))
    }

    /// Puts every file of an answer again, so that it stays while nothing of this job names it; tells whether all are there.
    async fn renew(&self, response: &Value) -> Result<bool> {
        let mention = Mention { id: uuid::Uuid::nil(), text: response.to_string() };
        for artifact in mention.artifacts() {
            let content = match self.shared.artifacts.get(artifact.digest).await {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => return Ok(false),
                content => content?,
            };
            // Another version may take it for something else.
            if self.shared.artifacts.put(content).await? != artifact {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Replaces the ids of the items an answer was for by those it is used for.
fn rename(value: &mut Value, names: &BTreeMap<ItemId, ItemId>) {
    match value {
        Value::String(text) => {
            if let Some(new) = text.parse::<ItemId>().ok().and_then(|id| names.get(&id)) {
                *text = new.to_string();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, names)),
        Value::Object(fields) => fields.values_mut().for_each(|value| rename(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_renamed_at_any_depth_and_nothing_else_is() {
        let id = |number: u128| ItemId::from_uuid(uuid::Uuid::from_u128(number));
        let (old, new, other) = (id(1), id(2), id(3));
        let mut value =
            json!([{ "item": old.to_string(), "more": [old.to_string(), other.to_string(), 7, "x"] }, null]);
        rename(&mut value, &BTreeMap::from([(old, new)]));
        let expected = json!([{ "item": new.to_string(), "more": [new.to_string(), other.to_string(), 7, "x"] }, null]);
        assert_eq!(value, expected);
    }
}
