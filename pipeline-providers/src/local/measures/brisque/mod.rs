//! BRISQUE: how far the statistics of a picture's fine structure are from those of natural photographs.
//!
//! After A. Mittal, A. K. Moorthy and A. C. Bovik, "No-reference image quality assessment in the spatial domain", IEEE
//! Transactions on Image Processing 21(12), 2012. The features are those of OpenCV's module `quality`, because the model
//! is the one that ships with it: it was trained on them, on the LIVE database, release 2. `NOTICE` has the terms.

mod fit;
mod grey;
mod model;
mod scene;

use pipeline_core::error::Result;

use crate::local::image::{Picture, shrink_to};

use grey::Grey;

/// A larger picture is looked at with this longest side: the pictures the model learned from were about as large.
const SIDE: u32 = 1024;
/// A picture with a shorter side than this has too few pixels for statistics.
const LEAST: usize = 64;
/// Features of one scale.
const FEATURES: usize = 18;

/// Returns the score of an opaque picture, 0 (natural) to 100 (distorted). `None` when there is nothing to go by: a side
/// below 64 pixels, or no structure at all.
pub(super) fn brisque(picture: &Picture) -> Result<Option<f64>> {
    if picture.width().min(picture.height()) < LEAST {
        return Ok(None);
    }
    let small = picture.width().max(picture.height()) > SIDE as usize;
    let grey = if small { Grey::of(&shrink_to(picture, SIDE)?) } else { Grey::of(picture) };
    Ok(features(&grey).map(|features| model::score(&features)))
}

/// The features of both scales, or none when one of them is no number.
fn features(grey: &Grey) -> Option<[f32; 2 * FEATURES]> {
    let both = [scene::features(grey)?, scene::features(&grey.halved())?];
    let mut all = [0.0; 2 * FEATURES];
    all.iter_mut().zip(both.iter().flatten()).for_each(|(all, feature)| *all = *feature);
    all.iter().all(|feature| feature.is_finite()).then_some(all)
}

#[cfg(test)]
mod tests;
