//! `image.metadata`: title, description and tags of a picture.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::model::{Capability, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::{ImageFile, TextRequest, TextTask};
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result};

use super::paid;

/// Settings of `image.metadata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetadataSettings {
    /// Provider that writes title, description and tags.
    pub provider: String,
    /// Provider that finds the picture's colours.
    pub colors_provider: String,
    /// How many tags.
    #[schemars(range(min = 1, max = 50))]
    pub tags: u32,
}

impl Default for MetadataSettings {
    fn default() -> Self {
        Self { provider: "template".to_owned(), colors_provider: "image".to_owned(), tags: 15 }
    }
}

impl StageSettings for MetadataSettings {}

/// The stage kind `image.metadata`.
#[derive(Clone, Copy, Debug)]
pub struct ImageMetadata;

#[async_trait]
impl Stage for ImageMetadata {
    fn spec(&self) -> StageSpec {
        let text = || json!({"type": "string"});
        let mut spec = StageSpec::new(
            "image.metadata",
            "Writes title, description and tags of a picture",
            SettingsSchema::of::<MetadataSettings>(),
        )
        .self_contained()
        .provider(Capability::Text)
        .input(PortSpec::file("image"))
        .input(PortSpec::field("prompt", text()).optional())
        .input(PortSpec::field("keyword", text()).optional())
        .input(PortSpec::field("labels", json!({"type": "array", "items": {"type": "string"}})).optional())
        .output(PortSpec::field("title", text()))
        .output(PortSpec::field("description", text()))
        .output(PortSpec::field("tags", json!({"type": "array", "items": {"type": "string"}})));
        spec.providers.push(pipeline_core::pipeline::ProviderSlot {
            setting: "colors_provider".to_owned(),
            capability: Capability::ProcessImage,
        });
        spec
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: MetadataSettings = task.settings()?;
        let artifact = task.file("image")?.clone();
        let bytes = context.artifacts().get(artifact.digest).await?;
        let image = ImageFile { bytes, media_type: artifact.media_type };
        let processor = context.providers().image_processor(&settings.colors_provider)?;
        let seen = context.journal().step(Step::Inspect, "the picture's colours", processor.inspect(image)).await?;
        // What a model has seen in the picture, the surest first.
        let labels: Vec<String> = task
            .inputs
            .fields
            .get("labels")
            .and_then(Value::as_array)
            .map(|labels| labels.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let keyword = task.text("keyword").unwrap_or(&task.name).to_owned();
        let mut input = Map::from_iter([
            ("keyword".to_owned(), Value::from(keyword)),
            ("prompt".to_owned(), Value::from(task.text("prompt").unwrap_or_default())),
            ("colors".to_owned(), json!(seen.color_names)),
            ("tags".to_owned(), Value::from(settings.tags)),
        ]);
        if !labels.is_empty() {
            input.insert("labels".to_owned(), json!(labels));
        }
        let model = context.providers().text_model(&settings.provider)?;
        let request = TextRequest {
            task: TextTask::ImageMetadata,
            instructions: format!(
                "Write a title of 8 to 12 words, a description of 150 to 250 characters and exactly {} tags for a picture.",
                settings.tags
            ),
            input,
            schema: Some(json!({
                "type": "object",
                "required": ["title", "description", "tags"],
                "properties": {
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "tags": {"type": "array", "items": {"type": "string"}}
                }
            })),
            seed: task.seed("metadata"),
            context: paid::unnamed(),
        };
        let info = model.info().clone();
        let (response, cost) = paid::write(context, model, &task, request).await?;
        let answer = response.answer;
        let text = |key: &str| {
            answer.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let missing = |key: &str| {
            Error::corrupt("the text model's answer lacks a part").with("provider", &info.name).with("part", key)
        };
        let tags: Vec<String> = answer
            .get("tags")
            .and_then(Value::as_array)
            .map(|tags| tags.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        if tags.is_empty() {
            return Err(missing("tags"));
        }
        let tags = labelled(labels, tags, settings.tags as usize);
        Ok(Output::new()
            .field("title", text("title").ok_or_else(|| missing("title"))?)
            .field("description", text("description").ok_or_else(|| missing("description"))?)
            .field("tags", tags)
            .by(&info.name)
            .cost(cost)
            .into())
    }
}

/// The labels and then the tags, each once, as many as there were tags asked for; without labels the tags as they are.
fn labelled(labels: Vec<String>, tags: Vec<String>, most: usize) -> Vec<String> {
    if labels.is_empty() {
        return tags;
    }
    let mut all: Vec<String> = Vec::with_capacity(most);
    for tag in labels.into_iter().chain(tags) {
        if all.len() < most && !all.iter().any(|known| known.eq_ignore_ascii_case(&tag)) {
            all.push(tag);
        }
    }
    all
}
