//! `image.generate`: pictures from a prompt; one call serves all variations of a generation.

use async_trait::async_trait;
use futures::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use pipeline_core::id::{Digest, ItemId};
use pipeline_core::model::{Artifact, Capability, Step};
use pipeline_core::pipeline::{GroupBy, PortSpec, StageSpec};
use pipeline_core::provider::{GenerateRequest, ImageCapabilities, ImageContent, Repeat};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Providers, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::{paid, size};

/// Settings of `image.generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateSettings {
    /// Provider that makes the pictures.
    pub provider: String,
    /// How many pictures to make from each prompt.
    #[schemars(range(min = 1, max = 20))]
    pub variations: u32,
    /// Sizes (`1024x768`) or aspects (`16:9`), one or a list that goes round from generation to generation.
    #[schemars(length(min = 1))]
    pub sizes: Vec<String>,
    /// About how many million pixels a picture has whose size is given as an aspect.
    #[schemars(range(min = 0.02, max = 4.2))]
    pub megapixels: f64,
    /// A style by name; the provider lists its styles. Absent lets the provider choose from the prompt.
    pub style: Option<String>,
    /// What not to show; refused by providers that cannot honour it.
    pub negative_prompt: Option<String>,
}

impl Default for GenerateSettings {
    fn default() -> Self {
        Self {
            provider: "procedural".to_owned(),
            variations: 1,
            sizes: vec!["1024x1024".to_owned()],
            megapixels: 1.048_576,
            style: None,
            negative_prompt: None,
        }
    }
}

impl StageSettings for GenerateSettings {
    fn inert(&self) -> Vec<Inert> {
        if self.sizes.iter().any(|size| size.contains(':')) {
            return Vec::new();
        }
        vec![Inert::new("megapixels", "every size is given in pixels, none as an aspect")]
    }

    fn problems(&self) -> Vec<(String, String)> {
        let wrong = self.sizes.iter().filter(|text| !size::looks_right(text));
        wrong.map(|text| ("sizes".to_owned(), format!("`{text}` is not a size; expected {}", size::ACCEPTED))).collect()
    }
}

/// Returns what a generator cannot honour of these settings, as `(key, message)`.
fn unable(settings: &GenerateSettings, able: &ImageCapabilities) -> Vec<(String, String)> {
    let provider = &settings.provider;
    let mut problems = Vec::new();
    for text in &settings.sizes {
        if size::parse(text, settings.megapixels * 1_000_000.0, able).is_err() {
            let (min, max, step) = (able.min_side, able.max_side, able.step);
            let message = format!(
                "`{provider}` cannot make the size {text}; it makes sides from {min} to {max} in steps of {step}"
            );
            problems.push(("sizes".to_owned(), message));
        }
    }
    if let Some(style) = &settings.style
        && !able.styles.contains(style)
    {
        let styles = if able.styles.is_empty() { "none".to_owned() } else { able.styles.join(", ") };
        problems.push(("style".to_owned(), format!("`{provider}` has no style `{style}`; it has {styles}")));
    }
    if settings.negative_prompt.is_some() && !able.negative_prompt {
        problems.push(("negative_prompt".to_owned(), format!("`{provider}` cannot honour a negative prompt")));
    }
    problems
}

/// What the ledger keeps of a response: one entry a delivered picture.
///
/// It names the item, not the place in the request: after a crash only some of the items may still need theirs.
#[derive(Debug, Serialize, Deserialize)]
struct Delivery {
    item: ItemId,
    seed: Option<u64>,
    artifact: Option<Artifact>,
    remote: Option<String>,
}

/// The stage kind `image.generate`.
#[derive(Clone, Copy, Debug)]
pub struct ImageGenerate;

#[async_trait]
impl Stage for ImageGenerate {
    fn spec(&self) -> StageSpec {
        StageSpec::new("image.generate", "Makes pictures from a prompt", SettingsSchema::of::<GenerateSettings>())
            .self_contained()
            .provider(Capability::GenerateImage)
            .expands("variations")
            .grouped(GroupBy::Siblings)
            .input(PortSpec::field("prompt", json!({"type": "string"})).optional())
            .input(PortSpec::field("keyword", json!({"type": "string"})).optional())
            .output(PortSpec::file("image"))
            .output(PortSpec::field("width", json!({"type": "integer"})))
            .output(PortSpec::field("height", json!({"type": "integer"})))
            .output(PortSpec::field("seed", json!({"type": "string"})))
            .output(PortSpec::field("digital_source", json!({"type": "string"})))
    }

    fn unable(&self, settings: &Value, providers: &dyn Providers) -> Vec<(String, String)> {
        // A provider that is not there is reported elsewhere.
        let Ok(settings) = GenerateSettings::deserialize(settings) else { return Vec::new() };
        let generator = providers.image_generator(&settings.provider);
        generator.map_or_else(|_| Vec::new(), |generator| unable(&settings, generator.capabilities()))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let missing = || Err(Error::unexpected("the stage gave no answer"));
        self.run_group(context, vec![task]).await.pop().unwrap_or_else(missing)
    }

