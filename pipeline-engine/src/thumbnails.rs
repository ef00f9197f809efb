//! Small copies of pictures, for looking at: made once and found again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pipeline_core::id::Digest;
use pipeline_core::model::MediaType;
use pipeline_core::provider::{
    Anchor, Encoding, ImageFile, ImageProcessor, OutputFormat, ProcessRequest, ProcessStep, ResizeFit, ResizeKernel,
};
use pipeline_core::stage::Providers as _;
use pipeline_core::storage::ArtifactStore;
use pipeline_core::{Error, Result};
use tokio::task::spawn_blocking;

use crate::engine::Engine;

/// The quality of the copies, 1 to 100.
const QUALITY: u8 = 82;
/// The least and the greatest longest side of a copy.
const SIDES: (u32, u32) = (16, 1024);
/// How many hexadecimal digits a digest has.
const DIGEST: usize = 64;

/// Makes small copies of artifacts that are pictures. Cheap to clone.
///
/// A copy is a JPEG on white, upright, without metadata. It is kept in a folder beside the artifacts, under the digest of
/// the picture and the side: whoever asks again, in whichever process, gets what is there. A copy whose file is damaged is
/// made anew.
#[derive(Clone, Debug)]
pub struct Thumbnails {
    artifacts: Arc<dyn ArtifactStore>,
    processor: Arc<dyn ImageProcessor>,
    folder: PathBuf,
}

impl Engine {
    /// Returns who makes small copies of pictures, with the image processor of this name, and keeps them in `folder`,
    /// which is made when the first one is.
    ///
    /// # Errors
    /// `Invalid` when no image processor has the name.
    pub fn thumbnails(&self, processor: &str, folder: impl Into<PathBuf>) -> Result<Thumbnails> {
        let processor = self.shared.bindings.image_processor(processor)?;
        Ok(Thumbnails { artifacts: Arc::clone(self.artifacts()), processor, folder: folder.into() })
    }
}

impl Thumbnails {
    /// Returns the JPEG of a picture whose longest side is at most `side` pixels.
    ///
    /// That the copy cannot be kept is no error: it is made again next time.
    ///
    /// # Errors
    /// `Invalid` for a side that is not within 16 to 1024; `NotFound` when there is neither a copy nor the picture;
    /// `Corrupt` and `Unsupported` when the picture cannot be read.
    pub async fn of(&self, picture: Digest, side: u32) -> Result<Bytes> {
        if !(SIDES.0..=SIDES.1).contains(&side) {
            return Err(Error::invalid("a thumbnail cannot have this side")
                .with("side", side)
                .with("accepted", format!("{} to {} pixels", SIDES.0, SIDES.1)));
        }
        let path = self.path(picture, side);
        let known = path.clone();
        if let Some(kept) = spawn_blocking(move || kept(&known)).await.ok().flatten() {
            return Ok(kept);
        }
        let bytes = self.artifacts.get(picture).await?;
        let (width, height) = (Some(side), Some(side));
        // The bytes decide, whatever is declared.
        let image = ImageFile { bytes, media_type: MediaType::Binary };
        let request = ProcessRequest::new(image)
            .steps([
                ProcessStep::Resize {
                    width,
                    height,
                    fit: ResizeFit::Inside,
                    position: Anchor::Center,
                    kernel: ResizeKernel::default(),
                    enlarge: false,
                    fill: [255; 4],
                },
                ProcessStep::Flatten { background: [255; 3] },
            ])
            .encoding(Encoding::new(OutputFormat::Jpeg).quality(QUALITY));
        let made = self.processor.process(request).await?.image.bytes;
        let copy = made.clone();
        let written = spawn_blocking(move || keep(&path, &copy)).await;
        if let Ok(Err(error)) = written {
            tracing::debug!(error = %error, "cannot keep a thumbnail");
        }
        Ok(made)
    }

    /// Removes the copies of pictures that are no longer there, and says how many; for after a clearing of artifacts.
    ///
    /// # Errors
    /// The artifact store's.
    pub async fn sweep(&self) -> Result<u64> {
        let folder = self.folder.clone();
        let all = spawn_blocking(move || copies(&folder)).await.unwrap_or_default();
        let mut removed = 0;
        for (picture, path) in all {
            if !self.artifacts.contains(picture).await? && tokio::fs::remove_file(&path).await.is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn path(&self, picture: Digest, side: u32) -> PathBuf {
        let name = picture.to_hex();
        let begins: String = name.chars().take(2).collect();
        self.folder.join(side.to_string()).join(begins).join(format!("{name}.jpg"))
    }
}

/// Reads a copy; `None` when there is none or it is damaged.
fn kept(path: &Path) -> Option<Bytes> {
    let content = std::fs::read(path).ok()?;
    let (picture, digest) = content.split_at_checked(content.len().checked_sub(DIGEST)?)?;
    // A JPEG may be followed by anything: here by the digest of it, so that a file cut off by a crash is known.
    let picture = Bytes::copy_from_slice(picture);
    (Digest::of(&picture).to_hex().as_bytes() == digest).then_some(picture)
}

/// Keeps a copy, whole or not at all.
fn keep(path: &Path, picture: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(picture)?;
    file.write_all(Digest::of(picture).to_hex().as_bytes())?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

/// Every copy in a folder, with the digest of the picture it was made of.
fn copies(folder: &Path) -> Vec<(Digest, PathBuf)> {
    let within = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = within(folder.to_path_buf()).flat_map(within).flat_map(within);
    files.filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path))).collect()
}
