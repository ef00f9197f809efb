//! Names of published files and fingerprints of pictures.

use std::collections::hash_map::Entry;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::ItemId;
use pipeline_core::storage::{FingerprintMark, NameRequest, Registry, TakeOver};

use super::store::MemoryStore;

#[async_trait]
impl Registry for MemoryStore {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        let owner = (request.job, request.item);
        self.with(|state| {
            Ok(match state.names.entry((request.scope, request.name.to_lowercase())) {
                Entry::Occupied(entry) if request.only_if_mine => entry.get().1 == request.item,
                Entry::Vacant(_) if request.only_if_mine => false,
                Entry::Vacant(entry) => {
                    entry.insert(owner);
                    true
                }
                Entry::Occupied(mut entry) => {
                    let (job, item) = *entry.get();
                    let free = match request.take_over {
                        TakeOver::Nobody => false,
                        TakeOver::Ended => state.items.get(&item).is_none_or(|item| item.record.status.is_terminal()),
                        TakeOver::OtherJobs => job != request.job,
                    };
                    if free {
                        entry.insert(owner);
                    }
                    entry.get().1 == request.item
                }
            })
        })
    }

    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>> {
        self.with(|state| {
            let marks = state.fingerprints.entry((mark.job, mark.scope)).or_default();
            let near = marks.iter().find(|(item, other)| {
                *item != mark.item && (other ^ mark.fingerprint).count_ones() <= mark.max_distance
            });
            if let Some((item, _)) = near {
                return Ok(Some(*item));
            }
            marks.retain(|(item, _)| *item != mark.item);
            marks.push((mark.item, mark.fingerprint));
            Ok(None)
        })
    }
}
