//! `image.metadata`: title, description and tags of a picture, checked against rules and written into its file.

mod rules;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::model::{Artifact, Capability, LogLevel, MediaType, Money, Step};
use pipeline_core::pipeline::{PortSpec, ProviderSlot, StageSpec};
use pipeline_core::provider::{DigitalSource, EmbedMetadataRequest, ImageFile, TextModel, TextRequest, TextTask};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, Result};

use self::rules::Answer;
pub use self::rules::OnBreach;
use super::paid;

/// Whether title, description and tags are written into the picture's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Embed {
    /// Into JPEG, PNG and WebP; a file of another format stays as it is.
    #[default]
    Possible,
    /// A file of another format fails the item.
    Always,
    /// Every file stays as it is.
    Never,
}

/// What is said in the file of how the picture came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// What the generator says of its pictures; nothing for a picture that was there before.
    #[default]
    Auto,
    /// A trained model has made all of it.
    TrainedAlgorithmicMedia,
    /// A trained model has made or changed parts of it.
    CompositeWithTrainedAlgorithmicMedia,
    /// An algorithm that was not trained on anything has made all of it.
    AlgorithmicMedia,
    /// An algorithm has altered a picture that was there.
    AlgorithmicallyEnhanced,
    /// A camera has taken it.
    DigitalCapture,
    /// Nothing.
    None,
}

impl Provenance {
    /// Returns the statement; `made` is what the generator of this pipeline says of its pictures.
    fn source(self, made: Option<DigitalSource>) -> Option<DigitalSource> {
        match self {
            Self::Auto => made,
            Self::TrainedAlgorithmicMedia => Some(DigitalSource::TrainedAlgorithmicMedia),
            Self::CompositeWithTrainedAlgorithmicMedia => Some(DigitalSource::CompositeWithTrainedAlgorithmicMedia),
            Self::AlgorithmicMedia => Some(DigitalSource::AlgorithmicMedia),
            Self::AlgorithmicallyEnhanced => Some(DigitalSource::AlgorithmicallyEnhanced),
            Self::DigitalCapture => Some(DigitalSource::DigitalCapture),
            Self::None => None,
        }
    }
}

/// Settings of `image.metadata`. A rule set to `null` is not applied.
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
    /// Fewest words of the title.
    #[schemars(range(min = 1, max = 100))]
    pub min_title_words: Option<u32>,
    /// Most words of the title.
    #[schemars(range(min = 1, max = 100))]
    pub max_title_words: Option<u32>,
    /// Most bytes of the title in UTF-8.
    #[schemars(range(min = 16, max = 2000))]
    pub max_title_bytes: Option<u32>,
    /// Fewest characters of the description.
    #[schemars(range(min = 1, max = 2000))]
    pub min_description: Option<u32>,
    /// Most characters of the description.
    #[schemars(range(min = 1, max = 2000))]
    pub max_description: Option<u32>,
    /// Most bytes of a tag in UTF-8. IPTC-IIM holds 64.
    #[schemars(range(min = 8, max = 255))]
    pub max_tag_bytes: Option<u32>,
    /// Whether a tag may be there only once, whatever its case.
    pub unique_tags: bool,
    /// What happens when the answer breaks a rule.
    pub on_breach: OnBreach,
    /// Whether all of it is written into the picture's file.
    pub embed: Embed,
    /// Provider that writes it into the file.
    pub embed_provider: String,
    /// Who made the picture, for the file; without it what stands in the file stays.
    #[schemars(length(min = 1, max = 500))]
    pub creator: Option<String>,
    /// Who has which rights to the picture, for the file; without it what stands in the file stays.
    #[schemars(length(min = 1, max = 2000))]
    pub rights: Option<String>,
    /// What the file says of how the picture came about, in words of the IPTC's digital source types.
    pub provenance: Provenance,
}

impl Default for MetadataSettings {
    fn default() -> Self {
        Self {
            provider: "template".to_owned(),
            colors_provider: "image".to_owned(),
            tags: 15,
            min_title_words: Some(8),
            max_title_words: Some(12),
            max_title_bytes: None,
            min_description: Some(150),
            max_description: Some(250),
            max_tag_bytes: Some(64),
            unique_tags: true,
            on_breach: OnBreach::AskAgain,
            embed: Embed::Possible,
            embed_provider: "image".to_owned(),
            creator: None,
            rights: None,
            provenance: Provenance::Auto,
        }
    }
}