    async fn run_group(&self, context: &dyn StageContext, tasks: Vec<Task>) -> Vec<Result<StageEnd>> {
        let most = tasks
            .first()
            .and_then(|task| task.settings::<GenerateSettings>().ok())
            .and_then(|settings| context.providers().image_generator(&settings.provider).ok())
            .map_or(1, |generator| generator.capabilities().max_per_call.max(1));
        let mut ends = Vec::with_capacity(tasks.len());
        for chunk in tasks.chunks(most as usize) {
            match generate(context, chunk).await {
                Ok(some) => ends.extend(some),
                // One call served them all, so its error is everyone's.
                Err(error) => ends.extend(chunk.iter().map(|_| Err(copy(&error)))),
            }
        }
        ends
    }
}

async fn generate(context: &dyn StageContext, tasks: &[Task]) -> Result<Vec<Result<StageEnd>>> {
    let Some(first) = tasks.first() else { return Ok(Vec::new()) };
    let settings: GenerateSettings = first.settings()?;
    let generator = context.providers().image_generator(&settings.provider)?;
    let able = generator.capabilities().clone();
    let place = first.ordinal as usize % settings.sizes.len().max(1);
    let text = settings.sizes.get(place).map_or("1024x1024", String::as_str);
    let size = size::parse(text, settings.megapixels * 1_000_000.0, &able)?;
    if settings.negative_prompt.is_some() && !able.negative_prompt {
        return Err(Error::new(ErrorKind::Unsupported, "the generator has no negative prompt")
            .with("provider", &settings.provider)
            .with("setting", "negative_prompt"));
    }
    // Without a stage that writes prompts the keyword itself is the prompt.
    let prompt = first.text("prompt").or_else(|| first.text("keyword")).unwrap_or_default();
    if prompt.is_empty() {
        return Err(
            Error::invalid("there is no prompt").with("accepted", "a prompt or a keyword from an earlier stage")
        );
    }
    let request = GenerateRequest {
        prompt: prompt.to_owned(),
        negative_prompt: settings.negative_prompt.clone(),
        size,
        seeds: tasks.iter().map(|task| task.seed("image")).collect(),
        style: settings.style.clone(),
        context: paid::unnamed(),
    };
    let info = generator.info().clone();
    let asked: (Digest, _) = (paid::request_digest(&info, &request)?, Some(request.prompt.clone()));
    let items: Vec<ItemId> = tasks.iter().map(|task| task.item).collect();
    let (price, free) = (info.price, info.repeat == Repeat::Free);
    let (sender, artifacts) = (std::sync::Arc::clone(&generator), std::sync::Arc::clone(context.artifacts()));
    let (response, cost) = paid::call(context, &info, tasks, asked, move |call| async move {
        let answer = sender.generate(GenerateRequest { context: call, ..request }).await?;
        let mut usage = answer.usage;
        // What was not delivered is not paid for.
        usage.cost =
            usage.cost.or_else(|| price.map(|price| price.per_call + price.per_unit * answer.images.len() as u64));
        let mut deliveries = Vec::with_capacity(answer.images.len());
        for image in answer.images {
            let Some(item) = items.get(image.index).copied() else {
                return Err(Error::corrupt("the generator delivered a picture nobody asked for"));
            };
            let (artifact, remote) = match image.content {
                // The picture is paid for: when it cannot be kept, buying it again is not ours to decide.
                ImageContent::Inline(file) => {
                    let kept = artifacts.put(file.bytes).await;
                    (
                        Some(
                            kept.map_err(|error| if free { error } else { error.retry(Retryability::Indeterminate) })?,
                        ),
                        None,
                    )
                }
                ImageContent::Remote(reference) => (None, Some(reference)),
            };
            deliveries.push(Delivery { item, seed: image.seed, artifact, remote });
        }
        Ok((json!(deliveries), usage))
    })
    .await?;
    let deliveries: Vec<Delivery> = paid::reread(response)?;
    let delivered = deliveries.len().max(1);
    let ends = tasks.iter().map(|task| {
        let found = deliveries.iter().position(|delivery| delivery.item == task.item);
        let (generator, info, deliveries) = (&generator, &info, &deliveries);
        async move {
            let Some((order, delivery)) = found.and_then(|order| Some((order, deliveries.get(order)?))) else {
                // `Corrupt`: this answer has nothing for the item, so that the next try needs another.
                return Err(Error::corrupt("the generator delivered fewer pictures than asked for")
                    .with("asked", tasks.len())
                    .with("delivered", deliveries.len())
                    .retry(Retryability::Transient));
            };
            let artifact = match (&delivery.artifact, &delivery.remote) {
                (Some(artifact), _) => artifact.clone(),
                (None, Some(reference)) => {
                    let fetched = generator.download(reference);
                    let file = context.journal().step(Step::Download, "the vendor's file", fetched).await?;
                    context.artifacts().put(file.bytes).await?
                }
                (None, None) => return Err(Error::corrupt("the generator delivered an empty picture")),
            };
            if !artifact.media_type.is_image() {
                return Err(Error::corrupt("the generator delivered something that is no picture")
                    .with("content", artifact.media_type));
            }
            let seed = delivery.seed.unwrap_or_else(|| task.seed("image"));
            Ok(Output::new()
                .file("image", artifact)
                .field("width", size.width)
                .field("height", size.height)
                .field("seed", seed.to_string())
                .field("digital_source", json!(generator.source()))
                .by(&info.name)
                .cost(cost.share(order, delivered))
                .into())
        }
    });
    Ok(join_all(ends).await)
}

/// An error for each item of a failed call, with the same meaning.
fn copy(error: &Error) -> Error {
    let retry: Retryability = error.retryability();
    Error::new(error.kind(), pipeline_core::error::chain(error)).retry(retry)
}
