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
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::Digest;
use pipeline_core::model::Artifact;
use pipeline_core::storage::ArtifactStore;

use super::s3::{self, Address, S3Options};
use super::{fault, sniff};

/// Keeps files by digest, in a folder, in a bucket of S3 or in memory. Cheap to clone; clones share everything.
///
/// The object of digest `abcd…` is `ab/cd/abcd…`, 64 hexadecimal digits, in S3 after the prefix.
#[derive(Clone)]
pub struct Artifacts {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
    classify: Classify,
}

/// Makes an error of one of the objects, of what was done and where.
type Classify = fn(object_store::Error, &'static str, &str) -> Error;

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
        Ok(Self { objects: Arc::new(objects), prefix: Path::default(), location, classify: fault::classify })
    }

    /// Keeps files in a bucket: `s3://BUCKET/PREFIX`. Nobody is asked before the first file.
    ///
    /// Keys come from the environment or from the instance, never from the address; see [`S3Options`]. The bucket must be
    /// there. A file is never changed, so that many machines may share a prefix; nothing ever lists the bucket.
    ///
    /// # Errors
    /// `Invalid` when the address, the endpoint or the variables are wrong.
    pub fn s3(url: &str, options: &S3Options) -> Result<Self> {
        let address = Address::parse(url)?;
        let objects = s3::open(&address, options)?;
        let location = address.to_string();
        let classify: Classify = |error, doing, location| s3::classify(&error, doing, location);
        Ok(Self { objects: Arc::new(objects), prefix: address.prefix, location, classify })
    }

    /// Checks the address for [`Artifacts::s3`], and nothing else.
    ///
    /// # Errors
    /// `Invalid`, which repeats nothing that may be a secret.
    pub fn check_s3(url: &str) -> Result<()> {
        Address::parse(url).map(drop)
    }

    /// Keeps files as long as the process lives.
    pub fn memory() -> Self {
        let (objects, location) = (Arc::new(InMemory::new()), "memory".to_owned());
        Self { objects, prefix: Path::default(), location, classify: fault::classify }
    }

    fn key(&self, digest: Digest) -> Path {
        let hex = digest.to_hex();
        let (first, rest) = hex.split_at(2);
        let (second, _) = rest.split_at(2);
        self.prefix.parts().chain([first, second, &hex].map(Into::into)).collect()
    }

    async fn write(&self, key: &Path, content: &Bytes, mode: PutMode) -> object_store::Result<()> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.objects.put_opts(key, PutPayload::from_bytes(content.clone()), options).await.map(drop)
    }

    fn fault(&self, error: object_store::Error, doing: &'static str) -> Error {
        (self.classify)(error, doing, &self.location)
    }
}

#[async_trait]
impl ArtifactStore for Artifacts {
    async fn put(&self, content: Bytes) -> Result<Artifact> {
        let digest = Digest::of(&content);
        let key = self.key(digest);
        match self.write(&key, &content, PutMode::Create).await {
            Ok(()) => {}
            // There already; when that is damaged this is the moment to repair it.
            Err(object_store::Error::AlreadyExists { .. }) => {
                if let Err(error) = self.get(digest).await {
                    // A store that cannot be read now is not one with a damaged file. Missing is what S3 lets somebody see
                    // whose neighbour is about to write the same.
                    if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) {
                        return Err(error);
                    }
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
        let found = self.objects.get(&self.key(digest)).await.map_err(fault)?;
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
        match self.objects.head(&self.key(digest)).await {
            Ok(_) => Ok(true),
            Err(error) => match self.fault(error, "cannot look for an artifact") {
                error if error.kind() == ErrorKind::NotFound => Ok(false),
                error => Err(error.with("digest", digest)),
            },
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