impl StageSettings for MetadataSettings {
    fn inert(&self) -> Vec<Inert> {
        if self.embed != Embed::Never {
            return Vec::new();
        }
        ["embed_provider", "creator", "rights", "provenance"].map(|key| Inert::new(key, "`embed` is `never`")).to_vec()
    }

    fn problems(&self) -> Vec<(String, String)> {
        self.contradictions()
    }
}

/// The stage kind `image.metadata`.
#[derive(Clone, Copy, Debug)]
pub struct ImageMetadata;

#[async_trait]
impl Stage for ImageMetadata {
    fn spec(&self) -> StageSpec {
        let text = || json!({"type": "string"});
        let texts = || json!({"type": "array", "items": {"type": "string"}});
        let mut spec = StageSpec::new(
            "image.metadata",
            "Writes title, description and tags of a picture, and puts them into its file",
            SettingsSchema::of::<MetadataSettings>(),
        )
        .self_contained()
        .provider(Capability::Text)
        .input(PortSpec::file("image"))
        .input(PortSpec::field("prompt", text()).optional())
        .input(PortSpec::field("keyword", text()).optional())
        .input(PortSpec::field("digital_source", text()).optional())
        .output(PortSpec::file("image"))
        .input(PortSpec::field("labels", json!({"type": "array", "items": {"type": "string"}})).optional())
        .output(PortSpec::field("title", text()))
        .output(PortSpec::field("description", text()))
        .output(PortSpec::field("tags", texts()))
        .output(PortSpec::field("embedded", json!({"type": "boolean"})))
        .output(PortSpec::field("breaches", texts()).optional());
        for setting in ["colors_provider", "embed_provider"] {
            spec.providers.push(ProviderSlot { setting: setting.to_owned(), capability: Capability::ProcessImage });
        }
        spec
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: MetadataSettings = task.settings()?;
        let artifact = task.file("image")?.clone();
        let bytes = context.artifacts().get(artifact.digest).await?;
        let image = ImageFile { bytes, media_type: artifact.media_type };
        let processor = context.providers().image_processor(&settings.colors_provider)?;
        let inspected = processor.inspect(image.clone());
        let seen = context.journal().step(Step::Inspect, "the picture's colours", inspected).await?;
        let model = context.providers().text_model(&settings.provider)?;
        let provider = model.info().name.clone();
        let Written { answer, breaches, cost } =
            Written::by(context, model, &task, &settings, &seen.color_names).await?;
        let file = embedded(context, &task, &settings, &artifact, image, &answer).await?;
        let output = Output::new()
            .field("embedded", file.is_some())
            .file("image", file.unwrap_or(artifact))
            .field("title", answer.title)
            .field("description", answer.description)
            .field("tags", answer.tags)
            .by(&provider)
            .cost(cost);
        Ok(if breaches.is_empty() { output } else { output.field("breaches", breaches) }.into())
    }
}

/// What a model has written, what is wrong with it, and what it cost.
struct Written {
    answer: Answer,
    breaches: Vec<String>,
    cost: Money,
}

impl Written {
    /// Has a model write, and write once more when it broke a rule and the settings say so.
    async fn by(
        context: &dyn StageContext,
        model: Arc<dyn TextModel>,
        task: &Task,
        settings: &MetadataSettings,
        colors: &[String],
    ) -> Result<Self> {
        let ask = |instructions: String, purpose: &str| TextRequest {
            task: TextTask::ImageMetadata,
            instructions,
            input: input(task, settings, colors),
            schema: Some(schema()),
            seed: task.seed(purpose),
            context: paid::unnamed(),
        };
        let first = Self::once(context, &model, task, settings, ask(settings.instructions(), "metadata")).await?;
        match settings.on_breach {
            _ if first.breaches.is_empty() => return Ok(first),
            OnBreach::Accept if first.answer.missing().is_none() => return Ok(first),
            OnBreach::Accept | OnBreach::Fail => return Err(first.refused(&model)),
            OnBreach::AskAgain => {}
        }
        let said = format!("asked again: {}", first.breaches.join("; "));
        context.journal().note(LogLevel::Info, Step::PromptSend, said);
        let again = settings.again(&first.answer, &first.breaches);
        let second = Self::once(context, &model, task, settings, ask(again, "metadata again")).await?;
        if !second.breaches.is_empty() {
            return Err(second.refused(&model));
        }
        Ok(Self { cost: first.cost + second.cost, ..second })
    }

