//! Providers that do what a keyword, a style or their name says, and a stage kind whose options nobody observes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::engine::EngineBuilder;
use pipeline_core::model::{Capability, MediaType, Money, Reason, Verdict};
use pipeline_core::pipeline::StageSpec;
use pipeline_core::provider::{
    BackgroundRemover, Dimensions, EmbedMetadataRequest, GenerateRequest, GenerateResponse, GeneratedImage,
    ImageCapabilities, ImageContent, ImageFile, ImageGenerator, ImageInfo, ImageProcessor, Price, ProcessRequest,
    ProcessResponse, ProviderInfo, Question, RemoveBackgroundRequest, RemoveBackgroundResponse, Repeat, TextModel,
    TextRequest, TextResponse, TextTask, Usage, VisionModel, VisionRequest, VisionResponse,
};
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bench::Seen;
use crate::pictures;

/// Binds `fake` for every capability the stages use, and `broken` for those that check and process.
pub(crate) fn bind(builder: EngineBuilder, seen: &Seen) -> EngineBuilder {
    let info = |name: &str, capability| ProviderInfo::local(name, capability, "A provider for tests.");
    let able = ImageCapabilities {
        min_side: 16,
        max_side: 1024,
        step: 1,
        max_per_call: 4,
        seeded: true,
        negative_prompt: true,
        styles: vec!["square".to_owned()],
    };
    builder
        .provider("fake", Writer { info: info("fake", Capability::Text), seen: seen.clone() })
        .provider("fake", Painter { info: info("fake", Capability::GenerateImage), able: able.clone() })
        .provider(
            "unpriced",
            Painter {
                info: ProviderInfo {
                    repeat: Repeat::Unsafe,
                    price: None,
                    ..info("unpriced", Capability::GenerateImage)
                },
                able,
            },
        )
        .provider("fake", Critic(info("fake", Capability::Vision)))
        .provider("fake", Idler(info("fake", Capability::ProcessImage)))
        .provider("broken", Critic(info("broken", Capability::Vision)))
        .provider("broken", Idler(info("broken", Capability::ProcessImage)))
        .provider("mute", Critic(info("mute", Capability::Vision)))
        .provider("fake", Cutter(info("fake", Capability::RemoveBackground)))
        .provider("broken", Cutter(info("broken", Capability::RemoveBackground)))
        .provider("opaque", Cutter(info("opaque", Capability::RemoveBackground)))
        .provider("idle", Cutter(info("idle", Capability::RemoveBackground)))
        .provider(
            "paid",
            Cutter(ProviderInfo {
                repeat: Repeat::Unsafe,
                price: Some(Price { per_call: Money::from_micros(20_000), per_unit: Money::ZERO }),
                ..info("paid", Capability::RemoveBackground)
            }),
        )
}

fn broken(info: &ProviderInfo) -> Result<()> {
    if info.name == "broken" {
        return Err(Error::new(ErrorKind::Unsupported, "this provider is broken"));
    }
    Ok(())
}

/// Writes what it was told. A keyword with `slow:100` takes as many milliseconds; one with `fails:2` fails twice first; of one
/// with `breaks:2` the first two descriptions break every rule; one with `twins:1` has a tag twice.
#[derive(Debug)]
struct Writer {
    info: ProviderInfo,
    seen: Seen,
}

#[async_trait]
impl TextModel for Writer {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn write(&self, request: TextRequest) -> Result<TextResponse> {
        let keyword = request.input.get("keyword").and_then(|keyword| keyword.as_str()).unwrap_or_default().to_owned();
        let told = |order: &str| {
            keyword.split_whitespace().find_map(|word| word.strip_prefix(order)?.parse::<u64>().ok()).unwrap_or(0)
        };
        let tries = {
            let mut calls = self.seen.calls.lock().unwrap();
            calls.push(keyword.clone());
            calls.iter().filter(|call| **call == keyword).count() as u64
        };
        let running = self.seen.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(told("slow:"))).await;
        self.seen.running.fetch_sub(1, Ordering::SeqCst);
        if tries <= told("fails:") {
            return Err(Error::new(ErrorKind::Unavailable, "not yet"));
        }
        let answer = match request.task {
            TextTask::ImageMetadata if tries <= told("breaks:") => {
                json!({"title": "fake title", "description": "fake", "tags": ["fake"]})
            }
            TextTask::ImageMetadata => {
                let count = request.input.get("tags").and_then(serde_json::Value::as_u64).unwrap_or(1);
                let mut tags: Vec<String> = (1..=count).map(|number| format!("fake tag {number}")).collect();
                if told("twins:") > 0 {
                    "FAKE TAG 2".clone_into(&mut tags[0]);
                }
                let title = "fake title of a picture that is a test";
                json!({"title": title, "description": "fake".repeat(50), "tags": tags})
            }
            _ if request.instructions.is_empty() => json!({"prompt": format!("fake words about {keyword}")}),
            _ => json!({"prompt": format!("fake {}", request.instructions)}),
        };
        Ok(TextResponse { answer, usage: Usage::default() })
    }
}

