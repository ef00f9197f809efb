//! The measurements of one picture.
//!
//! Pixels less than half opaque are not looked at: a cut-out is judged by what can be seen of it.

use pipeline_core::error::Result;
use pipeline_core::provider::Dimensions;
use serde::Serialize;

use crate::local::image::{Picture, shrink_to};

use super::blocks::blockiness;
use super::brisque::brisque;
use super::detail::{laplacian, noise};
use super::letterbox::letterbox;
use super::levels::Levels;
use super::plane::Plane;

/// Sharpness is measured at this longest side. A smaller picture is not made larger: that would blur it.
const SHARPNESS_SIDE: u32 = 512;

/// Numbers about a picture, all finite. Brightness is Rec. 709 over the stored values, 0 to 255.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurements {
    /// Variance of the Laplacian (4-neighbour) of the brightness at a longest side of 512 pixels.
    pub sharpness: f64,
    /// Mean brightness.
    pub brightness: f64,
    /// Standard deviation of the brightness.
    pub contrast: f64,
    /// Standard deviation of the noise in brightness levels, after Immerkær, "Fast noise variance estimation", 1996, in
    /// the quietest quarter of the picture.
    pub noise: f64,
    /// Share of the pixels that are black or white, 0 to 1: the sum of the next two.
    pub clipping: f64,
    /// Share of the pixels that are black: no channel above 2.
    pub clipped_shadows: f64,
    /// Share of the pixels that are white: no channel below 253.
    pub clipped_highlights: f64,
    /// Shannon entropy of the brightness levels, 0 to 8 bits.
    pub entropy: f64,
    /// Colourfulness after Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003: 0 for grey, about 15
    /// for slightly, 45 for quite and 110 for extremely colourful pictures.
    pub colorfulness: f64,
    /// How much the grid of strong JPEG compression shows, 0 to 1. Always 0 with transparent parts.
    pub blockiness: f64,
    /// Distance from natural photographs in the statistics of the fine structure, 0 to 100 (BRISQUE). Absent with
    /// transparent parts, with a side below 64 pixels and where there is no structure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brisque: Option<f64>,
    /// Whether the picture is of one colour, or nothing of it can be seen.
    pub blank: bool,
    /// Share of the height or the width, whichever is larger, that even bars at the edges take, 0 to 1. Always 0 with
    /// transparent parts.
    pub letterbox: f64,
    /// Pixels across, when upright.
    pub width: u32,
    /// Pixels down, when upright.
    pub height: u32,
    /// Millions of pixels.
    pub megapixels: f64,
    /// Width over height, when upright.
    pub aspect: f64,
    /// Relative difference of the aspect from the one asked for; 0 when none was.
    pub aspect_error: f64,
}

/// Measures a picture that is upright.
///
/// # Errors
/// None that can be caused from outside.
pub fn measure(picture: &Picture, requested: Option<Dimensions>) -> Result<Measurements> {
    let size = picture.size();
    let plane = Plane::of(picture);
    let visible = Plane::visible(picture);
    let levels = Levels::of(picture, &plane, visible.as_deref());
    let whole = visible.is_none();
    Ok(Measurements {
        sharpness: rounded(sharpness(picture, &plane, visible.as_deref())?),
        brightness: rounded(levels.mean),
        contrast: rounded(levels.deviation),
        noise: rounded(noise(&plane, visible.as_deref())),
        clipping: rounded(levels.shadows + levels.highlights),
        clipped_shadows: rounded(levels.shadows),
        clipped_highlights: rounded(levels.highlights),
        entropy: rounded(levels.entropy),
        colorfulness: rounded(levels.colorfulness),
        blockiness: rounded(if whole { blockiness(&plane) } else { 0.0 }),
        brisque: if whole { brisque(picture)?.map(rounded) } else { None },
        blank: levels.blank,
        letterbox: rounded(if whole { letterbox(&plane) } else { 0.0 }),
        width: size.width,
        height: size.height,
        megapixels: rounded(f64::from(size.width) * f64::from(size.height) / 1e6),
        aspect: rounded(aspect(size)),
        aspect_error: rounded(requested.map_or(0.0, |wanted| aspect_error(size, wanted))),
    })
}

/// Four digits behind the point; more would only be noise in the record.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1e4).round() / 1e4 } else { 0.0 }
}

fn aspect(size: Dimensions) -> f64 {
    f64::from(size.width) / f64::from(size.height.max(1))
}

fn aspect_error(found: Dimensions, wanted: Dimensions) -> f64 {
    if wanted.width == 0 || wanted.height == 0 { 0.0 } else { (aspect(found) / aspect(wanted) - 1.0).abs() }
}

fn sharpness(picture: &Picture, plane: &Plane, visible: Option<&[bool]>) -> Result<f64> {
    if picture.width().max(picture.height()) <= SHARPNESS_SIDE as usize {
        return Ok(laplacian(plane, visible));
    }
    // Scaling weighs colours by alpha, so hidden ones do not get in.
    let small = shrink_to(picture, SHARPNESS_SIDE)?;
    Ok(laplacian(&Plane::of(&small), Plane::visible(&small).as_deref()))
}

#[cfg(test)]
pub(super) mod tests;
