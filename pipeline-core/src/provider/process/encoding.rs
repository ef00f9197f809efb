//! How a processed picture is written, and what its file keeps of the source file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The format of a processed picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// The format it came in; JPEG when that cannot be written.
    Keep,
    /// PNG, keeps transparency; lossless unless `colors` are limited.
    #[default]
    Png,
    /// JPEG, lossy, no transparency.
    Jpeg,
    /// WebP, lossy or lossless, keeps transparency.
    Webp,
    /// AVIF, lossy, keeps transparency; only in builds with the feature `avif`.
    Avif,
}

/// How much less colour than brightness a JPEG stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Chroma {
    /// A quarter: one colour for two by two pixels.
    #[default]
    #[serde(rename = "4:2:0")]
    Quarter,
    /// Half: one colour for two pixels side by side.
    #[serde(rename = "4:2:2")]
    Half,
    /// All: a colour for every pixel.
    #[serde(rename = "4:4:4")]
    Full,
}

/// How a picture is encoded. A format ignores what it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoding {
    /// The format.
    pub format: OutputFormat,
    /// JPEG, WebP, AVIF: 1 to 100.
    pub quality: u8,
    /// JPEG: whether it becomes clearer step by step while it loads.
    pub progressive: bool,
    /// JPEG: how much colour is stored.
    pub chroma: Chroma,
    /// WebP: whether every visible pixel is kept exactly.
    pub lossless: bool,
    /// WebP, AVIF: quality of the transparency, 1 to 100.
    pub alpha_quality: u8,
    /// PNG, WebP, AVIF: how long the encoder looks for a shorter file, 1 to 10; `None` is the format's usual.
    pub effort: Option<u8>,
    /// PNG: at most this many colours, 2 to 256, in a palette.
    pub colors: Option<u16>,
}

impl Encoding {
    /// The usual encoding in this format.
    pub fn new(format: OutputFormat) -> Self {
        Self { format, ..Self::default() }
    }

    /// Sets the quality.
    pub fn quality(mut self, quality: u8) -> Self {
        self.quality = quality;
        self
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            format: OutputFormat::Png,
            quality: 90,
            progressive: false,
            chroma: Chroma::Quarter,
            lossless: false,
            alpha_quality: 100,
            effort: None,
            colors: None,
        }
    }
}

/// How much of the EXIF metadata is kept. The orientation becomes upright and a preview is dropped in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepExif {
    /// Nothing.
    #[default]
    Nothing,
    /// All but where the picture was taken.
    WithoutLocation,
    /// All, with the place.
    All,
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
