//! Broken names and fingerprints.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{Digest, ItemId, JobId};
use pipeline_core::storage::{FingerprintMark, NameRequest, Registry, TakeOver};

use super::store::{Breach, Broken};

#[async_trait]
impl Registry for Broken {
    async fn reserve_name(&self, mut request: NameRequest) -> Result<bool> {
        let name = (request.scope.clone(), request.name.to_lowercase());
        let (item, look) = (request.item, request.only_if_mine);
        let owner = self.notes().names.get(&name).copied();
        match self.breach {
            Some(Breach::AsciiCaseOnly) => {
                // As a digest, so that the memory store does not forget the case of the rest.
                request.name = Digest::of(request.name.to_ascii_lowercase().as_bytes()).to_hex();
            }
            Some(Breach::LookReserves) => request.only_if_mine = false,
            Some(Breach::FolderIgnored) => request.scope.clear(),
            Some(Breach::NameLookedUpBefore) => tokio::task::yield_now().await,
            Some(Breach::SecondRequestRefused) if owner == Some(item) && !look => return Ok(false),
            Some(Breach::NamesLost) if self.reopened => request.scope.push_str("/after"),
            Some(Breach::SiblingTakesOver) => request.job = JobId::from_uuid(request.item.as_uuid()),
            Some(Breach::TakeOverIgnored) => request.take_over = TakeOver::Nobody,
            Some(Breach::EndedIsAnyOtherJob) if request.take_over == TakeOver::Ended => {
                (request.take_over, request.job) = (TakeOver::OtherJobs, JobId::from_uuid(request.item.as_uuid()));
            }
            _ => {}
        }
        let mine = self.store.reserve_name(request).await?;
        if mine {
            self.notes().names.insert(name, item);
        }
        Ok(mine || (self.is(Breach::NameLookedUpBefore) && owner.is_none() && !look))
    }

    async fn mark_fingerprint(&self, mut mark: FingerprintMark) -> Result<Option<ItemId>> {
        let (item, seen) = (mark.item, self.notes().marked.len());
        match self.breach {
            Some(Breach::DistanceIgnored) => mark.max_distance = 0,
            Some(Breach::MarksOfAllJobs) => mark.job = JobId::from_uuid(uuid::Uuid::nil()),
            Some(Breach::MarkLookedUpBefore) => tokio::task::yield_now().await,
            _ => {}
        }
        let found = self.store.mark_fingerprint(mark.clone()).await?;
        if found.is_none() {
            self.notes().marked.push(item);
        }
        match (self.breach, found) {
            (Some(Breach::RefusedMarkStored), Some(_)) => {
                self.store.mark_fingerprint(FingerprintMark { max_distance: 0, ..mark }).await?;
            }
            (Some(Breach::MarkLookedUpBefore), Some(other)) => {
                let notes = self.notes();
                return Ok(found.filter(|_| !notes.marked.iter().skip(seen).any(|marked| *marked == other)));
            }
            _ => {}
        }
        Ok(found)
    }
}
