//! Small copies of pictures: made once, found again, and never a damaged one.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::engine::{Engine, Thumbnails};
use pipeline::providers::local::image::{LocalImageProcessor, Picture, decode_rgb_thumbnail, encode};
use pipeline::store::{Artifacts, MemoryStore};
use pipeline_core::id::Digest;
use pipeline_core::model::MediaType;
use pipeline_core::provider::{
    Dimensions, ImageFile, ImageInfo, ImageProcessor, ProcessRequest, ProcessResponse, ProviderInfo,
};
use pipeline_core::time::Timestamp;
use pipeline_core::{ErrorKind, Result};

/// Counts what it is asked to make.
#[derive(Clone, Debug, Default)]
struct Counting {
    inner: LocalImageProcessor,
    made: Arc<AtomicUsize>,
}

#[async_trait]
impl ImageProcessor for Counting {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    async fn inspect(&self, image: ImageFile) -> Result<ImageInfo> {
        self.inner.inspect(image).await
    }

    async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.inner.process(request).await
    }
}

/// A picture that is kept, an engine, and a folder for copies.
struct Place {
    engine: Engine,
    made: Arc<AtomicUsize>,
    folder: tempfile::TempDir,
    picture: Digest,
}

impl Place {
    async fn new() -> Self {
        let counting = Counting::default();
        let made = Arc::clone(&counting.made);
        let engine = Engine::builder().store(MemoryStore::new()).artifacts(Artifacts::memory());
        let engine = engine.provider("image", counting).build().unwrap();
        let pixels = (0..400 * 200_u32).flat_map(|n| [n as u8, (n / 400) as u8, 90, 128]).collect();
        let picture = Picture::rgba(Dimensions { width: 400, height: 200 }, pixels).unwrap();
        let file = encode(&picture, MediaType::Png, 90).unwrap();
        let picture = engine.artifacts().put(file.bytes).await.unwrap().digest;
        Self { engine, made, folder: tempfile::tempdir().unwrap(), picture }
    }

    fn thumbnails(&self) -> Thumbnails {
        self.engine.thumbnails("image", self.folder.path()).unwrap()
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_copy_is_made_once_for_each_side_and_found_again_by_another_engine() {
    let place = Place::new().await;
    let first = place.thumbnails().of(place.picture, 100).await.unwrap();
    let (width, height, _) = decode_rgb_thumbnail(&first, 1000).unwrap();
    assert_eq!((width, height, first.starts_with(b"\xff\xd8")), (100, 50, true));
    assert_eq!(place.thumbnails().of(place.picture, 100).await.unwrap(), first);
    assert_eq!(place.made(), 1);
    place.thumbnails().of(place.picture, 64).await.unwrap();
    assert_eq!((place.made(), files(place.folder.path()).len()), (2, 2));
    // A picture that is smaller is not made larger.
    let whole = place.thumbnails().of(place.picture, 1024).await.unwrap();
    assert_eq!(decode_rgb_thumbnail(&whole, 2000).unwrap().0, 400);
}

#[tokio::test]
async fn a_copy_that_is_damaged_or_cut_off_is_made_anew() {
    let place = Place::new().await;
    let good = place.thumbnails().of(place.picture, 100).await.unwrap();
    let path = files(place.folder.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[300] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &whole[..30], b"", &flipped] {
        std::fs::write(&path, damaged).unwrap();
        let before = place.made();
        assert_eq!(place.thumbnails().of(place.picture, 100).await.unwrap(), good);
        assert_eq!((place.made(), std::fs::read(&path).unwrap() == whole), (before + 1, true));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_only_costs_the_work() {
    let place = Place::new().await;
    let taken = place.folder.path().join("taken");
    std::fs::write(&taken, "a file").unwrap();
    let thumbnails = place.engine.thumbnails("image", taken).unwrap();
    let first = thumbnails.of(place.picture, 100).await.unwrap();
    assert_eq!((thumbnails.of(place.picture, 100).await.unwrap(), place.made()), (first, 2));
}

#[tokio::test]
async fn what_cannot_be_made_says_why() {
    let place = Place::new().await;
    let side = place.thumbnails().of(place.picture, 9).await.unwrap_err();
    assert!(side.to_string().contains("accepted=16 to 1024 pixels"), "{side}");
    let gone = place.thumbnails().of(Digest::of(b"nothing"), 100).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let text = place.engine.artifacts().put(Bytes::from_static(b"words")).await.unwrap();
    assert_eq!(place.thumbnails().of(text.digest, 100).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(place.engine.thumbnails("nobody", "x").unwrap_err().to_string().contains("accepted=image"));
}

#[tokio::test]
async fn a_sweep_takes_the_copies_of_what_is_gone_and_no_other() {
    let place = Place::new().await;
    let other = encode(&Picture::rgb(Dimensions { width: 1, height: 1 }, vec![9; 3]).unwrap(), MediaType::Png, 90);
    let other = place.engine.artifacts().put(other.unwrap().bytes).await.unwrap().digest;
    for picture in [place.picture, other] {
        place.thumbnails().of(picture, 100).await.unwrap();
    }
    assert_eq!(place.thumbnails().sweep().await.unwrap(), 0);
    assert!(place.engine.artifacts().remove(other, Timestamp::from_micros(i64::MAX)).await.unwrap());
    assert_eq!((place.thumbnails().sweep().await.unwrap(), files(place.folder.path()).len()), (1, 1));
}