/// Paints everything red, or blue when red is not to be shown; its style `square` ignores the size asked for.
#[derive(Debug)]
struct Painter {
    info: ProviderInfo,
    able: ImageCapabilities,
}

#[async_trait]
impl ImageGenerator for Painter {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capabilities(&self) -> &ImageCapabilities {
        &self.able
    }

    async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse> {
        let Dimensions { width, height } = request.size;
        let side = width.min(height);
        let (width, height) = if request.style.as_deref() == Some("square") { (side, side) } else { (width, height) };
        let no_red = request.negative_prompt.is_some_and(|words| words.contains("red"));
        let picture = pictures::rgb(width, height, |_, _| if no_red { [0, 0, 200] } else { [200, 0, 0] });
        let file = pipeline::providers::local::image::encode(&picture, MediaType::Png, 90)?;
        let images = request.seeds.iter().enumerate().map(|(index, seed)| GeneratedImage {
            index,
            content: ImageContent::Inline(file.clone()),
            seed: Some(*seed),
        });
        Ok(GenerateResponse { images: images.collect(), usage: Usage::default() })
    }

    async fn download(&self, _: &str) -> Result<ImageFile> {
        Err(Error::not_found("nothing is remote here"))
    }
}

/// Likes no picture, and sees a fox in the snow in each unless it is `mute`.
#[derive(Debug)]
struct Critic(ProviderInfo);

#[async_trait]
impl VisionModel for Critic {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn look(&self, request: VisionRequest) -> Result<VisionResponse> {
        broken(&self.0)?;
        if matches!(request.question, Question::Labels { .. }) && self.0.name != "mute" {
            let seen = [("fox", 0.9), ("snow", 0.3), ("dusk", 0.1)];
            let labels = seen.map(|(label, confidence)| json!({"label": label, "confidence": confidence}));
            let answer = json!({ "labels": labels });
            return Ok(VisionResponse { answer, verdict: None, fingerprint: None, usage: Usage::default() });
        }
        let reasons = vec![Reason::new("not_to_taste", "a matter of taste")];
        let verdict = Some(Verdict::Fail { reasons });
        Ok(VisionResponse { answer: json!({}), verdict, fingerprint: None, usage: Usage::default() })
    }
}

/// Leaves pictures as they are; everything is 7 by 5 pixels of ultraviolet to it.
#[derive(Debug)]
struct Idler(ProviderInfo);

#[async_trait]
impl ImageProcessor for Idler {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn inspect(&self, _: ImageFile) -> Result<ImageInfo> {
        broken(&self.0)?;
        let size = Dimensions { width: 7, height: 5 };
        Ok(ImageInfo { size, colors: vec![[90, 0, 255]], color_names: vec!["ultraviolet".to_owned()], has_alpha: true })
    }

    async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse> {
        broken(&self.0)?;
        let size = Dimensions { width: 7, height: 5 };
        Ok(ProcessResponse {
            image: request.image,
            size,
            applied: vec!["nothing".to_owned()],
            failed: Vec::new(),
            renditions: Vec::new(),
        })
    }

    async fn embed(&self, request: EmbedMetadataRequest) -> Result<ImageFile> {
        broken(&self.0)?;
        let bytes = [&request.image.bytes[..], b"said by the fake"].concat().into();
        Ok(ImageFile { bytes, ..request.image })
    }
}

/// Gives everyone the same cut-out, and is sure of it by half unless it is `paid`; `opaque` gives a JPEG.
#[derive(Debug)]
struct Cutter(ProviderInfo);

#[async_trait]
impl BackgroundRemover for Cutter {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn remove_background(&self, _: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse> {
        broken(&self.0)?;
        let media_type = if self.0.name == "opaque" { MediaType::Jpeg } else { MediaType::Png };
        let answer = if self.0.name == "idle" { pictures::scene(96, 64) } else { pictures::matte() };
        let image = pipeline::providers::local::image::encode(&answer, media_type, 90)?;
        let confidence = (self.0.name != "paid").then_some(0.5);
        Ok(RemoveBackgroundResponse { image, confidence, usage: Usage::default() })
    }
}

/// What the stage kind `test.unobserved` can be set to.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct UnobservedSettings {
    /// A closed set of values.
    mood: Mood,
    /// Any number.
    volume: u32,
}

/// The only mood.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mood {
    /// Always.
    #[default]
    Calm,
}

impl StageSettings for UnobservedSettings {}

/// A stage kind whose options nobody observes.
#[derive(Debug)]
pub(crate) struct Unobserved;

#[async_trait]
impl Stage for Unobserved {
    fn spec(&self) -> StageSpec {
        StageSpec::new("test.unobserved", "Does nothing", SettingsSchema::of::<UnobservedSettings>())
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd> {
        Ok(Output::new().into())
    }
}
