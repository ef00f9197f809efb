//! `image.process`: trim, resize, sharpen, saturate, flatten and encode a picture.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use pipeline_core::model::{Capability, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::{ColorProfile, ImageFile, OutputFormat, ProcessRequest, ProcessStep, ResizeFit};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result};

/// Settings of `image.process`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessSettings {
    /// Provider that processes the picture.
    pub provider: String,
    /// Whether transparent or evenly coloured borders are cut away.
    pub trim: bool,
    /// How different a border pixel may be, 0 to 255.
    pub trim_tolerance: u8,
    /// Width of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub width: Option<u32>,
    /// Height of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub height: Option<u32>,
    /// How to fit into the box.
    pub fit: ResizeFit,
    /// Whether a smaller picture is made larger.
    pub enlarge: bool,
    /// Sharpening: 0 does nothing, 10 is the strongest.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub sharpen: f32,
    /// Saturation: 0 is grey, 1 does nothing, 3 is the strongest.
    #[schemars(range(min = 0.0, max = 3.0))]
    pub saturation: f32,
    /// Whether transparency is replaced by the background colour even if the format could keep it.
    pub flatten: bool,
    /// Background colour: `white`, `black` or `#rrggbb`.
    pub background: String,
    /// How to encode.
    pub format: OutputFormat,
    /// Quality of JPEG and WebP, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// What becomes of the colour profile of the picture.
    pub color_profile: ColorProfile,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            provider: "image".to_owned(),
            trim: false,
            trim_tolerance: 10,
            width: None,
            height: None,
            fit: ResizeFit::Inside,
            enlarge: false,
            sharpen: 0.0,
            saturation: 1.0,
            flatten: false,
            background: "white".to_owned(),
            format: OutputFormat::Png,
            quality: 90,
            color_profile: ColorProfile::Srgb,
        }
    }
}

impl ProcessSettings {
    fn steps(&self, background: [u8; 3]) -> Vec<ProcessStep> {
        let mut steps = Vec::new();
        if self.trim {
            steps.push(ProcessStep::Trim { tolerance: self.trim_tolerance });
        }
        if self.width.is_some() || self.height.is_some() {
            let (width, height, fit, enlarge) = (self.width, self.height, self.fit, self.enlarge);
            steps.push(ProcessStep::Resize { width, height, fit, enlarge });
        }
        if self.sharpen > 0.0 {
            steps.push(ProcessStep::Sharpen { amount: self.sharpen });
        }
        if (self.saturation - 1.0).abs() > f32::EPSILON {
            steps.push(ProcessStep::Saturate { factor: self.saturation });
        }
        if self.flatten {
            steps.push(ProcessStep::Flatten { background });
        }
        steps
    }
}

impl StageSettings for ProcessSettings {
    fn inert(&self) -> Vec<Inert> {
        let mut inert = Vec::new();
        if !self.trim {
            inert.push(Inert::new("trim_tolerance", "`trim` is off"));
        }
        if self.width.is_none() && self.height.is_none() {
            inert.push(Inert::new("fit", "neither `width` nor `height` is set"));
            inert.push(Inert::new("enlarge", "neither `width` nor `height` is set"));
        } else if self.width.is_none() != self.height.is_none() {
            inert.push(Inert::new("fit", "only one of `width` and `height` is set, so the aspect is kept"));
        }
        if self.format == OutputFormat::Png {
            inert.push(Inert::new("quality", "PNG is lossless"));
        }
        if matches!(self.format, OutputFormat::Png | OutputFormat::Webp) && !self.flatten {
            inert.push(Inert::new("background", "this format keeps transparency, and `flatten` is off"));
        }
        inert
    }

    fn problems(&self) -> Vec<(String, String)> {
        match color(&self.background) {
            Some(_) => Vec::new(),
            None => vec![(
                "background".to_owned(),
                format!("`{}` is not a colour; expected `white`, `black` or `#rrggbb`", self.background),
            )],
        }
    }
}

/// Reads `white`, `black` or `#rrggbb`.
fn color(text: &str) -> Option<[u8; 3]> {
    match text {
        "white" => return Some([255; 3]),
        "black" => return Some([0; 3]),
        _ => {}
    }
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    Some([byte(0)?, byte(2)?, byte(4)?])
}

/// The stage kind `image.process`.
#[derive(Clone, Copy, Debug)]
pub struct ImageProcess;

#[async_trait]
impl Stage for ImageProcess {
    fn spec(&self) -> StageSpec {
        StageSpec::new(
            "image.process",
            "Trims, resizes, sharpens, saturates, flattens and encodes a picture",
            SettingsSchema::of::<ProcessSettings>(),
        )
        .self_contained()
        .provider(Capability::ProcessImage)
        .input(PortSpec::file("image"))
        .output(PortSpec::file("image"))
        .output(PortSpec::field("width", json!({"type": "integer"})))
        .output(PortSpec::field("height", json!({"type": "integer"})))
        .output(PortSpec::field("applied", json!({"type": "array", "items": {"type": "string"}})))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: ProcessSettings = task.settings()?;
        let background = color(&settings.background)
            .ok_or_else(|| Error::invalid("not a colour").with("background", &settings.background))?;
        let artifact = task.file("image")?.clone();
        let processor = context.providers().image_processor(&settings.provider)?;
        let bytes = context.artifacts().get(artifact.digest).await?;
        let request = ProcessRequest {
            image: ImageFile { bytes, media_type: artifact.media_type },
            steps: settings.steps(background),
            format: settings.format,
            quality: settings.quality,
            background,
            color: settings.color_profile,
        };
        let processed = processor.process(request);
        let response =
            context.journal().step(Step::Encode, format!("as {:?}", settings.format).to_lowercase(), processed).await?;
        let made = context.artifacts().put(response.image.bytes).await?;
        Ok(Output::new()
            .file("image", made)
            .field("width", response.size.width)
            .field("height", response.size.height)
            .field("applied", response.applied)
            .by(&processor.info().name)
            .into())
    }
}
