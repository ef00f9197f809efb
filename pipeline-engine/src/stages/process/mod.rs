//! `image.process`: change a picture step by step, encode it, and make further sizes and formats of it.

mod color;
mod settings;

use std::collections::BTreeMap;

use async_trait::async_trait;
use pipeline_core::error::chain;
use pipeline_core::model::{Artifact, Capability, LogLevel, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::{FailedPart, ImageFile, ProcessPart, ProcessResponse, ProcessStep, RenditionFile};
use pipeline_core::settings::SettingsSchema;
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result, Retryability};
use serde_json::{Value, json};

use super::files::read;

pub use settings::{ProcessSettings, RenditionSettings};

/// What a watermark begins with that is taken from the artifact store.
const ARTIFACT: &str = "artifact:";

/// The stage kind `image.process`.
#[derive(Clone, Copy, Debug)]
pub struct ImageProcess;

#[async_trait]
impl Stage for ImageProcess {
    fn spec(&self) -> StageSpec {
        let rendition = json!({"type": "object", "properties": {
            "name": {"type": "string"}, "file": {"type": "object"},
            "width": {"type": "integer"}, "height": {"type": "integer"}}});
        StageSpec::new(
            "image.process",
            "Trims, resizes, rotates, colours, sharpens, marks and encodes a picture, in as many sizes as wanted",
            SettingsSchema::of::<ProcessSettings>(),
        )
        .self_contained()
        .provider(Capability::ProcessImage)
        .input(PortSpec::file("image"))
        .output(PortSpec::file("image"))
        .output(PortSpec::field("width", json!({"type": "integer"})))
        .output(PortSpec::field("height", json!({"type": "integer"})))
        .output(PortSpec::field("applied", json!({"type": "array", "items": {"type": "string"}})))
        .output(PortSpec::field("failed", json!({"type": "array", "items": {"type": "string"}})))
        .output(PortSpec::field("renditions", json!({"type": "array", "items": rendition})))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: ProcessSettings = task.settings()?;
        let artifact = task.file("image")?.clone();
        let processor = context.providers().image_processor(&settings.provider)?;
        let bytes = context.artifacts().get(artifact.digest).await?;
        let image = ImageFile { bytes, media_type: artifact.media_type };
        let mut request = settings.request(image)?;
        let mut missing = None;
        match overlays(context, &settings).await {
            Ok(overlays) => request.overlays = overlays,
            // What may come back is waited for, as everywhere.
            Err(error)
                if request.soft.contains(&ProcessPart::Watermark)
                    && error.retryability() == Retryability::Permanent =>
            {
                request.steps.retain(is_no_watermark);
                request.renditions.iter_mut().for_each(|rendition| rendition.steps.retain(is_no_watermark));
                missing = Some(FailedPart { part: ProcessPart::Watermark, rendition: None, message: chain(&error) });
            }
            Err(error) => return Err(error),
        }
        let processed = processor.process(request);
        let mut response =
            context.journal().step(Step::Encode, format!("as {}", settings.formats()), processed).await?;
        response.failed.extend(missing);
        for failed in &response.failed {
            context.journal().note(LogLevel::Warn, Step::Encode, format!("went on without {failed}"));
        }
        output(context, response).await.map(|output| output.by(&processor.info().name).into())
    }
}

fn is_no_watermark(step: &ProcessStep) -> bool {
    step.part() != ProcessPart::Watermark
}

/// The watermark: the content of a file as it is when the stage runs, or of an artifact.
async fn overlays(context: &dyn StageContext, settings: &ProcessSettings) -> Result<Vec<ImageFile>> {
    let Some(watermark) = &settings.watermark else { return Ok(Vec::new()) };
    let bytes = match watermark.strip_prefix(ARTIFACT) {
        Some(digest) => {
            let digest = digest.parse().map_err(|error| {
                Error::invalid("not the digest of an artifact").with("watermark", watermark).because(error)
            })?;
            context.artifacts().get(digest).await?
        }
        None => {
            let read = async { read(watermark).await.map_err(|error| error.with("setting", "watermark")) };
            context.journal().step(Step::Read, watermark.clone(), read).await?
        }
    };
    // What it is, the decoder finds out.
    Ok(vec![ImageFile { bytes, media_type: pipeline_core::model::MediaType::Binary }])
}

async fn output(context: &dyn StageContext, response: ProcessResponse) -> Result<Output> {
    let mut output = Output::new()
        .file("image", context.artifacts().put(response.image.bytes).await?)
        .field("width", response.size.width)
        .field("height", response.size.height)
        .field("applied", response.applied)
        .field("failed", response.failed.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut files: BTreeMap<String, Artifact> = BTreeMap::new();
    let mut described: Vec<Value> = Vec::new();
    for RenditionFile { name, image, size } in response.renditions {
        let artifact = context.artifacts().put(image.bytes).await?;
        described.push(json!({"name": name, "file": artifact, "width": size.width, "height": size.height}));
        files.insert(format!("image-{name}"), artifact);
    }
    output.files.extend(files);
    Ok(output.field("renditions", described))
}
