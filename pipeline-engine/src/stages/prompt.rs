//! `text.prompt`: a text model writes the image prompt from a keyword and a template.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use pipeline_core::model::Capability;
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::{TextRequest, TextTask};
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::template::Template;
use pipeline_core::{Error, Result};

use super::paid;

/// Settings of `text.prompt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PromptSettings {
    /// Provider that writes the prompt.
    pub provider: String,
    /// Template of the prompt over the keyword and the CSV columns, for example `{{ keyword }}, oil on canvas`. Empty
    /// leaves the wording to the provider.
    pub template: String,
}

impl Default for PromptSettings {
    fn default() -> Self {
        Self { provider: "template".to_owned(), template: String::new() }
    }
}

impl StageSettings for PromptSettings {}

/// The stage kind `text.prompt`.
#[derive(Clone, Copy, Debug)]
pub struct TextPrompt;

#[async_trait]
impl Stage for TextPrompt {
    fn spec(&self) -> StageSpec {
        StageSpec::new(
            "text.prompt",
            "Writes an image prompt from a keyword and a template",
            SettingsSchema::of::<PromptSettings>(),
        )
        .self_contained()
        .provider(Capability::Text)
        .template("template")
        .input(PortSpec::field("keyword", json!({"type": "string"})))
        .output(PortSpec::field("prompt", json!({"type": "string"})))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: PromptSettings = task.settings()?;
        let instructions = if settings.template.is_empty() {
            String::new()
        } else {
            Template::parse(&settings.template)
                .and_then(|template| template.render(&task.inputs.variables))
                .map_err(|error| Error::invalid("cannot fill in the prompt template").because(error))?
        };
        let model = context.providers().text_model(&settings.provider)?;
        let request = TextRequest {
            task: TextTask::ImagePrompt,
            instructions,
            input: task.inputs.variables.clone(),
            schema: Some(json!({
                "type": "object", "required": ["prompt"], "properties": {"prompt": {"type": "string"}}
            })),
            seed: task.seed("prompt"),
            context: paid::unnamed(),
        };
        let info = model.info().clone();
        let (response, cost) = paid::write(context, model, &task, request).await?;
        let prompt = response.answer.get("prompt").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if prompt.is_empty() {
            return Err(Error::corrupt("the text model answered without a prompt").with("provider", &info.name));
        }
        Ok(Output::new().field("prompt", prompt).by(&info.name).cost(cost).into())
    }
}
