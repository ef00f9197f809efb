//! `image.qc`: a vision model's verdict on a picture, before any processing.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::model::{Capability, Reason, Verdict};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::{Dimensions, QualityRules, Question};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result};

use super::paid;

/// Settings of `image.qc`. A rule set to `null` is not applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QcSettings {
    /// Provider that looks at the picture.
    pub provider: String,
    /// Least sharpness: variance of the Laplacian of the brightness at a longest side of 512 pixels.
    #[schemars(range(min = 0.0))]
    pub min_sharpness: Option<f64>,
    /// Least mean brightness, 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub min_brightness: Option<f64>,
    /// Greatest mean brightness, 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub max_brightness: Option<f64>,
    /// Greatest share of black and white pixels together, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_clipping: Option<f64>,
    /// Greatest share of black pixels (no channel above 2), 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_clipped_shadows: Option<f64>,
    /// Greatest share of white pixels (no channel below 253), 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_clipped_highlights: Option<f64>,
    /// Least contrast: standard deviation of the brightness.
    #[schemars(range(min = 0.0, max = 128.0))]
    pub min_contrast: Option<f64>,
    /// Least entropy of the brightness levels, 0 to 8 bits.
    #[schemars(range(min = 0.0, max = 8.0))]
    pub min_entropy: Option<f64>,
    /// Least colourfulness: 0 for grey, about 45 for quite and 110 for extremely colourful pictures.
    #[schemars(range(min = 0.0))]
    pub min_colorfulness: Option<f64>,
    /// Greatest noise where the picture is quiet: its standard deviation in brightness levels.
    #[schemars(range(min = 0.0))]
    pub max_noise: Option<f64>,
    /// Greatest blockiness: how much the grid of JPEG compression stands out, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_blockiness: Option<f64>,
    /// Greatest BRISQUE score: 0 is as a natural photograph, 100 far from one.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub max_brisque: Option<f64>,
    /// Whether a picture of one colour is refused.
    pub reject_blank: bool,
    /// Greatest share of the height or width taken by even bars at the edges, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_letterbox: Option<f64>,
    /// Least length of the shorter side, in pixels.
    #[schemars(range(min = 1))]
    pub min_side: Option<u32>,
    /// Least number of pixels, in millions.
    #[schemars(range(min = 0.0))]
    pub min_megapixels: Option<f64>,
    /// Greatest relative difference between the aspect asked for and the aspect found, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_aspect_error: Option<f64>,
    /// Whether a picture that is nearly the same as another one of the job is refused. The one that is judged first stays,
    /// which need not be the first in the job: pictures are judged at the same time.
    pub reject_duplicates: bool,
    /// Pictures whose 64-bit fingerprints differ in at most this many bits are near-duplicates.
    #[schemars(range(min = 0, max = 32))]
    pub duplicate_distance: u32,
}

impl Default for QcSettings {
    fn default() -> Self {
        let QualityRules {
            min_sharpness,
            min_brightness,
            max_brightness,
            max_clipping,
            max_clipped_shadows,
            max_clipped_highlights,
            min_contrast,
            min_entropy,
            min_colorfulness,
            max_noise,
            max_blockiness,
            max_brisque,
            reject_blank,
            max_letterbox,
            min_side,
            min_megapixels,
            max_aspect_error,
        } = QualityRules::default();
        Self {
            provider: "measures".to_owned(),
            min_sharpness,
            min_brightness,
            max_brightness,
            max_clipping,
            max_clipped_shadows,
            max_clipped_highlights,
            min_contrast,
            min_entropy,
            min_colorfulness,
            max_noise,
            max_blockiness,
            max_brisque,
            reject_blank,
            max_letterbox,
            min_side,
            min_megapixels,
            max_aspect_error,
            reject_duplicates: true,
            duplicate_distance: 6,
        }
    }
}

