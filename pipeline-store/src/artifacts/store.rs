//! The artifact store: one object a digest.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use pipeline_core::error::{Error, Result};
use pipeline_core::id::Digest;
use pipeline_core::model::Artifact;
use pipeline_core::storage::ArtifactStore;

use super::{fault, sniff};

/// Keeps files by digest, in a folder or in memory. Cheap to clone; clones share everything.
///
/// The object of digest `abcd…` is `ab/cd/abcd…`, 64 hexadecimal digits.
#[derive(Clone)]
pub struct Artifacts {
    objects: Arc<dyn ObjectStore>,
    location: String,
}

impl Artifacts {
    /// Keeps files in the folder at `path`, and makes it when missing. Every file is on the disk when `put` returns.
    ///
    /// # Errors
    /// `Unauthorized`, `Exhausted` or `Unavailable` when the folder cannot be made.
    pub fn directory(path: impl AsRef<FilePath>) -> Result<Self> {
        let path = path.as_ref();
        std::fs::create_dir_all(path).map_err(|error| fault::folder(error, path))?;
        let location = path.display().to_string();
        let objects = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| fault::classify(error, "cannot open the artifacts", &location))?
            .with_fsync(true);
        Ok(Self { objects: Arc::new(objects), location })
    }

    /// Keeps files as long as the process lives.
    pub fn memory() -> Self {
        Self { objects: Arc::new(InMemory::new()), location: "memory".to_owned() }
    }

    async fn write(&self, key: &Path, content: &Bytes, mode: PutMode) -> object_store::Result<()> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.objects.put_opts(key, PutPayload::from_bytes(content.clone()), options).await.map(drop)
    }

    fn fault(&self, error: object_store::Error, doing: &'static str) -> Error {
        fault::classify(error, doing, &self.location)
    }
}

#[async_trait]
impl ArtifactStore for Artifacts {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let digest = Digest::of(&content);
        let key = key(digest);
        match self.write(&key, &content, PutMode::Create).await {
            Ok(()) => {}
            // There already; when that is damaged this is the moment to repair it.
            Err(object_store::Error::AlreadyExists { .. }) => {
                if self.get(digest).await.is_err() {
                    tracing::warn!(%digest, "an artifact was damaged; it is written again");
                    let again = self.write(&key, &content, PutMode::Overwrite).await;
                    again.map_err(|error| self.fault(error, "cannot write an artifact"))?;
                }
            }
            Err(error) => return Err(self.fault(error, "cannot write an artifact")),
        }
        Ok(Artifact { digest, media_type: sniff::sniff(&content), size: content.len() as u64 })
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        let fault = |error| self.fault(error, "cannot read an artifact").with("digest", digest);
        let found = self.objects.get(&key(digest)).await.map_err(fault)?;
        let content = found.bytes().await.map_err(fault)?;
        if Digest::of(&content) == digest {
            Ok(content)
        } else {
            Err(Error::corrupt("an artifact is damaged: its content does not have its digest")
                .with("artifacts", &self.location)
                .with("digest", digest))
        }
    }

    async fn contains(&self, digest: Digest) -> Result<bool> {
        match self.objects.head(&key(digest)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.fault(error, "cannot look for an artifact").with("digest", digest)),
        }
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifacts").field("location", &self.location).finish_non_exhaustive()
    }
}

fn key(digest: Digest) -> Path {
    let hex = digest.to_hex();
    let (first, rest) = hex.split_at(2);
    let (second, _) = rest.split_at(2);
    Path::from_iter([first, second, &hex])
}
