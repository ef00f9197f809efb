//! The port that keeps files.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::id::Digest;
use crate::model::Artifact;
use crate::time::Timestamp;

/// Content that is put again counts as put anew where it was last put longer ago than this.
pub const RENEWED_AFTER: Duration = Duration::from_hours(1);

/// A file as it lies in the store, whatever its content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredArtifact {
    /// The digest it is kept under.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When it was last put, by the clock of the place where it lies.
    pub put_at: Timestamp,
}

/// Keeps immutable files by digest.
///
/// # Contract
/// 1. *Durable.* When `put` returns, the content survives a crash; a partial file is never visible under its digest.
/// 2. *Write once.* Putting the same content again is no error and gives the same artifact.
/// 3. *Sniffed.* The media type comes from the content, never from a name.
/// 4. *Checked.* `get` returns exactly the content; damaged content is `Corrupt`, a missing one `NotFound`.
/// 5. *Locate.* `contains` tells without reading the content.
/// 6. *Listed.* `list` returns what is kept under the digests that begin with a byte, by digest, and nothing else that lies
///    there.
/// 7. *Removed.* `remove` takes away what was last put before a time, and tells whether it did; what was put at that time
///    or later stays, and what is missing is no error.
/// 8. *Renewed.* Content that is put again was put then, for `list` and `remove`, or at most [`RENEWED_AFTER`] before:
///    whoever has just put something may refer to it, however old it is.
#[async_trait]
pub trait ArtifactStore: fmt::Debug + Send + Sync + 'static {
    /// Stores content.
    async fn put(&self, content: Bytes) -> Result<Artifact>;

    /// Reads content.
    async fn get(&self, digest: Digest) -> Result<Bytes>;

    /// Tells whether content is there.
    async fn contains(&self, digest: Digest) -> Result<bool>;

    /// Lists what is kept under the digests whose first byte is `first`.
    async fn list(&self, first: u8) -> Result<Vec<StoredArtifact>>;

    /// Takes content away that was last put before a time.
    async fn remove(&self, digest: Digest, before: Timestamp) -> Result<bool>;

    /// Says where it is, without credentials.
    fn location(&self) -> String;
}