impl QcSettings {
    fn rules(&self) -> QualityRules {
        QualityRules {
            min_sharpness: self.min_sharpness,
            min_brightness: self.min_brightness,
            max_brightness: self.max_brightness,
            max_clipping: self.max_clipping,
            max_clipped_shadows: self.max_clipped_shadows,
            max_clipped_highlights: self.max_clipped_highlights,
            min_contrast: self.min_contrast,
            min_entropy: self.min_entropy,
            min_colorfulness: self.min_colorfulness,
            max_noise: self.max_noise,
            max_blockiness: self.max_blockiness,
            max_brisque: self.max_brisque,
            reject_blank: self.reject_blank,
            max_letterbox: self.max_letterbox,
            min_side: self.min_side,
            min_megapixels: self.min_megapixels,
            max_aspect_error: self.max_aspect_error,
        }
    }
}

impl StageSettings for QcSettings {
    fn inert(&self) -> Vec<Inert> {
        if self.reject_duplicates {
            return Vec::new();
        }
        vec![Inert::new("duplicate_distance", "near-duplicates are not refused")]
    }

    fn problems(&self) -> Vec<(String, String)> {
        match (self.min_brightness, self.max_brightness) {
            (Some(min), Some(max)) if min > max => vec![(
                "min_brightness".to_owned(),
                format!("{min} is above `max_brightness` ({max}); expected at most that"),
            )],
            _ => Vec::new(),
        }
    }
}

/// The numbers that a model may answer with. Width and height are not among them: those of the picture's maker are meant
/// where a later stage asks for them.
const MEASURES: [&str; 15] = [
    "sharpness",
    "brightness",
    "contrast",
    "noise",
    "clipping",
    "clipped_shadows",
    "clipped_highlights",
    "entropy",
    "colorfulness",
    "blockiness",
    "brisque",
    "letterbox",
    "megapixels",
    "aspect",
    "aspect_error",
];

/// The stage kind `image.qc`.
#[derive(Clone, Copy, Debug)]
pub struct ImageQc;

#[async_trait]
impl Stage for ImageQc {
    fn spec(&self) -> StageSpec {
        let spec = StageSpec::new("image.qc", "Judges a picture's quality", SettingsSchema::of::<QcSettings>())
            .check()
            .self_contained()
            .provider(Capability::Vision)
            .input(PortSpec::file("image"))
            .input(PortSpec::field("width", json!({"type": "integer"})).optional())
            .input(PortSpec::field("height", json!({"type": "integer"})).optional())
            .output(PortSpec::field("blank", json!({"type": "boolean"})).optional())
            .output(PortSpec::field("duplicate_of", json!({"type": "string"})).optional());
        MEASURES
            .iter()
            .fold(spec, |spec, measure| spec.output(PortSpec::field(measure, json!({"type": "number"})).optional()))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: QcSettings = task.settings()?;
        let artifact = task.file("image")?.clone();
        let model = context.providers().vision_model(&settings.provider)?;
        let info = model.info().clone();
        let side =
            |port: &str| task.inputs.fields.get(port).and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
        let requested = side("width").zip(side("height")).map(|(width, height)| Dimensions { width, height });
        let question = Question::Quality { rules: settings.rules(), requested };
        let (response, cost) = paid::look(context, model, &task, &artifact, question).await?;
        let mut verdict = response.verdict.ok_or_else(|| {
            Error::corrupt("the vision model answered without a verdict").with("provider", &info.name)
        })?;
        let mut fields = match response.answer {
            Value::Object(fields) => fields,
            other => Map::from_iter([("answer".to_owned(), other)]),
        };
        // Only a picture that is good otherwise may stand for its kind.
        if let (true, Verdict::Pass, Some(fingerprint)) = (settings.reject_duplicates, &verdict, response.fingerprint)
            && let Some(other) = context.mark_fingerprint(task.item, fingerprint, settings.duplicate_distance).await?
        {
            fields.insert("duplicate_of".to_owned(), Value::from(other.to_string()));
            let message =
                format!("nearly the same as `{}` of this job (item {other})", context.item_name(other).await?);
            verdict = Verdict::Fail { reasons: vec![Reason::new("near_duplicate", message)] };
        }
        Ok(Output { fields, ..Output::new() }.verdict(verdict).by(&info.name).cost(cost).into())
    }
}
