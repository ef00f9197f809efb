//! The names of items, asked for once each.

use std::collections::HashMap;

use pipeline_core::ErrorKind;
use pipeline_core::id::ItemId;
use pipeline_engine::Engine;

use crate::output::Failure;

/// So many names are remembered at once.
const MOST: usize = 50_000;

/// Knows items by their names.
pub(super) struct Names<'e> {
    engine: &'e Engine,
    known: HashMap<ItemId, String>,
}

impl<'e> Names<'e> {
    /// Knows nobody yet.
    pub(super) fn of(engine: &'e Engine) -> Self {
        Self { engine, known: HashMap::new() }
    }

    /// Returns the place and name of an item, such as `#3.1 red sunset`; its id when it is there no more.
    pub(super) async fn name(&mut self, item: ItemId) -> Result<String, Failure> {
        if let Some(name) = self.known.get(&item) {
            return Ok(name.clone());
        }
        let name = match self.engine.store().item(item).await {
            Ok(record) => {
                let variation = if record.parent.is_some() { format!(".{}", record.slot + 1) } else { String::new() };
                format!("#{}{variation} {}", record.ordinal + 1, record.name)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => item.to_string(),
            Err(error) => return Err(error.into()),
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(item, name.clone());
        Ok(name)
    }
}
