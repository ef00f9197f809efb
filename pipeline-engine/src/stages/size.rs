//! Sizes as people write them: `1024x768`, or an aspect such as `16:9`.

use pipeline_core::provider::{Dimensions, ImageCapabilities};
use pipeline_core::{Error, ErrorKind, Result};

/// What accepted sizes look like.
pub(super) const ACCEPTED: &str = "WIDTHxHEIGHT such as 1024x768, or an aspect such as 16:9";

/// Reads a size; an aspect becomes the size of about `pixels` pixels that the generator can make.
pub(super) fn parse(text: &str, pixels: f64, able: &ImageCapabilities) -> Result<Dimensions> {
    let wrong = || Error::invalid("not a size").with("size", text).with("accepted", ACCEPTED);
    let pair = |separator: char| -> Option<(u32, u32)> {
        let (left, right) = text.trim().split_once(separator)?;
        let both = (left.trim().parse().ok()?, right.trim().parse().ok()?);
        (both.0 > 0 && both.1 > 0).then_some(both)
    };
    if let Some((width, height)) = pair('x').or_else(|| pair('X')).or_else(|| pair('×')) {
        return check(Dimensions { width, height }, able);
    }
    let (across, down) = pair(':').ok_or_else(wrong)?;
    let ratio = f64::from(across) / f64::from(down);
    let side = |exact: f64| {
        let step = f64::from(able.step.max(1));
        let rounded = (exact / step).round() * step;
        rounded.clamp(f64::from(able.min_side), f64::from(able.max_side)) as u32
    };
    check(Dimensions { width: side((pixels * ratio).sqrt()), height: side((pixels / ratio).sqrt()) }, able)
}

/// Tells whether a text looks like a size, without knowing the generator.
pub(super) fn looks_right(text: &str) -> bool {
    let any = ImageCapabilities {
        min_side: 1,
        max_side: u32::MAX,
        step: 1,
        max_per_call: 1,
        seeded: true,
        negative_prompt: true,
        styles: Vec::new(),
    };
    parse(text, 1_048_576.0, &any).is_ok()
}

fn check(size: Dimensions, able: &ImageCapabilities) -> Result<Dimensions> {
    let fits = |side: u32| side >= able.min_side && side <= able.max_side && side.is_multiple_of(able.step.max(1));
    if fits(size.width) && fits(size.height) {
        return Ok(size);
    }
    Err(Error::new(ErrorKind::Unsupported, "the generator cannot make this size")
        .with("size", size)
        .with("accepted", format!("sides from {} to {} in steps of {}", able.min_side, able.max_side, able.step)))
}
