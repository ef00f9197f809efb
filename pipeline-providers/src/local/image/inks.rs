//! The colours and pictures that a request adds, in the colours of a picture that keeps its profile.

use bytes::Bytes;
use pipeline_core::error::Result;
use pipeline_core::provider::{ColorProfile, Dimensions, ProcessStep};

use super::decode::{Profile, decode, decode_as};
use super::limits::Limits;
use super::picture::Picture;

/// The way from sRGB to the colours of a picture.
pub(super) struct Inks {
    /// The profile that the picture keeps, and the way to it.
    kept: Option<(Bytes, Profile)>,
}

impl Inks {
    /// Those of a picture with this profile; without one it is in sRGB. A profile without a way back is no help: numbers
    /// stay as they are then.
    pub(super) fn of(icc: Option<&Bytes>) -> Self {
        Self { kept: icc.and_then(|icc| Some((icc.clone(), Profile::reversed(icc)?))) }
    }

    /// Reads a picture that is put over the other one.
    ///
    /// # Errors
    /// As [`decode`].
    pub(super) fn overlay(&self, bytes: &[u8], limits: Limits) -> Result<Picture> {
        let Some((icc, way)) = &self.kept else { return decode(bytes, limits)?.upright() };
        let own = decode_as(bytes, limits, ColorProfile::Keep)?;
        let from = own.icc.clone();
        let mut picture = own.upright()?;
        if from.as_ref() == Some(icc) {
            return Ok(picture);
        }
        if let Some(profile) = from.and_then(|from| Profile::parse(&from)) {
            profile.convert(&mut picture)?;
        }
        way.convert(&mut picture)?;
        Ok(picture)
    }

    /// Returns a colour that is given in sRGB.
    ///
    /// # Errors
    /// None that can be caused from outside.
    pub(super) fn colour(&self, colour: [u8; 3]) -> Result<[u8; 3]> {
        let Some((_, way)) = &self.kept else { return Ok(colour) };
        let mut pixel = Picture::rgb(Dimensions { width: 1, height: 1 }, colour.to_vec())?;
        way.convert(&mut pixel)?;
        Ok(pixel.pixels().first_chunk().copied().unwrap_or(colour))
    }

    /// Returns the steps with the colours that they add.
    ///
    /// # Errors
    /// None that can be caused from outside.
    pub(super) fn steps(&self, steps: &[ProcessStep]) -> Result<Vec<ProcessStep>> {
        let mut steps = steps.to_vec();
        for step in &mut steps {
            match step {
                ProcessStep::Rotate { fill, .. } | ProcessStep::Resize { fill, .. } | ProcessStep::Pad { fill, .. } => {
                    let [red, green, blue, alpha] = *fill;
                    let [red, green, blue] = self.colour([red, green, blue])?;
                    *fill = [red, green, blue, alpha];
                }
                ProcessStep::Flatten { background } => *background = self.colour(*background)?,
                _ => {}
            }
        }
        Ok(steps)
    }
}
