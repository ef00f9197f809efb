//! The artifact store: one object a digest.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::Digest;
use pipeline_core::model::Artifact;
use pipeline_core::storage::{ArtifactStore, RENEWED_AFTER, StoredArtifact};
use pipeline_core::time::{Clock as _, Timestamp};

use crate::SystemClock;

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
    renewed_after: Duration,
    /// The folder they are in, if it is one.
    folder: Option<PathBuf>,
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
        let folder = Some(path.to_path_buf());
        Ok(Self { folder, ..Self::over(Arc::new(objects), location, fault::classify) })
    }

    /// Keeps files in a bucket: `s3://BUCKET/PREFIX`. Nobody is asked before the first file.
    ///
    /// Keys come from the environment or from the instance, never from the address; see [`S3Options`]. The bucket must be
    /// there. A file is never changed, so that many machines may share a prefix; only `list` lists the bucket.
    ///
    /// # Errors
    /// `Invalid` when the address, the endpoint or the variables are wrong.
    pub fn s3(url: &str, options: &S3Options) -> Result<Self> {
        let address = Address::parse(url)?;
        let objects = s3::open(&address, options)?;
        let location = address.to_string();
        let classify: Classify = |error, doing, location| s3::classify(&error, doing, location);
        Ok(Self { prefix: address.prefix, ..Self::over(Arc::new(objects), location, classify) })
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
        Self::over(Arc::new(InMemory::new()), "memory".to_owned(), fault::classify)
    }

    fn over(objects: Arc<dyn ObjectStore>, location: String, classify: Classify) -> Self {
        Self { objects, prefix: Path::default(), location, classify, renewed_after: RENEWED_AFTER, folder: None }
    }

    /// Writes what is put again anew when it was last put longer ago than this, instead of after [`RENEWED_AFTER`].
    pub fn renewing_after(mut self, age: Duration) -> Self {
        self.renewed_after = age.min(RENEWED_AFTER);
        self
    }

    /// Returns where the file of a digest would lie, when files are kept in a folder.
    pub(crate) fn path_of(&self, digest: Digest) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(self.key(digest).as_ref()))
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

    async fn read(&self, digest: Digest) -> Result<(Bytes, Timestamp)> {
        let fault = |error| self.fault(error, "cannot read an artifact").with("digest", digest);
        let found = self.objects.get(&self.key(digest)).await.map_err(fault)?;
        let put_at = put_at(&found.meta);
        let content = found.bytes().await.map_err(fault)?;
        if Digest::of(&content) == digest {
            Ok((content, put_at))
        } else {
            Err(Error::corrupt("an artifact is damaged: its content does not have its digest")
                .with("artifacts", &self.location)
                .with("digest", digest))
        }
    }

    /// Writes content again that is there, where it is damaged or so old that somebody may be about to remove it.
    async fn put_again(&self, digest: Digest, content: &Bytes) -> Result<()> {
        match self.read(digest).await {
            Ok((_, put_at)) if put_at.after(self.renewed_after) > SystemClock.now() => return Ok(()),
            Ok(_) => {}
            // Missing is what S3 lets somebody see whose neighbour is about to write the same.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                tracing::warn!(%digest, "an artifact was damaged; it is written again");
            }
            // A store that cannot be read now is not one with a damaged file.
            Err(error) => return Err(error),
        }
        let again = self.write(&self.key(digest), content, PutMode::Overwrite).await;
        again.map_err(|error| self.fault(error, "cannot write an artifact"))
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
            Err(object_store::Error::AlreadyExists { .. }) => self.put_again(digest, &content).await?,
            Err(error) => return Err(self.fault(error, "cannot write an artifact")),
        }
        Ok(Artifact { digest, media_type: sniff::sniff(&content), size: content.len() as u64 })
    }

    async fn get(&self, digest: Digest) -> Result<Bytes> {
        self.read(digest).await.map(|(content, _)| content)
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

    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>> {
        let folder: Path = self.prefix.parts().chain([format!("{first:02x}").into()]).collect();
        let mut found = Vec::new();
        let mut objects = self.objects.list(Some(&folder));
        loop {
            let object = match objects.try_next().await {
                Ok(Some(object)) => object,
                Ok(None) => break,
                // Removed by somebody else while it was listed.
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(self.fault(error, "cannot list the artifacts")),
            };
            let digest = object.location.filename().and_then(|name| name.parse().ok());
            // What lies elsewhere under such a name is none of ours.
            if let Some(digest) = digest.filter(|digest| self.key(*digest) == object.location) {
                found.push(StoredArtifact { digest, size: object.size, put_at: put_at(&object) });
            }
        }
        found.sort_unstable_by_key(|object| object.digest);
        Ok(found)
    }

    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool> {
        let key = self.key(digest);
        let gone = |error| match self.fault(error, "cannot remove an artifact") {
            error if error.kind() == ErrorKind::NotFound => Ok(false),
            error => Err(error.with("digest", digest)),
        };
        match self.objects.head(&key).await {
            Ok(object) if put_at(&object) >= before => return Ok(false),
            Ok(_) => {}
            Err(error) => return gone(error),
        }
        match self.objects.delete(&key).await {
            Ok(()) => Ok(true),
            Err(error) => gone(error),
        }
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}

fn put_at(object: &ObjectMeta) -> Timestamp {
    Timestamp::from_micros(object.last_modified.timestamp_micros())
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifacts").field("location", &self.location).finish_non_exhaustive()
    }
}
