//! A model that cuts out subjects.

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{
    BackgroundRemover, Encoding, ProviderInfo, RemoveBackgroundRequest, RemoveBackgroundResponse, Usage,
};

use crate::local::cutout::{Enlarger, Matte, Plane};
use crate::local::image::{Picture, Threads, encode_as};

use super::config::Normalise;
use super::model::Model;
use super::runtime::{Tensor, strange};

/// Less than this share of the picture is no subject; more than the rest is no background.
const LEAST: f32 = 0.000_5;

/// Removes backgrounds with a segmentation model.
#[derive(Clone, Debug)]
pub struct OnnxRemover {
    pub(super) info: ProviderInfo,
    pub(super) model: Model,
    pub(super) normalise: Normalise,
}

#[async_trait]
impl BackgroundRemover for OnnxRemover {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn remove_background(&self, request: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse> {
        let normalise = self.normalise;
        let read = move |picture: Picture, answer: Tensor| {
            let matte = matte(&picture, &plane(&answer, normalise)?)?;
            let image = encode_as(&matte.cut(&picture)?, MediaType::Png, &Encoding::default(), Threads::ONE)?;
            Ok(RemoveBackgroundResponse { image, confidence: Some(matte.decidedness()), usage: Usage::default() })
        };
        self.model.look(request.image, read).await
    }
}

/// The answer as one plane of values from 0 to 1.
fn plane(answer: &Tensor, normalise: Normalise) -> Result<Plane> {
    // Dimensions of one tell nothing.
    let sides: Vec<usize> = answer.shape.iter().copied().filter(|length| *length != 1).collect();
    let [height, width] = *sides.as_slice() else {
        return Err(strange("the model's answer is no plane")
            .with("shape", format!("{:?}", answer.shape))
            .with("accepted", "height and width, and dimensions of 1; see `output`"));
    };
    if height == 0 || width == 0 {
        return Err(strange("the model's answer is a plane without values")
            .with("shape", format!("{:?}", answer.shape))
            .with("accepted", "a height and width above 0; see `output`"));
    }
    let (least, most) = answer
        .values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)));
    let level = |value: f32| match normalise {
        Normalise::MinMax if most > least => (value - least) / (most - least),
        Normalise::Sigmoid => 1.0 / (1.0 + libm::expf(-value)),
        Normalise::MinMax | Normalise::None | Normalise::Softmax => value,
    };
    Ok(Plane::of(width, height, |place| level(answer.values[place]).clamp(0.0, 1.0)))
}

/// The plane as large as the picture.
fn matte(picture: &Picture, plane: &Plane) -> Result<Matte> {
    let (width, height) = (picture.width(), picture.height());
    let enlarger = Enlarger::new(plane, width, height);
    let mut row = vec![0.0; width];
    let mut alpha = Vec::with_capacity(width * height);
    for y in 0..height {
        enlarger.row(plane, y, &mut row);
        alpha.extend(row.iter().map(|value| (value * 255.0 + 0.5) as u8));
    }
    let matte = Matte::new(picture.size(), alpha)?;
    let coverage = matte.coverage();
    if (LEAST..=1.0 - LEAST).contains(&coverage) {
        return Ok(matte);
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "cannot tell the subject from the background: the model finds no subject, or nothing else",
    )
    .with("subject", format!("{:.2} %", 100.0 * coverage))
    .with("accepted", "a picture with a subject and a background"))
}

#[cfg(test)]
mod tests;
