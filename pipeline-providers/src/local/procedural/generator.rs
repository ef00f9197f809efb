//! The port of the procedural generator: checks the request, paints every seed on the pool.

use std::fmt::Display;

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::{Capability, MediaType};
use pipeline_core::provider::{
    DigitalSource, GenerateRequest, GenerateResponse, GeneratedImage, ImageCapabilities, ImageContent, ImageFile,
    ImageGenerator, ProviderInfo, Usage,
};
use tokio::task::JoinSet;

use super::picture::Picture;
use super::style::Style;
use crate::pool::CpuPool;

/// Paints pictures from words by arithmetic: free, offline, and the same every time.
///
/// The prompt's words choose style and colours (`mountain lake at sunset` is a landscape in dusk colours); the seed
/// chooses the composition.
///
/// ```
/// use pipeline_core::provider::ImageGenerator;
/// use pipeline_providers::local::procedural::Procedural;
///
/// let generator = Procedural::default();
/// assert!(generator.info().local);
/// assert!(generator.capabilities().styles.contains(&"terrain".to_owned()));
/// ```
#[derive(Clone, Debug)]
pub struct Procedural {
    info: ProviderInfo,
    capabilities: ImageCapabilities,
    pool: CpuPool,
}

impl Procedural {
    /// Makes a generator that paints on `pool`.
    pub fn new(pool: CpuPool) -> Self {
        let summary = "Paints abstract art and landscapes by arithmetic: free, offline, the same for the same seed.";
        Self {
            info: ProviderInfo::local("procedural", Capability::GenerateImage, summary),
            capabilities: ImageCapabilities {
                min_side: 128,
                max_side: 2048,
                step: 8,
                max_per_call: 20,
                seeded: true,
                negative_prompt: false,
                styles: Style::ALL.into_iter().map(|style| style.name().to_owned()).collect(),
            },
            pool,
        }
    }

    /// Checks that every option can be honoured and returns the style asked for.
    fn check(&self, request: &GenerateRequest) -> Result<Option<Style>> {
        let can = &self.capabilities;
        for (field, side) in [("size.width", request.size.width), ("size.height", request.size.height)] {
            if !(can.min_side..=can.max_side).contains(&side) || side % can.step != 0 {
                let accepted = format!("{} to {}, a multiple of {}", can.min_side, can.max_side, can.step);
                return Err(unsupported(field, side, accepted));
            }
        }
        if request.seeds.is_empty() {
            return Err(Error::invalid("no picture asked for").with("field", "seeds").with("value", 0));
        }
        if request.seeds.len() > can.max_per_call as usize {
            return Err(unsupported("seeds", request.seeds.len(), format!("1 to {}", can.max_per_call)));
        }
        if request.negative_prompt.is_some() {
            return Err(unsupported("negative_prompt", "set", "none"));
        }
        request
            .style
            .as_deref()
            .map(|name| Style::named(name).ok_or_else(|| unsupported("style", name, can.styles.join(", "))))
            .transpose()
    }
}

impl Default for Procedural {
    /// Paints on a pool of its own, one picture a processor core.
    fn default() -> Self {
        Self::new(CpuPool::default())
    }
}

fn unsupported(field: &'static str, value: impl Display, accepted: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, "procedural generator cannot honour the option")
        .with("field", field)
        .with("value", value)
        .with("accepted", accepted.into())
}

#[async_trait]
impl ImageGenerator for Procedural {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capabilities(&self) -> &ImageCapabilities {
        &self.capabilities
    }

    fn source(&self) -> DigitalSource {
        DigitalSource::AlgorithmicMedia
    }

    async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse> {
        let style = self.check(&request)?;
        let mut tasks = JoinSet::new();
        for (index, seed) in request.seeds.iter().copied().enumerate() {
            let picture = Picture { prompt: request.prompt.clone(), seed, size: request.size, style };
            let pool = self.pool.clone();
            tasks.spawn(async move {
                let bytes = pool.run(move || picture.png()).await?;
                let file = ImageFile { bytes: bytes.into(), media_type: MediaType::Png };
                Ok(GeneratedImage { index, content: ImageContent::Inline(file), seed: Some(seed) })
            });
        }
        let mut images = Vec::with_capacity(request.seeds.len());
        while let Some(done) = tasks.join_next().await {
            images.push(done.map_err(|failed| Error::unexpected("painting was cancelled").because(failed))??);
        }
        images.sort_by_key(|image: &GeneratedImage| image.index);
        Ok(GenerateResponse { images, usage: Usage::default() })
    }

    async fn download(&self, _: &str) -> Result<ImageFile> {
        Err(Error::not_found("procedural pictures are delivered inline and cannot be downloaded"))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
