//! The provider: decode, turn upright, do the steps in order, encode.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::model::{Capability, MediaType};
use pipeline_core::provider::{ImageFile, ImageInfo, ImageProcessor, ProcessRequest, ProcessResponse, ProviderInfo};

use super::decode::{decode, decode_as};
use super::encode::{encode, target};
use super::limits::Limits;
use super::orient::Orientation;
use super::steps;
use crate::local::template::{color_name, dominant_colors};
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

    async fn inspect(&self, image: ImageFile) -> Result<ImageInfo> {
        let limits = self.limits;
        self.pool.run_until(move |end| inspect(&image, limits.until(end))).await
    }

    async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse> {
        let limits = self.limits;
        self.pool.run_until(move |end| process(&request, limits.until(end))).await
    }
}

/// Colours are counted in a picture of this longest side.
const COLOR_SIDE: u32 = 96;
/// At most this many colours are named.
const COLORS: usize = 4;

/// Decodes the whole picture on this thread and says what it is.
///
/// # Errors
/// `Corrupt` for a damaged picture; `Unsupported` for a format or size that cannot be read.
pub fn inspect(image: &ImageFile, limits: Limits) -> Result<ImageInfo> {
    let picture = decode(&image.bytes, limits)?.upright()?;
    let size = picture.size();
    let mut small = steps::shrink_to(&picture, COLOR_SIDE)?;
    small.flatten([255; 3]);
    let colors = dominant_colors(small.pixels(), COLORS);
    let mut color_names: Vec<String> = Vec::new();
    for name in colors.iter().map(|color| color_name(*color)) {
        if !color_names.iter().any(|known| known == name) {
            color_names.push(name.to_owned());
        }
    }
    Ok(ImageInfo { size, colors, color_names })
}

/// Does the whole request on this thread.
///
/// # Errors
/// `Corrupt` for a damaged picture; `Unsupported` for a format or size that cannot be read or written; `Invalid` for a
/// value out of range; `Timeout` when the time of `limits` is over.
pub fn process(request: &ProcessRequest, limits: Limits) -> Result<ProcessResponse> {
    let decoded = decode_as(&request.image.bytes, limits, request.color)?;
    let source = decoded.media_type;
    let mut applied: Vec<String> = decoded.colours.map(str::to_owned).into_iter().collect();
    if decoded.orientation != Orientation::UPRIGHT {
        applied.push(format!("orient {}", decoded.orientation.value()));
    }
    let mut picture = decoded.upright()?;
    for step in &request.steps {
        let (next, done) = steps::apply(*step, picture, limits)?;
        picture = next;
        applied.extend(done);
        limits.check_time()?;
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
