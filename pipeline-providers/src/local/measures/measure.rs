//! The measurements of one picture.
//!
//! Pixels less than half opaque are not looked at: a cut-out is judged by what can be seen of it.

use pipeline_core::error::Result;
use pipeline_core::provider::Dimensions;
use serde::Serialize;

use crate::local::image::{Picture, shrink_to};

use super::letterbox::letterbox;
use super::plane::Plane;

/// Sharpness is measured at this longest side. A smaller picture is not made larger: that would blur it.
const SHARPNESS_SIDE: u32 = 512;
/// A picture is blank when no channel has a larger standard deviation.
const BLANK: f64 = 1.0;

/// Numbers about a picture, all finite. Brightness is Rec. 709 over the stored values, 0 to 255.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurements {
    /// Variance of the Laplacian (4-neighbour) of the brightness at a longest side of 512 pixels.
    pub sharpness: f64,
    /// Mean brightness.
    pub brightness: f64,
    /// Standard deviation of the brightness.
    pub contrast: f64,
    /// Standard deviation of the noise in brightness levels, after Immerkær, "Fast noise variance estimation", 1996.
    /// Fine texture counts as noise.
    pub noise: f64,
    /// Share of the pixels that are pure black or pure white, 0 to 1.
    pub clipping: f64,
    /// Whether the picture is of one colour, or nothing of it can be seen.
    pub blank: bool,
    /// Share of the height or the width, whichever is larger, that even bars at the edges take, 0 to 1. Always 0 with
    /// transparent parts.
    pub letterbox: f64,
    /// Pixels across, when upright.
    pub width: u32,
    /// Pixels down, when upright.
    pub height: u32,
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
    let noise = noise(&plane, visible.as_deref());
    let letterbox = if visible.is_none() { letterbox(&plane) } else { 0.0 };
    Ok(Measurements {
        sharpness: rounded(sharpness(picture, &plane, visible.as_deref())?),
        brightness: rounded(levels.mean),
        contrast: rounded(levels.deviation),
        noise: rounded(noise),
        clipping: rounded(levels.clipped),
        blank: levels.blank,
        letterbox: rounded(letterbox),
        width: size.width,
        height: size.height,
        aspect_error: rounded(requested.map_or(0.0, |wanted| aspect_error(size, wanted))),
    })
}

/// Four digits behind the point; more would only be noise in the record.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1e4).round() / 1e4 } else { 0.0 }
}

fn aspect_error(found: Dimensions, wanted: Dimensions) -> f64 {
    let aspect = |size: Dimensions| f64::from(size.width) / f64::from(size.height.max(1));
    if wanted.width == 0 || wanted.height == 0 { 0.0 } else { (aspect(found) / aspect(wanted) - 1.0).abs() }
}

/// What the pixels say without their places.
struct Levels {
    mean: f64,
    deviation: f64,
    clipped: f64,
    blank: bool,
}

impl Levels {
    fn of(picture: &Picture, plane: &Plane, visible: Option<&[bool]>) -> Self {
        let mut counts = [[0_u32; 256]; 4]; // brightness, red, green, blue
        let mut clipped = 0_u64;
        let mut seen = visible.map(|visible| visible.iter());
        for (pixel, brightness) in picture.pixels().chunks_exact(picture.channels()).zip(&plane.values) {
            if seen.as_mut().is_some_and(|seen| seen.next() == Some(&false)) {
                continue;
            }
            counts[0][usize::from(*brightness)] += 1;
            for (counts, value) in counts[1..].iter_mut().zip(pixel) {
                counts[usize::from(*value)] += 1;
            }
            clipped += u64::from(matches!(pixel, [0, 0, 0, ..] | [255, 255, 255, ..]));
        }
        let total: u64 = counts[0].iter().map(|&count| u64::from(count)).sum();
        let [(mean, deviation), channels @ ..] = counts.map(|counts| spread(&counts));
        let blank = channels.iter().all(|(_, deviation)| *deviation <= BLANK);
        Self { mean, deviation, clipped: clipped as f64 / total.max(1) as f64, blank }
    }
}

/// The mean and the standard deviation of counted values.
fn spread(counts: &[u32; 256]) -> (f64, f64) {
    let each = || counts.iter().enumerate().map(|(value, &count)| (value as u64, u64::from(count)));
    let total = each().map(|(_, count)| count).sum::<u64>().max(1) as f64;
    let mean = each().map(|(value, count)| value * count).sum::<u64>() as f64 / total;
    let squares = each().map(|(value, count)| value * value * count).sum::<u64>() as f64 / total;
    (mean, (squares - mean * mean).max(0.0).sqrt())
}

/// Sums `value` over all places of a 3 by 3 window in which everything is visible, and counts them.
fn windows(plane: &Plane, visible: Option<&[bool]>, mut value: impl FnMut([&[u8; 3]; 3])) -> u64 {
    let width = plane.width;
    let rows: Vec<&[u8]> = plane.rows().collect();
    let mut count = 0;
    for (y, [above, middle, below]) in rows.array_windows::<3>().enumerate() {
        let seen = |x: usize| {
            visible.is_none_or(|visible| {
                (0..3).all(|down| {
                    visible.get((y + down) * width + x..).is_some_and(|seen| seen.iter().take(3).all(|seen| *seen))
                })
            })
        };
        let lines = above.array_windows::<3>().zip(middle.array_windows::<3>()).zip(below.array_windows::<3>());
        for (x, ((above, middle), below)) in lines.enumerate() {
            if visible.is_none() || seen(x) {
                value([above, middle, below]);
                count += 1;
            }
        }
    }
    count
}

/// Immerkær's estimate: the difference of two Laplacians answers to noise and hardly to edges.
fn noise(plane: &Plane, visible: Option<&[bool]>) -> f64 {
    let mut sum = 0_u64;
    let count = windows(plane, visible, |[a, b, c]| {
        let corners = i32::from(a[0]) + i32::from(a[2]) + i32::from(c[0]) + i32::from(c[2]);
        let sides = i32::from(a[1]) + i32::from(b[0]) + i32::from(b[2]) + i32::from(c[1]);
        sum += u64::from((corners - 2 * sides + 4 * i32::from(b[1])).unsigned_abs());
    });
    if count == 0 { 0.0 } else { (std::f64::consts::PI / 2.0).sqrt() * sum as f64 / (6.0 * count as f64) }
}

fn sharpness(picture: &Picture, plane: &Plane, visible: Option<&[bool]>) -> Result<f64> {
    if picture.width().max(picture.height()) <= SHARPNESS_SIDE as usize {
        return Ok(laplacian(plane, visible));
    }
    // Scaling weighs colours by alpha, so hidden ones do not get in.
    let small = shrink_to(picture, SHARPNESS_SIDE)?;
    Ok(laplacian(&Plane::of(&small), Plane::visible(&small).as_deref()))
}

/// The variance of the 4-neighbour Laplacian.
fn laplacian(plane: &Plane, visible: Option<&[bool]>) -> f64 {
    let (mut sum, mut squares) = (0_i64, 0_i64);
    let count = windows(plane, visible, |[a, b, c]| {
        let sides = i32::from(a[1]) + i32::from(b[0]) + i32::from(b[2]) + i32::from(c[1]);
        let value = i64::from(sides - 4 * i32::from(b[1]));
        sum += value;
        squares += value * value;
    })
    .max(1) as f64;
    let mean = sum as f64 / count;
    squares as f64 / count - mean * mean
}

#[cfg(test)]
pub(super) mod tests;
