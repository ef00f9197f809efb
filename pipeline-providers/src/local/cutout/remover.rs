//! The provider `classical`: shrink, tell apart, refine at full size.

use std::borrow::Cow;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::model::{Capability, MediaType};
use pipeline_core::provider::{
    BackgroundRemover, Encoding, ProviderInfo, RemoveBackgroundRequest, RemoveBackgroundResponse, Usage,
};

use crate::local::image::{Limits, Picture, Threads, decode, encode_as, flatten, shrink_to};
use crate::pool::CpuPool;

use super::guided::Guide;
use super::matte::Matte;
use super::segment::{segment, undecided};

/// Longest side of the picture in which subject and background are told apart.
const WORK_SIDE: u32 = 320;

/// How far the edge may lie beside that of the small picture, in its pixels.
const EDGE: usize = 3;

/// A picture this much of whose border is transparent has been cut out already.
const CUT_OUT: f32 = 0.5;

/// Removes backgrounds on this machine, without a model. The same request gives the same bytes.
#[derive(Clone, Debug)]
pub struct Classical {
    info: ProviderInfo,
    pool: CpuPool,
    limits: Limits,
}

impl Classical {
    /// Makes one that works on `pool`.
    pub fn new(pool: CpuPool) -> Self {
        let summary = "Cuts out subjects before a background that the border shows, by colour.";
        let info = ProviderInfo::local("classical", Capability::RemoveBackground, summary);
        Self { info, pool, limits: Limits::DEFAULT }
    }

    /// Sets the largest picture it reads.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for Classical {
    fn default() -> Self {
        Self::new(CpuPool::default())
    }
}

#[async_trait]
impl BackgroundRemover for Classical {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn remove_background(&self, request: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse> {
        let (limits, pool) = (self.limits, self.pool.clone());
        self.pool
            .run_until(move |end| {
                let limits = limits.until(end);
                let picture = decode(&request.image.bytes, limits)?.upright()?;
                let Cutout { picture, confidence } = cut_out(picture)?;
                limits.check_time()?;
                // Where other pictures are worked on, the cores are theirs.
                let threads = Threads::available().at_most(pool.free() + 1);
                let image = encode_as(&picture, MediaType::Png, &Encoding::default(), threads)?;
                Ok(RemoveBackgroundResponse { image, confidence: Some(confidence), usage: Usage::default() })
            })
            .await
    }
}

/// A picture without its background.
#[derive(Clone, Debug, PartialEq)]
pub struct Cutout {
    /// The picture; the colours are those it had.
    pub picture: Picture,
    /// How far the cut is to be believed, 0 to 1; see `docs/cutout.md`.
    pub confidence: f32,
}

/// Cuts out the subject on this thread. A picture with a transparent border comes back as it is, with a confidence of 1.
///
/// # Errors
/// `Unsupported` when the picture does not say what is subject and what background.
pub fn cut_out(picture: Picture) -> Result<Cutout> {
    if clear_border(&picture) >= CUT_OUT {
        return Ok(Cutout { picture, confidence: 1.0 });
    }
    // What is seen decides, not the colours under transparent pixels.
    let mut seen = Cow::Borrowed(&picture);
    flatten(&mut seen, [255; 3]);
    let small = shrink_to(&seen, WORK_SIDE)?;
    let found = segment(&small)?;
    let lines = Guide::new(&small, EDGE, 1e-4).lines(&found.subject);
    let mut alpha = Vec::with_capacity(picture.width() * picture.height());
    // The filter leaves a haze on both sides of the edge; the curve takes it away.
    let level = |value: &f32| ((value - 0.2) / 0.6 * 255.0 + 0.5) as u8; // saturates at both ends
    lines.apply(&seen, |row| alpha.extend(row.iter().map(level)));
    let matte = Matte::new(picture.size(), alpha)?;
    if matte.coverage() <= 0.0 || matte.coverage() >= 1.0 {
        return Err(undecided("the picture is all subject or all background"));
    }
    Ok(Cutout { picture: matte.cut(&picture)?, confidence: found.confidence })
}

/// How much of the outermost pixels is transparent.
fn clear_border(picture: &Picture) -> f32 {
    if !picture.has_alpha() {
        return 0.0;
    }
    let last = picture.height() - 1;
    let (mut clear, mut all) = (0_u32, 0_u32);
    for (y, row) in picture.rows().enumerate() {
        let width = picture.width();
        for (x, pixel) in row.chunks_exact(4).enumerate() {
            if y == 0 || y == last || x == 0 || x + 1 == width {
                all += 1;
                clear += u32::from(pixel[3] < 128);
            }
        }
    }
    clear as f32 / all.max(1) as f32
}

#[cfg(test)]
mod tests;
