//! The clauses of `ArtifactStore`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use pipeline_core::ErrorKind;
use pipeline_core::id::Digest;
use pipeline_core::model::MediaType;
use pipeline_core::storage::ArtifactStore;

/// A fresh artifact store under test.
pub struct Shelf {
    /// The store under test.
    pub store: Arc<dyn ArtifactStore>,
    again: Arc<dyn ArtifactStore>,
    damage: Option<Damage>,
    _guard: Box<dyn Any + Send + Sync>,
}

/// Spoils the stored content of a digest.
type Damage = Box<dyn Fn(Digest) + Send + Sync>;

impl Shelf {
    /// Puts a store on the shelf, with another one on the same data; `guard` is dropped with them.
    pub fn new(store: impl ArtifactStore, again: impl ArtifactStore, guard: impl Any + Send + Sync) -> Self {
        Self { store: Arc::new(store), again: Arc::new(again), damage: None, _guard: Box::new(guard) }
    }

    /// Says how to spoil stored content; without it damage is not tested.
    pub fn damaged_by(mut self, damage: impl Fn(Digest) + Send + Sync + 'static) -> Self {
        self.damage = Some(Box::new(damage));
        self
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
