//! The provider: decode, turn upright, do the steps in order, encode.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::model::{Capability, MediaType};
use pipeline_core::provider::{ImageProcessor, ProcessRequest, ProcessResponse, ProviderInfo};

use super::decode::decode;
use super::encode::{encode, target};
use super::limits::Limits;
use super::orient::Orientation;
use super::steps;
use crate::pool::CpuPool;

/// Transforms pictures on this machine. The same request gives the same bytes.
///
/// What is declared about the media type is not trusted: the bytes decide.
#[derive(Clone, Debug)]
pub struct LocalImageProcessor {
    info: ProviderInfo,
    pool: CpuPool,
    limits: Limits,
}

impl LocalImageProcessor {
    /// Makes one that works on `pool`.
    pub fn new(pool: CpuPool) -> Self {
        let summary = "Trims, scales, sharpens, saturates and encodes pictures.";
        Self { info: ProviderInfo::local("image", Capability::ProcessImage, summary), pool, limits: Limits::DEFAULT }
    }

    /// Sets the largest picture it reads and makes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for LocalImageProcessor {
    fn default() -> Self {
        Self::new(CpuPool::default())
    }
}

#[async_trait]
impl ImageProcessor for LocalImageProcessor {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse> {
        let limits = self.limits;
        self.pool.run(move || process(&request, limits)).await
    }
}

/// Does the whole request on this thread.
///
/// # Errors
/// `Corrupt` for a damaged picture; `Unsupported` for a format or size that cannot be read or written; `Invalid` for a
/// value out of range.
pub fn process(request: &ProcessRequest, limits: Limits) -> Result<ProcessResponse> {
    let decoded = decode(&request.image.bytes, limits)?;
    let source = decoded.media_type;
    let mut applied = Vec::new();
    if decoded.orientation != Orientation::UPRIGHT {
        applied.push(format!("orient {}", decoded.orientation.value()));
    }
    let mut picture = decoded.upright()?;
    for step in &request.steps {
        let (next, done) = steps::apply(*step, picture, limits)?;
        picture = next;
        applied.extend(done);
    }
    let media_type = target(request.format, source, picture.has_alpha());
    if media_type == MediaType::Jpeg {
        let (next, done) = steps::flatten(picture, request.background);
        picture = next;
        applied.extend(done);
    }
    let size = picture.size();
    Ok(ProcessResponse { image: encode(&picture, media_type, request.quality)?, size, applied })
}

#[cfg(test)]
mod tests;
