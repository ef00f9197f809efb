//! An artifact store that keeps all of its contract but what is broken, around the one in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::Digest;
use pipeline_core::model::{Artifact, MediaType};
use pipeline_core::storage::{ArtifactStore, StoredArtifact};
use pipeline_core::time::Timestamp;
use pipeline_store::Artifacts;
use pipeline_testkit::conformance::{ARTIFACT_CLAUSES, Shelf};

/// So much of a file is written in one go.
const PART: usize = 1 << 20;

/// A store of files in memory with a breach, which can be damaged.
#[derive(Clone, Debug)]
struct BrokenShelf {
    store: Artifacts,
    breach: Option<Breach>,
    damaged: Arc<Mutex<BTreeSet<Digest>>>,
    /// What is only said to be removed.
    removed: Arc<Mutex<BTreeSet<Digest>>>,
}

impl BrokenShelf {
    fn damaged(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn removed(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ArtifactStore for BrokenShelf {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let digest = Digest::of(&content);
        let there = self.store.contains(digest).await?;
        let mut artifact = self.store.put(content).await?;
        self.removed().remove(&digest);
        let repaired = self.breach != Some(Breach::DamageNotRepaired) && self.damaged().remove(&digest);
        match self.breach {
            Some(Breach::SecondPutRefused) if there && !repaired => Err(Error::conflict("the file is there already")),
            Some(Breach::NothingSniffed) => {
                artifact.media_type = MediaType::Binary;
                Ok(artifact)
            }
            _ => Ok(artifact),
        }
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        let content = match self.store.get(digest).await {
            Err(_) if self.breach == Some(Breach::MissingIsEmpty) => return Ok(Bytes::new()),
            Ok(content) if self.breach == Some(Breach::FirstPartOnly) => Ok(content.slice(..content.len().min(PART))),
            content => content,
        };
        if !self.damaged().contains(&digest) {
            content
        } else if self.breach == Some(Breach::DamageBelieved) {
            Ok(Bytes::from_static(b"spoiled"))
        } else {
            Err(Error::corrupt("the file is damaged"))
        }
    }

    async fn contains(&self, digest: Digest) -> Result<bool> {
        match self.breach {
            Some(Breach::EverythingThere) => Ok(true),
            Some(Breach::LocateReads) => Ok(self.get(digest).await.is_ok()),
            _ => self.store.contains(digest).await,
        }
    }

    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>> {
        let mut found = self.store.list(first).await?;
        found.retain(|found| !self.removed().contains(&found.digest));
        match self.breach {
            Some(Breach::ListOfTheFirstPage) => found.truncate(2),
            Some(Breach::ListBackwards) => found.reverse(),
            Some(Breach::SizesNotTold) => found.iter_mut().for_each(|found| found.size = 0),
            Some(Breach::ListOfAnotherByte) => found = self.store.list(first.wrapping_add(1)).await?,
            _ => {}
        }
        Ok(found)
    }

    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool> {
        match self.breach {
            Some(Breach::YoungRemoved) => self.store.remove(digest, Timestamp::from_micros(i64::MAX)).await,
            Some(Breach::RemovedAtItsTime) => self.store.remove(digest, before.after(Duration::from_micros(1))).await,
            Some(Breach::RemovedIsThere) => {
                let there = self.store.contains(digest).await? && !self.removed().contains(&digest);
                let first = u8::from_str_radix(&digest.to_hex()[..2], 16).unwrap_or_default();
                let young = |found: &StoredArtifact| found.digest == digest && found.put_at >= before;
                if !there || self.list(first).await?.iter().any(young) {
                    return Ok(false);
                }
                Ok(self.removed().insert(digest))
            }
            Some(Breach::MissingNotRemoved) if !self.store.contains(digest).await? => {
                Err(Error::not_found("there is no such file"))
            }
            _ => self.store.remove(digest, before).await,
        }
    }

    fn location(&self) -> String {
        self.store.location()
    }
}

fn shelf(breach: Option<Breach>) -> Shelf {
    // A file that was there for an upload that is still open is as old as before.
    let age = if breach == Some(Breach::OpenUploadIsOld) { Duration::MAX } else { Duration::ZERO };
    let files = Artifacts::memory().renewing_after(age);
    let store = BrokenShelf { store: files, breach, damaged: Arc::default(), removed: Arc::default() };
    let mut again = store.clone();
    if breach == Some(Breach::PutLost) {
        again.store = Artifacts::memory();
    }
    let damaged = store.clone();
    Shelf::new(store, again, ()).damaged_by(move |digest| {
        damaged.damaged().insert(digest);
    })
}

crate::breaches::breaches! {
    Breach of ARTIFACT_CLAUSES, in shelf;
    artifact_1_durable {
        a_file_that_a_crash_takes = PutLost,
            also artifact_5_locate, artifact_6_listed, artifact_7_removed, artifact_8_renewed;
        a_file_of_which_the_first_part_is_kept = FirstPartOnly;
    }
    artifact_2_write_once {
        a_second_put_that_is_refused = SecondPutRefused, also artifact_8_renewed;
    }
    artifact_3_sniffed {
        every_file_is_binary = NothingSniffed;
    }
    artifact_4_checked {
        a_damaged_file_that_is_returned = DamageBelieved;
        a_missing_file_that_is_empty = MissingIsEmpty;
        a_damaged_file_that_is_not_repaired = DamageNotRepaired;
    }
    artifact_5_locate {
        everything_is_there = EverythingThere, also artifact_7_removed;
        a_look_that_reads = LocateReads;
    }
    artifact_6_listed {
        a_list_of_the_first_few = ListOfTheFirstPage;
        a_list_backwards = ListBackwards;
        a_list_without_sizes = SizesNotTold;
        a_list_of_another_byte = ListOfAnotherByte, also artifact_7_removed, artifact_8_renewed;
    }
    artifact_7_removed {
        a_file_younger_than_an_open_upload_that_is_removed = YoungRemoved, also artifact_8_renewed;
        a_file_put_at_the_time_that_is_removed = RemovedAtItsTime;
        a_removed_file_that_is_there = RemovedIsThere;
        a_missing_file_that_cannot_be_removed = MissingNotRemoved;
    }
    artifact_8_renewed {
        a_file_put_again_that_is_as_old_as_before = OpenUploadIsOld;
    }
}
