//! The port that looks at pictures.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::model::Verdict;

use super::call::{CallContext, ProviderInfo, Usage};
use super::image::{Dimensions, ImageFile};

/// Thresholds of measured quality. A rule that is `None` is not applied, nor is one whose measure the picture lacks.
///
/// What each measure is, and how its default was calibrated: `docs/qc-calibration.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QualityRules {
    /// Least sharpness: variance of the Laplacian of the brightness (0–255) at a longest side of 512 pixels.
    pub min_sharpness: Option<f64>,
    /// Least mean brightness, 0 to 255.
    pub min_brightness: Option<f64>,
    /// Greatest mean brightness, 0 to 255.
    pub max_brightness: Option<f64>,
    /// Greatest share of pixels that are black or white, 0 to 1.
    pub max_clipping: Option<f64>,
    /// Greatest share of black pixels (no channel above 2), 0 to 1.
    pub max_clipped_shadows: Option<f64>,
    /// Greatest share of white pixels (no channel below 253), 0 to 1.
    pub max_clipped_highlights: Option<f64>,
    /// Least contrast: standard deviation of the brightness, 0 to 128.
    pub min_contrast: Option<f64>,
    /// Least entropy of the brightness levels, 0 to 8 bits.
    pub min_entropy: Option<f64>,
    /// Least colourfulness after Hasler and Süsstrunk: 0 for grey, about 110 for extremely colourful.
    pub min_colorfulness: Option<f64>,
    /// Greatest noise: Immerkær's estimate of its standard deviation where the picture is quiet, brightness levels.
    pub max_noise: Option<f64>,
    /// Greatest blockiness: how much the grid of JPEG compression stands out, 0 to 1.
    pub max_blockiness: Option<f64>,
    /// Greatest BRISQUE score, 0 (as a natural photograph) to 100.
    pub max_brisque: Option<f64>,
    /// Whether a picture of one colour is refused.
    pub reject_blank: bool,
    /// Greatest share of the height or width taken by even bars at the edges, 0 to 1.
    pub max_letterbox: Option<f64>,
    /// Least length of the shorter side, in pixels.
    pub min_side: Option<u32>,
    /// Least number of pixels, in millions.
    pub min_megapixels: Option<f64>,
    /// Greatest relative difference between the aspect asked for and the aspect found, 0 to 1.
    pub max_aspect_error: Option<f64>,
}

impl Default for QualityRules {
    fn default() -> Self {
        Self {
            min_sharpness: Some(12.0),
            min_brightness: Some(25.0),
            max_brightness: Some(240.0),
            max_clipping: Some(0.7),
            max_clipped_shadows: None,
            max_clipped_highlights: None,
            min_contrast: Some(11.0),
            min_entropy: None,
            min_colorfulness: None,
            max_noise: Some(6.5),
            max_blockiness: None,
            max_brisque: None,
            reject_blank: true,
            max_letterbox: Some(0.04),
            min_side: Some(256),
            min_megapixels: None,
            max_aspect_error: Some(0.02),
        }
    }
}

/// What is asked about a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Question {
    /// Is its measured quality good enough? Answer: the measures by name, and a verdict.
    Quality {
        /// The thresholds.
        rules: QualityRules,
        /// The size that was asked for, when there was one.
        requested: Option<Dimensions>,
    },
    /// A prompt with an optional JSON Schema for the answer.
    Prompt {
        /// The rendered prompt.
        text: String,
        /// JSON Schema of a structured answer.
        schema: Option<Value>,
    },
    /// What is in the picture? Answer: `{"labels": [{"label": "espresso", "confidence": 0.93}, …]}`, the surest first.
    Labels {
        /// At most this many labels, 1 or more.
        most: u32,
    },
}

/// A picture and a question about it.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionRequest {
    /// The picture.
    pub image: ImageFile,
    /// The question.
    pub question: Question,
    /// Key, deadline.
    pub context: CallContext,
}

/// An answer about a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisionResponse {
    /// Structured: `{"sharpness": 551.2, …}` for quality, what the schema says for a prompt.
    pub answer: Value,
    /// The verdict, when the question asks for one.
    pub verdict: Option<Verdict>,
    /// A 64-bit perceptual hash for finding near-duplicates, when the provider makes one.
    pub fingerprint: Option<u64>,
    /// What it used.
    pub usage: Usage,
}

/// Looks at pictures and answers.
#[async_trait]
pub trait VisionModel: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Answers one question about one picture.
    ///
    /// # Errors
    /// `Corrupt` for a damaged picture or an answer that does not fit; `Unsupported` for a question it cannot answer.
    async fn look(&self, request: VisionRequest) -> Result<VisionResponse>;
}

const _: Option<Arc<dyn VisionModel>> = None;