    async fn once(
        context: &dyn StageContext,
        model: &Arc<dyn TextModel>,
        task: &Task,
        settings: &MetadataSettings,
        request: TextRequest,
    ) -> Result<Self> {
        let (response, cost) = paid::write(context, Arc::clone(model), task, request).await?;
        let mut answer = Answer::read(&response.answer);
        answer.tags = labelled(labels(task), answer.tags, settings.tags as usize);
        let breaches = settings.breaches(&answer);
        Ok(Self { answer, breaches, cost })
    }

    /// The error of an answer that is not taken.
    fn refused(&self, model: &Arc<dyn TextModel>) -> Error {
        let error = match self.answer.missing() {
            Some(part) => Error::corrupt("the text model's answer lacks a part").with("part", part),
            None => Error::corrupt("the text model's answer breaks the rules").with("rules", self.breaches.join("; ")),
        };
        error.with("provider", &model.info().name)
    }
}

/// The facts a model writes from.
fn input(task: &Task, settings: &MetadataSettings, colors: &[String]) -> Map<String, Value> {
    let keyword = task.text("keyword").unwrap_or(&task.name).to_owned();
    let mut input = Map::from_iter([
        ("keyword".to_owned(), Value::from(keyword)),
        ("prompt".to_owned(), Value::from(task.text("prompt").unwrap_or_default())),
        ("colors".to_owned(), json!(colors)),
    ]);
    let seen = labels(task);
    if !seen.is_empty() {
        input.insert("labels".to_owned(), json!(seen));
    }
    input.extend(settings.facts());
    input
}

/// What a model has seen in the picture, the surest first.
fn labels(task: &Task) -> Vec<String> {
    let labels = task.inputs.fields.get("labels").and_then(Value::as_array);
    labels.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The labels and then the tags, each once, as many as there were tags asked for; without labels the tags as they are.
fn labelled(labels: Vec<String>, tags: Vec<String>, most: usize) -> Vec<String> {
    if labels.is_empty() {
        return tags;
    }
    let mut all: Vec<String> = Vec::with_capacity(most);
    // The same as the rule against repeated tags.
    let mut known = HashSet::new();
    for tag in labels.into_iter().chain(tags) {
        if all.len() < most && known.insert(tag.to_lowercase()) {
            all.push(tag);
        }
    }
    all
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["title", "description", "tags"],
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}}
        }
    })
}

/// Puts what was written into the picture's file; `None` when the file stays as it is.
async fn embedded(
    context: &dyn StageContext,
    task: &Task,
    settings: &MetadataSettings,
    artifact: &Artifact,
    image: ImageFile,
    answer: &Answer,
) -> Result<Option<Artifact>> {
    let able = matches!(artifact.media_type, MediaType::Jpeg | MediaType::Png | MediaType::WebP);
    match settings.embed {
        Embed::Never => return Ok(None),
        Embed::Possible if !able => {
            let said = format!("{} has no place for metadata: the file stays as it is", artifact.media_type);
            context.journal().note(LogLevel::Info, Step::Embed, said);
            return Ok(None);
        }
        Embed::Possible | Embed::Always => {}
    }
    // What the generator of another program's making says is taken only when it is a word we know.
    let made = task.inputs.fields.get("digital_source").and_then(|word| DigitalSource::deserialize(word).ok());
    let request = EmbedMetadataRequest {
        image,
        title: answer.title.clone(),
        description: answer.description.clone(),
        keywords: answer.tags.clone(),
        creator: settings.creator.clone(),
        rights: settings.rights.clone(),
        source: settings.provenance.source(made),
    };
    let processor = context.providers().image_processor(&settings.embed_provider)?;
    let written = context.journal().step(Step::Embed, "title, description, tags", processor.embed(request)).await?;
    Ok(Some(context.artifacts().put(written.bytes).await?))
}
