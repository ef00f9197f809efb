//! Ports that make or change pictures.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::MediaType;

use super::call::{CallContext, ProviderInfo, Usage};

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

/// How a picture is fitted into a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResizeFit {
    /// As large as fits inside the box, keeping the aspect.
    #[default]
    Inside,
    /// Fills the box, keeping the aspect, and cuts off what sticks out.
    Cover,
    /// Exactly the box, changing the aspect.
    Fill,
}

/// The encoding of a processed picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// The format it came in; JPEG when that cannot be written.
    Keep,
    /// PNG, lossless, keeps transparency.
    #[default]
    Png,
    /// JPEG, lossy, no transparency.
    Jpeg,
    /// WebP, lossy, keeps transparency.
    Webp,
}

/// What becomes of the colour profile (ICC) of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColorProfile {
    /// The colours are converted to sRGB and the result carries no profile: what needs none looks the same everywhere.
    #[default]
    Srgb,
    /// The colours stay as they are and the result carries the profile. Grey and CMYK profiles do not fit a result in
    /// red, green and blue; such pictures are converted to sRGB.
    Keep,
}

/// One step of processing; the order in the request is the order of work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProcessStep {
    /// Cuts away transparent or, without transparency, evenly coloured borders.
    Trim {
        /// How different a border pixel may be, 0 to 255.
        tolerance: u8,
    },
    /// Scales.
    Resize {
        /// Box width; `None` follows from the height and the aspect.
        width: Option<u32>,
        /// Box height; `None` follows from the width and the aspect.
        height: Option<u32>,
        /// How to fit into the box.
        fit: ResizeFit,
        /// Whether a smaller picture is made larger.
        enlarge: bool,
    },
    /// Unsharp mask: 0 does nothing, 10 is the strongest.
    Sharpen {
        /// 0 to 10.
        amount: f32,
    },
    /// Multiplies the saturation: 0 is grey, 1 does nothing, 3 is the strongest.
    Saturate {
        /// 0 to 3.
        factor: f32,
    },
    /// Puts the picture on a solid background.
    Flatten {
        /// Red, green, blue.
        background: [u8; 3],
    },
}

/// A picture to be transformed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRequest {
    /// The picture; its EXIF orientation is applied first.
    pub image: ImageFile,
    /// What to do, in order.
    pub steps: Vec<ProcessStep>,
    /// How to encode.
    pub format: OutputFormat,
    /// Quality 1 to 100 of JPEG and WebP.
    pub quality: u8,
    /// What lies behind transparent pixels when the format has no transparency.
    pub background: [u8; 3],
    /// What becomes of its colour profile.
    pub color: ColorProfile,
}

/// A transformed picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessResponse {
    /// The encoded picture.
    pub image: ImageFile,
    /// Its size in pixels.
    pub size: Dimensions,
    /// What was done, for the record, for example `["orient 6", "trim 40,0 820x900", "sharpen 5"]`.
    pub applied: Vec<String>,
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
    /// The picture, in a format with transparency.
    pub image: ImageFile,
    /// What it used.
    pub usage: Usage,
}

/// Cuts out backgrounds.
#[async_trait]
pub trait BackgroundRemover: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Cuts out the background of one picture.
    async fn remove_background(&self, request: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse>;
}

const _: Option<Arc<dyn ImageGenerator>> = None;
const _: Option<Arc<dyn ImageProcessor>> = None;
const _: Option<Arc<dyn BackgroundRemover>> = None;
