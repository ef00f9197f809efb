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
use super::levels::{Levels, has_shape};
use super::plane::Plane;

/// Sharpness is measured at this longest side. A smaller picture is not made larger: that would blur it.
const SHARPNESS_SIDE: u32 = 512;

/// Numbers about a picture, all finite. Brightness is Rec. 709 over the stored values, 0 to 255.
///
/// What is absent had nothing to be measured on: everything but `blank` and the size is where nothing can be seen, and where all
/// that can be seen is one colour, of which alpha makes a shape; `sharpness` and `noise` are where no pixel can be seen with the
/// eight around it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurements {
    /// Variance of the Laplacian (4-neighbour) of the brightness at a longest side of 512 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f64>,
    /// Mean brightness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brightness: Option<f64>,
    /// Standard deviation of the brightness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast: Option<f64>,
    /// Standard deviation of the noise in brightness levels, after Immerkær, "Fast noise variance estimation", 1996, in
    /// the quietest quarter of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Share of the pixels that are black or white, 0 to 1: the sum of the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipping: Option<f64>,
    /// Share of the pixels that are black: no channel above 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipped_shadows: Option<f64>,
    /// Share of the pixels that are white: no channel below 253.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipped_highlights: Option<f64>,
    /// Shannon entropy of the brightness levels, 0 to 8 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Colourfulness after Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003: 0 for grey, about 15
    /// for slightly, 45 for quite and 110 for extremely colourful pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colorfulness: Option<f64>,
    /// How much the grid of strong JPEG compression shows, 0 to 1. Absent with transparent parts and with
    /// a side below 32 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blockiness: Option<f64>,
    /// Distance from natural photographs in the statistics of the fine structure, 0 to 100 (BRISQUE). Absent with
    /// transparent parts, with a side below 64 pixels and where there is no structure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brisque: Option<f64>,
    /// Whether the picture is of one colour, or nothing of it can be seen, and there is no shape in its alpha.
    pub blank: bool,
    /// Share of the height or the width, whichever is larger, that even bars at the edges take, 0 to 1. Absent with
    /// transparent parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letterbox: Option<f64>,
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
    let visible = visible.as_deref();
    let levels = Levels::of(picture, &plane, visible);
    let one_colour = levels.is_none_or(|levels| levels.one_colour);
    let shape = one_colour && has_shape(picture);
    // Light and detail of a shape are not in its colour: a black icon is not too dark.
    let levels = levels.filter(|_| !shape);
    let some = levels.is_some();
    let whole = some && visible.is_none();
    Ok(Measurements {
        sharpness: if some { sharpness(picture, &plane, visible)?.map(rounded) } else { None },
        brightness: levels.map(|levels| rounded(levels.mean)),
        contrast: levels.map(|levels| rounded(levels.deviation)),
        noise: if some { noise(&plane, visible).map(rounded) } else { None },
        clipping: levels.map(|levels| rounded(levels.shadows + levels.highlights)),
        clipped_shadows: levels.map(|levels| rounded(levels.shadows)),
        clipped_highlights: levels.map(|levels| rounded(levels.highlights)),
        entropy: levels.map(|levels| rounded(levels.entropy)),
        colorfulness: levels.map(|levels| rounded(levels.colorfulness)),
        blockiness: if whole { blockiness(&plane).map(rounded) } else { None },
        brisque: if whole { brisque(picture)?.map(rounded) } else { None },
        blank: one_colour && !shape,
        letterbox: whole.then(|| rounded(letterbox(&plane))),
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

fn sharpness(picture: &Picture, plane: &Plane, visible: Option<&[bool]>) -> Result<Option<f64>> {
    if picture.width().max(picture.height()) <= SHARPNESS_SIDE as usize {
        return Ok(laplacian(plane, visible));
    }
    // Scaling weighs colours by alpha, so hidden ones do not get in.
    let small = shrink_to(picture, SHARPNESS_SIDE)?;
    Ok(laplacian(&Plane::of(&small), Plane::visible(&small).as_deref()))
}

#[cfg(test)]
pub(super) mod tests;
