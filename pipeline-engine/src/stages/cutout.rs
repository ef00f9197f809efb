//! `image.cutout`: a picture without its background, with its edge cleaned.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use pipeline_core::model::{Artifact, Capability, MediaType, Step};
use pipeline_core::pipeline::{PortSpec, ProviderSlot, StageSpec};
use pipeline_core::provider::{ImageFile, ProcessRequest, ProcessStep, RemoveBackgroundRequest, Repeat};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::paid;

/// Settings of `image.cutout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CutoutSettings {
    /// Provider that removes the background.
    pub provider: String,
    /// Least confidence of a provider that says how sure it is, 0 to 1; below it the stage has failed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_confidence: f32,
    /// Pieces smaller than this share of the largest one are taken out, 0 to 1; 0 leaves them.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub specks: f32,
    /// Holes smaller than this share of the largest piece are filled, 0 to 1; 0 leaves them.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub holes: f32,
    /// How far the edge is softened to both sides, in pixels; 0 leaves it.
    #[schemars(range(min = 0, max = 100))]
    pub feather: u32,
    /// Whether the old background is taken out of the colours of the edge.
    pub decontaminate: bool,
    /// Provider that cleans the edge.
    pub cleaner: String,
}

impl Default for CutoutSettings {
    fn default() -> Self {
        Self {
            provider: "classical".to_owned(),
            min_confidence: 0.5,
            specks: 0.02,
            holes: 0.005,
            feather: 0,
            decontaminate: true,
            cleaner: "image".to_owned(),
        }
    }
}

impl CutoutSettings {
    /// What is to be cleaned; `None` when that is nothing.
    fn cleaning(&self) -> Option<ProcessStep> {
        let wanted = self.specks > 0.0 || self.holes > 0.0 || self.feather > 0 || self.decontaminate;
        wanted.then_some(ProcessStep::CleanMatte {
            specks: self.specks,
            holes: self.holes,
            feather: self.feather,
            decontaminate: self.decontaminate,
        })
    }
}

impl StageSettings for CutoutSettings {
    fn inert(&self) -> Vec<Inert> {
        if self.cleaning().is_some() {
            return Vec::new();
        }
        vec![Inert::new("cleaner", "nothing is cleaned: `specks`, `holes`, `feather` and `decontaminate` are off")]
    }
}

/// What the ledger keeps of an answer.
#[derive(Debug, Serialize, Deserialize)]
struct Delivery {
    artifact: Artifact,
    confidence: Option<f32>,
}

/// The stage kind `image.cutout`.
#[derive(Clone, Copy, Debug)]
pub struct ImageCutout;

#[async_trait]
impl Stage for ImageCutout {
    fn spec(&self) -> StageSpec {
        let mut spec = StageSpec::new(
            "image.cutout",
            "Removes the background of a picture and cleans the edge",
            SettingsSchema::of::<CutoutSettings>(),
        )
        .self_contained()
        .provider(Capability::RemoveBackground)
        .input(PortSpec::file("image"))
        .output(PortSpec::file("image"))
        .output(PortSpec::field("confidence", json!({"type": "number"})).optional())
        .output(PortSpec::field("cleaned", json!({"type": "array", "items": {"type": "string"}})));
        spec.providers.push(ProviderSlot { setting: "cleaner".to_owned(), capability: Capability::ProcessImage });
        spec
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: CutoutSettings = task.settings()?;
        let picture = task.file("image")?.clone();
        let remover = context.providers().background_remover(&settings.provider)?;
        let info = remover.info().clone();
        let digest = paid::request_digest(&info, &picture.digest)?;
        let bytes = context.artifacts().get(picture.digest).await?;
        let image = ImageFile { bytes, media_type: picture.media_type };
        let (artifacts, free) = (std::sync::Arc::clone(context.artifacts()), info.repeat == Repeat::Free);
        let (response, cost) =
            paid::call(context, &info, std::slice::from_ref(&task), (digest, None), move |call| async move {
                let answer = remover.remove_background(RemoveBackgroundRequest { image, context: call }).await?;
                let kept = artifacts.put(answer.image.bytes).await;
                // It is paid for: when it cannot be kept, buying it again is not ours to decide.
                let artifact =
                    kept.map_err(|error| if free { error } else { error.retry(Retryability::Indeterminate) })?;
                Ok((json!(Delivery { artifact, confidence: answer.confidence }), answer.usage))
            })
            .await?;
        let Delivery { artifact, confidence } = paid::reread(response)?;
        if !matches!(artifact.media_type, MediaType::Png | MediaType::WebP | MediaType::Tiff | MediaType::Gif) {
            return Err(Error::corrupt("the remover answered with something that has no transparency")
                .with("provider", &info.name)
                .with("content", artifact.media_type)
                .with("accepted", "png, webp, tiff or gif"));
        }
        if let Some(found) = confidence.filter(|confidence| *confidence < settings.min_confidence) {
            return Err(Error::new(ErrorKind::Unsupported, "the remover is not sure enough of its cut")
                .with("provider", &info.name)
                .with("confidence", format!("{found:.2}"))
                .with("accepted", format!("at least min_confidence = {}", settings.min_confidence)));
        }
        let mut output = Output::new();
        let mut cleaned = Vec::new();
        let cleaner = context.providers().image_processor(&settings.cleaner)?;
        let artifact = match settings.cleaning() {
            None => artifact,
            Some(step) => {
                let bytes = context.artifacts().get(artifact.digest).await?;
                let image = ImageFile { bytes, media_type: artifact.media_type };
                let request = ProcessRequest::new(image).steps([step]);
                let processed = cleaner.process(request);
                let response = context.journal().step(Step::Encode, "the cleaned cut-out", processed).await?;
                cleaned = response.applied;
                context.artifacts().put(response.image.bytes).await?
            }
        };
        let bytes = context.artifacts().get(artifact.digest).await?;
        let looked = cleaner.inspect(ImageFile { bytes, media_type: artifact.media_type });
        if !context.journal().step(Step::Inspect, "looked for what was removed", looked).await?.has_alpha {
            return Err(Error::corrupt("nothing was removed: every pixel of the cut-out is opaque")
                .with("provider", &info.name)
                .with("cleaned", cleaned.join(", ")));
        }
        if let Some(confidence) = confidence {
            output = output.field("confidence", f64::from(confidence));
        }
        Ok(output.file("image", artifact).field("cleaned", cleaned).by(&info.name).cost(cost).into())
    }
}
