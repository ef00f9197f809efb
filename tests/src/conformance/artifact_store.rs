//! The clauses of `ArtifactStore`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pipeline_core::ErrorKind;
use pipeline_core::id::Digest;
use pipeline_core::model::MediaType;
use pipeline_core::storage::{ArtifactStore, StoredArtifact};
use pipeline_core::time::Timestamp;

/// A fresh artifact store under test.
pub struct Shelf {
    /// The store under test.
    pub store: Arc<dyn ArtifactStore>,
    again: Arc<dyn ArtifactStore>,
    damage: Option<Damage>,
    litter: Option<Litter>,
    _guard: Box<dyn Any + Send + Sync>,
}

/// Spoils the stored content of a digest.
type Damage = Box<dyn Fn(Digest) + Send + Sync>;

/// Lays something that is no artifact beside a digest's content.
type Litter = Box<dyn Fn(Digest) + Send + Sync>;

/// The clocks of the places where files lie differ from ours by less than this.
const SKEW: Duration = Duration::from_secs(10);

/// How long a store may take to show that something was put again: some tell times in whole seconds.
const PATIENCE: Duration = Duration::from_secs(5);

impl Shelf {
    /// Puts a store on the shelf, with another one on the same data; `guard` is dropped with them. Both are to take what
    /// is put again for put anew at once.
    pub fn new(store: impl ArtifactStore, again: impl ArtifactStore, guard: impl Any + Send + Sync) -> Self {
        Self { store: Arc::new(store), again: Arc::new(again), damage: None, litter: None, _guard: Box::new(guard) }
    }

    /// Says how to spoil stored content; without it damage is not tested.
    pub fn damaged_by(mut self, damage: impl Fn(Digest) + Send + Sync + 'static) -> Self {
        self.damage = Some(Box::new(damage));
        self
    }

    /// Says how to lay something else beside stored content; without it nothing else is there.
    pub fn littered_by(mut self, litter: impl Fn(Digest) + Send + Sync + 'static) -> Self {
        self.litter = Some(Box::new(litter));
        self
    }

    async fn listed(&self, digest: Digest) -> Option<StoredArtifact> {
        let first = u8::from_str_radix(&digest.to_hex()[..2], 16).unwrap();
        self.store.list(first).await.unwrap().into_iter().find(|listed| listed.digest == digest)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("store", &self.store).finish_non_exhaustive()
    }
}

/// When `put` returns, the content is there for everyone.
pub async fn artifact_1_durable(shelf: &Shelf) {
    let content = Bytes::from(vec![7; 3_000_000]);
    let artifact = shelf.store.put(content.clone()).await.unwrap();
    assert_eq!((artifact.digest, artifact.size), (Digest::of(&content), 3_000_000));
    assert_eq!(shelf.again.get(artifact.digest).await.unwrap(), content);
    assert!(!shelf.store.location().is_empty());
}

/// Putting the same content again is no error and gives the same artifact, even at the same time.
pub async fn artifact_2_write_once(shelf: &Shelf) {
    let content = Bytes::from_static(b"the same");
    let (one, two) = tokio::join!(shelf.store.put(content.clone()), shelf.again.put(content.clone()));
    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert_eq!(shelf.store.put(content.clone()).await.unwrap(), one);
    assert_eq!(shelf.store.get(one.digest).await.unwrap(), content);
}

/// The media type comes from the content.
pub async fn artifact_3_sniffed(shelf: &Shelf) {
    for (content, kind) in [
        (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], MediaType::Png),
        (b"{\"a\":1}", MediaType::Json),
        (b"hello", MediaType::Text),
        (b"\0\x01\x02\xff", MediaType::Binary),
    ] {
        assert_eq!(shelf.store.put(Bytes::from_static(content)).await.unwrap().media_type, kind);
    }
}

