//! `image.tag`: what is in a picture, as a model sees it.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use pipeline_core::model::Capability;
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::Question;
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result};

use super::paid;

/// Settings of `image.tag`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagSettings {
    /// Provider that says what is in the picture; the providers file describes it.
    pub provider: String,
    /// Least confidence of a label, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_confidence: f64,
    /// How many labels at most.
    #[schemars(range(min = 1, max = 50))]
    pub most: u32,
}

impl Default for TagSettings {
    fn default() -> Self {
        Self { provider: "tagger".to_owned(), min_confidence: 0.25, most: 5 }
    }
}

impl StageSettings for TagSettings {}

/// One label of an answer.
#[derive(Debug, Deserialize)]
struct Label {
    label: String,
    confidence: f64,
}

/// An answer to [`Question::Labels`].
#[derive(Debug, Deserialize)]
struct Labels {
    labels: Vec<Label>,
}

/// The stage kind `image.tag`.
#[derive(Clone, Copy, Debug)]
pub struct ImageTag;

#[async_trait]
impl Stage for ImageTag {
    fn spec(&self) -> StageSpec {
        StageSpec::new("image.tag", "Says what is in a picture", SettingsSchema::of::<TagSettings>())
            .self_contained()
            .provider(Capability::Vision)
            .input(PortSpec::file("image"))
            .output(PortSpec::field("labels", json!({"type": "array", "items": {"type": "string"}})))
            .output(PortSpec::field("confidences", json!({"type": "array", "items": {"type": "number"}})))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: TagSettings = task.settings()?;
        let artifact = task.file("image")?.clone();
        let model = context.providers().vision_model(&settings.provider)?;
        let info = model.info().clone();
        let question = Question::Labels { most: settings.most };
        let (response, cost) = paid::look(context, model, &task, &artifact, question).await?;
        let Labels { labels } = serde_json::from_value(response.answer).map_err(|error| {
            Error::corrupt("the vision model did not answer with labels")
                .with("provider", &info.name)
                .with("accepted", "{\"labels\": [{\"label\": text, \"confidence\": 0 to 1}]}")
                .because(error)
        })?;
        let sure =
            labels.iter().filter(|label| label.confidence >= settings.min_confidence).take(settings.most as usize);
        let (labels, confidences): (Vec<&str>, Vec<f64>) =
            sure.map(|label| (label.label.as_str(), label.confidence)).unzip();
        Ok(Output::new().field("labels", labels).field("confidences", confidences).by(&info.name).cost(cost).into())
    }
}
