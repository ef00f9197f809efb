//! The port that keeps files.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::id::Digest;
use crate::model::Artifact;

/// Keeps immutable files by digest.
///
/// # Contract
/// 1. *Durable.* When `put` returns, the content survives a crash; a partial file is never visible under its digest.
/// 2. *Write once.* Putting the same content again is no error and gives the same artifact.
/// 3. *Sniffed.* The media type comes from the content, never from a name.
/// 4. *Checked.* `get` returns exactly the content; damaged content is `Corrupt`, a missing one `NotFound`.
/// 5. *Locate.* `contains` tells without reading the content.
#[async_trait]
pub trait ArtifactStore: fmt::Debug + Send + Sync + 'static {
    /// Stores content.
    async fn put(&self, content: Bytes) -> Result<Artifact>;

    /// Reads content.
    async fn get(&self, digest: Digest) -> Result<Bytes>;

    /// Tells whether content is there.
    async fn contains(&self, digest: Digest) -> Result<bool>;

    /// Says where it is, without credentials.
    fn location(&self) -> String;
}
