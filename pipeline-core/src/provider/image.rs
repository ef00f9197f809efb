//! Ports that make or change pictures.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::model::MediaType;

use super::call::{CallContext, ProviderInfo, Usage};
use super::embed::{DigitalSource, EmbedMetadataRequest};
use super::process::{ProcessRequest, ProcessResponse};

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dimensions {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A picture file in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// The encoded bytes.
    pub bytes: Bytes,
    /// What they are, sniffed.
    pub media_type: MediaType,
}

impl fmt::Debug for ImageFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageFile({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// What an image generator can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCapabilities {
    /// Smallest side in pixels.
    pub min_side: u32,
    /// Largest side in pixels.
    pub max_side: u32,
    /// Each side must be a multiple of this.
    pub step: u32,
    /// Most images one call may ask for.
    pub max_per_call: u32,
    /// Whether the same seed gives the same picture.
    pub seeded: bool,
    /// Whether a negative prompt is honoured.
    pub negative_prompt: bool,
    /// Styles that may be asked for by name; empty when there is no such option.
    pub styles: Vec<String>,
}

/// One or more pictures to be made from one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// What to show.
    pub prompt: String,
    /// What not to show.
    pub negative_prompt: Option<String>,
    /// Size of every picture.
    pub size: Dimensions,
    /// One seed for each picture wanted; its length is how many are wanted.
    pub seeds: Vec<u64>,
    /// A style by name.
    pub style: Option<String>,
    /// Key, deadline.
    pub context: CallContext,
}

/// The content of a generated picture: here, or to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageContent {
    /// The encoded picture.
    Inline(ImageFile),
    /// A reference that [`ImageGenerator::download`] of the same provider understands. Treated as a secret.
    Remote(String),
}

/// One delivered picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedImage {
    /// Which of the request's seeds it belongs to.
    pub index: usize,
    /// The picture.
    pub content: ImageContent,
    /// The seed the provider says it used.
    pub seed: Option<u64>,
}

/// The delivered pictures; fewer than asked for is possible and not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateResponse {
    /// What was delivered.
    pub images: Vec<GeneratedImage>,
    /// What it used.
    pub usage: Usage,
}

/// Makes pictures from words.
#[async_trait]
pub trait ImageGenerator: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Says what it can make.
    fn capabilities(&self) -> &ImageCapabilities;

    /// Says how its pictures come about, for the statement in their files; a trained model unless it says otherwise.
    fn source(&self) -> DigitalSource {
        DigitalSource::TrainedAlgorithmicMedia
    }

    /// Makes `request.seeds.len()` pictures.
    ///
    /// # Errors
    /// `Unsupported` for a size, style or option outside the capabilities; `Refused` when the safety system said no.
    async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse>;

    /// Fetches a picture that [`ImageContent::Remote`] refers to. Free, and may be repeated.
    ///
    /// # Errors
    /// `NotFound` when the reference has expired.
    async fn download(&self, reference: &str) -> Result<ImageFile>;
}

/// What a picture is, found by decoding all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInfo {
    /// Its size in pixels, after its EXIF orientation is applied.
    pub size: Dimensions,
    /// The dominant colours, most frequent first, red, green and blue of each.
    pub colors: Vec<[u8; 3]>,
    /// Everyday names of those colours, without repetition.
    pub color_names: Vec<String>,
    /// Some pixel is not opaque.
    pub has_alpha: bool,
}

/// Transforms pictures. Deterministic: the same request gives the same bytes.
#[async_trait]
pub trait ImageProcessor: fmt::Debug + Send + Sync + 'static {
    /// Says who it is.
    fn info(&self) -> &ProviderInfo;

    /// Decodes a picture strictly and says what it is.
    ///
    /// # Errors
    /// `Corrupt` for a damaged or truncated picture, `Unsupported` for a format or size it cannot read.
    async fn inspect(&self, image: ImageFile) -> Result<ImageInfo>;

    /// Transforms one picture.
    ///
    /// # Errors
    /// `Corrupt` for a damaged or truncated picture, `Unsupported` for a format or size it cannot read.
    async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse>;

    /// Writes what is known of a picture into its file, and nothing else: pixels, colour profile and what stands there for
    /// other purposes stay. Embedding again replaces what was embedded.
    ///
    /// # Errors
    /// `Corrupt` for a damaged file; `Unsupported` for a format that cannot carry it, for more than it can carry, and where
    /// the provider has no way to do it, which is what this method does unless a provider brings its own.
    async fn embed(&self, request: EmbedMetadataRequest) -> Result<ImageFile> {
        Err(Error::new(ErrorKind::Unsupported, "the provider cannot write metadata into files")
            .with("provider", &self.info().name)
            .with("format", request.image.media_type))
    }
}

/// A picture whose background is to be cut out.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveBackgroundRequest {
    /// The picture.
    pub image: ImageFile,
    /// Key, deadline.
    pub context: CallContext,
}

/// A picture with a transparent background.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveBackgroundResponse {
    /// The picture, in a format with transparency, as large as the one asked about and turned upright.
    pub image: ImageFile,
    /// How sure the provider is that subject and background are told apart, 0 to 1, when it says so.
    pub confidence: Option<f32>,
    /// What it used.
    pub usage: Usage,
}

/// Cuts out backgrounds.
#[async_trait]
pub trait BackgroundRemover: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Cuts out the background of one picture.
    ///
    /// # Errors
    /// `Corrupt` for a damaged picture; `Unsupported` for a format or size it cannot read, and for a picture in which it
    /// cannot tell the subject from the background: a cut-out is never a guess.
    async fn remove_background(&self, request: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse>;
}

const _: Option<Arc<dyn ImageGenerator>> = None;
const _: Option<Arc<dyn ImageProcessor>> = None;
const _: Option<Arc<dyn BackgroundRemover>> = None;
