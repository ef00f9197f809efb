//! The provider: decode, turn upright, do the steps in order, encode.

use std::borrow::Cow;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result, chain};
use pipeline_core::model::{Capability, MediaType};
use pipeline_core::provider::{
    EmbedMetadataRequest, Encoding, FailedPart, ImageFile, ImageInfo, ImageProcessor, OutputFormat, ProcessPart,
    ProcessRequest, ProcessResponse, ProviderInfo, Rendition, RenditionFile,
};

use super::bands::Threads;
use super::decode::{decode, decode_on};
use super::embed::embed;
use super::encode::{encode_as, target};
use super::inks::Inks;
use super::keep::Keepsake;
use super::limits::Limits;
use super::orient::Orientation;
use super::picture::Picture;
use super::steps::{self, Log, Workbench};
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
    threads: Threads,
}

impl LocalImageProcessor {
    /// Makes one that works on `pool`.
    pub fn new(pool: CpuPool) -> Self {
        let summary = "Trims, scales, rotates, colours, sharpens, marks and encodes pictures.";
        Self {
            info: ProviderInfo::local("image", Capability::ProcessImage, summary),
            pool,
            limits: Limits::DEFAULT,
            threads: Threads::available(),
        }
    }

    /// Sets the largest picture it reads and makes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many threads may work on one picture: one a core unless said otherwise, and no more than the pool has free
    /// places.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
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
        let (limits, threads, pool) = (self.limits, self.threads, self.pool.clone());
        // Where other pictures are worked on, the cores are theirs.
        self.pool.run_until(move |end| process_on(&request, limits.until(end), threads.at_most(pool.free() + 1))).await
    }

    async fn embed(&self, request: EmbedMetadataRequest) -> Result<ImageFile> {
        self.pool.run(move || embed(&request)).await
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
    Ok(ImageInfo { size, colors, color_names, has_alpha: picture.has_alpha() })
}

/// Does the whole request, with one thread a core where that helps.
///
/// # Errors
/// As [`process_on`].
pub fn process(request: &ProcessRequest, limits: Limits) -> Result<ProcessResponse> {
    process_on(request, limits, Threads::available())
}

/// Does the whole request on this many threads; the bytes do not depend on their number.
///
/// # Errors
/// `Corrupt` for a damaged picture; `Unsupported` for a format or size that cannot be read or written; `Invalid` for a
/// value out of range; `Timeout` when the time of `limits` is over. A part that may fail softly is told in the response
/// instead.
pub fn process_on(request: &ProcessRequest, limits: Limits, threads: Threads) -> Result<ProcessResponse> {
    let decoded = decode_on(&request.image.bytes, limits, request.color, threads)?;
    let source = decoded.media_type;
    let mut log = Log::default();
    log.applied.extend(decoded.colours.map(str::to_owned));
    if decoded.orientation != Orientation::UPRIGHT {
        log.applied.push(format!("orient {}", decoded.orientation.value()));
    }
    let keepsake = Keepsake::of(&request.image.bytes, decoded.icc.clone(), request.exif);
    let inks = Inks::of(decoded.icc.as_ref());
    let picture = Cow::Owned(decoded.upright()?);
    let overlays: Vec<Result<Picture>> =
        request.overlays.iter().map(|overlay| inks.overlay(&overlay.bytes, limits)).collect();
    let bench = Workbench { limits, threads, overlays: &overlays, soft: &request.soft };
    let picture = bench.run(picture, &inks.steps(&request.steps)?, &mut log)?;
    let writing = Writing { source, background: inks.colour(request.background)?, keepsake, threads };

    let mut failed: Vec<FailedPart> = log.failed.drain(..).map(|(part, error)| told(part, None, &error)).collect();
    let mut renditions = Vec::new();
    for rendition in &request.renditions {
        limits.check_time()?;
        let mut own = Log::default();
        let rendition = &Rendition { steps: inks.steps(&rendition.steps)?, ..rendition.clone() };
        match render(&picture, rendition, &bench, &writing, &mut own) {
            Ok(file) => {
                log.applied.extend(own.applied.into_iter().map(|done| format!("{}: {done}", rendition.name)));
                renditions.push(file);
            }
            Err((part, error)) => {
                bench.tolerate(part, error, &mut own)?;
                let told = own.failed.into_iter().map(|(part, error)| told(part, Some(&rendition.name), &error));
                failed.extend(told);
            }
        }
    }

    // An encoder does not look at the clock.
    limits.check_time()?;
    let size = picture.size();
    let image = match writing.write(Cow::Borrowed(&picture), &request.encoding, &mut log.applied) {
        Ok(image) => image,
        Err(error) => {
            bench.tolerate(ProcessPart::Encode, error, &mut log)?;
            // Any picture can be a PNG, with its profile.
            writing.write(Cow::Borrowed(&picture), &Encoding::new(OutputFormat::Png), &mut log.applied)?
        }
    };
    failed.extend(log.failed.into_iter().map(|(part, error)| told(part, None, &error)));
    Ok(ProcessResponse { image, size, applied: log.applied, failed, renditions })
}

fn told(part: ProcessPart, rendition: Option<&str>, error: &Error) -> FailedPart {
    FailedPart { part, rendition: rendition.map(str::to_owned), message: chain(error) }
}

/// Makes one rendition. Whatever fails, it is not made: half of what was asked for would pass for the whole.
fn render(
    picture: &Picture,
    rendition: &Rendition,
    bench: &Workbench<'_>,
    writing: &Writing,
    log: &mut Log,
) -> std::result::Result<RenditionFile, (ProcessPart, Error)> {
    let tolerant = Workbench { soft: ProcessPart::ALL, ..*bench };
    let unexpected = |error| (ProcessPart::Encode, error);
    let made = tolerant.run(Cow::Borrowed(picture), &rendition.steps, log).map_err(unexpected)?;
    if let Some(failed) = log.failed.pop() {
        return Err(failed);
    }
    let size = made.size();
    let image =
        writing.write(made, &rendition.encoding, &mut log.applied).map_err(|error| (ProcessPart::Encode, error))?;
    Ok(RenditionFile { name: rendition.name.clone(), image, size })
}

/// What every file of a request has in common.
struct Writing {
    source: MediaType,
    background: [u8; 3],
    keepsake: Keepsake,
    threads: Threads,
}

impl Writing {
    fn write(
        &self,
        mut picture: Cow<'_, Picture>,
        encoding: &Encoding,
        applied: &mut Vec<String>,
    ) -> Result<ImageFile> {
        let media_type = target(encoding.format, self.source, picture.has_alpha());
        let done = (media_type == MediaType::Jpeg).then(|| steps::flatten(&mut picture, self.background)).flatten();
        let file = encode_as(&picture, media_type, encoding, self.threads)?;
        let file = self.keepsake.put_into(file, picture.size())?;
        applied.extend(done);
        Ok(file)
    }
}

#[cfg(test)]
mod tests;
