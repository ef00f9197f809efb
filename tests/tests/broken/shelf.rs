//! An artifact store that keeps all of its contract but what is broken, around the one in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::Digest;
use pipeline_core::model::{Artifact, MediaType};
use pipeline_core::storage::ArtifactStore;
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
}

impl BrokenShelf {
    fn damaged(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ArtifactStore for BrokenShelf {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let digest = Digest::of(&content);
        let there = self.store.contains(digest).await?;
        let mut artifact = self.store.put(content).await?;
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

    fn location(&self) -> String {
        self.store.location()
    }
}

fn shelf(breach: Option<Breach>) -> Shelf {
    let store = BrokenShelf { store: Artifacts::memory(), breach, damaged: Arc::default() };
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
        a_file_that_a_crash_takes = PutLost, also artifact_5_locate;
        a_file_of_which_the_first_part_is_kept = FirstPartOnly;
    }
    artifact_2_write_once {
        a_second_put_that_is_refused = SecondPutRefused;
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
        everything_is_there = EverythingThere;
        a_look_that_reads = LocateReads;
    }
}