/// `get` returns exactly the content; a missing one is `NotFound`, a damaged one `Corrupt` until it is put again.
pub async fn artifact_4_checked(shelf: &Shelf) {
    let missing = shelf.store.get(Digest::of(b"missing")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    for content in [Bytes::new(), Bytes::from_static(b"exactly this")] {
        let artifact = shelf.store.put(content.clone()).await.unwrap();
        assert_eq!(shelf.store.get(artifact.digest).await.unwrap(), content);
    }
    let content = Bytes::from_static(b"exactly this");
    let digest = Digest::of(&content);
    if let Some(damage) = &shelf.damage {
        damage(digest);
        assert_eq!(shelf.store.get(digest).await.unwrap_err().kind(), ErrorKind::Corrupt);
        shelf.store.put(content.clone()).await.unwrap();
        assert_eq!(shelf.store.get(digest).await.unwrap(), content);
    }
}

/// `contains` tells without reading the content.
pub async fn artifact_5_locate(shelf: &Shelf) {
    let digest = Digest::of(b"here");
    assert!(!shelf.store.contains(digest).await.unwrap());
    shelf.store.put(Bytes::from_static(b"here")).await.unwrap();
    assert!(shelf.again.contains(digest).await.unwrap());
    if let Some(damage) = &shelf.damage {
        damage(digest);
        assert!(shelf.store.contains(digest).await.unwrap(), "it read the content");
    }
}

/// `list` returns what is kept under a first byte, by digest, and nothing else.
pub async fn artifact_6_listed(shelf: &Shelf) {
    let before = now();
    let mut kept = Vec::new();
    for number in 0_u32..600 {
        let content = Bytes::from(vec![7; number as usize + 1]);
        kept.push(StoredArtifact { digest: Digest::of(&content), size: content.len() as u64, put_at: before });
        shelf.store.put(content).await.unwrap();
    }
    kept.sort_by_key(|kept| kept.digest);
    if let Some(litter) = &shelf.litter {
        kept.iter().take(3).for_each(|kept| litter(kept.digest));
    }
    let mut listed = Vec::new();
    for first in 0..=u8::MAX {
        let some = shelf.again.list(first).await.unwrap();
        assert!(some.iter().all(|listed| listed.digest.to_hex().starts_with(&format!("{first:02x}"))), "{some:?}");
        listed.extend(some);
    }
    let after = now().after(SKEW);
    for (listed, kept) in listed.iter().zip(&kept) {
        assert_eq!((listed.digest, listed.size), (kept.digest, kept.size));
        assert!(before < listed.put_at.after(SKEW) && listed.put_at < after, "{listed:?}");
    }
    assert_eq!(listed.len(), kept.len());
}

/// `remove` takes away what was put before a time, and nothing younger; what is missing is no error.
pub async fn artifact_7_removed(shelf: &Shelf) {
    let content = Bytes::from_static(b"to be removed");
    let digest = shelf.store.put(content.clone()).await.unwrap().digest;
    let other = shelf.store.put(Bytes::from_static(b"to be kept")).await.unwrap().digest;
    let put_at = shelf.listed(digest).await.unwrap().put_at;
    assert!(!shelf.store.remove(digest, put_at).await.unwrap(), "it was put at that time, not before");
    assert_eq!(shelf.store.get(digest).await.unwrap(), content);
    assert!(shelf.store.remove(digest, put_at.after(Duration::from_micros(1))).await.unwrap());
    assert!(!shelf.again.contains(digest).await.unwrap());
    assert_eq!(shelf.listed(digest).await, None);
    assert!(!shelf.store.remove(digest, now().after(SKEW)).await.unwrap(), "it is gone already");
    assert!(shelf.store.contains(other).await.unwrap());
    shelf.store.put(content.clone()).await.unwrap();
    assert_eq!(shelf.again.get(digest).await.unwrap(), content);
}

/// What is put again is young again: who removes by what was there before takes nothing away.
pub async fn artifact_8_renewed(shelf: &Shelf) {
    let content = Bytes::from_static(b"put again");
    let digest = shelf.store.put(content.clone()).await.unwrap().digest;
    let first = shelf.listed(digest).await.unwrap().put_at;
    // A removal that has begun takes all that was put up to then.
    let before = first.after(Duration::from_micros(1));
    let end = SystemTime::now() + PATIENCE;
    while shelf.listed(digest).await.unwrap().put_at < before {
        assert!(SystemTime::now() < end, "what was put again is as old as before");
        assert_eq!(shelf.again.put(content.clone()).await.unwrap().digest, digest);
    }
    assert!(!shelf.store.remove(digest, before).await.unwrap(), "somebody has just put it");
    assert_eq!(shelf.store.get(digest).await.unwrap(), content);
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}
