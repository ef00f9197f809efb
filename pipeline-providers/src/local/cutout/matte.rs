//! How much of each pixel is subject.

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::Dimensions;

use crate::local::image::Picture;

/// The opacity of each pixel, 0 to 255, in rows from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct Matte {
    size: Dimensions,
    alpha: Vec<u8>,
}

impl std::fmt::Debug for Matte {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matte({})", self.size)
    }
}

impl Matte {
    /// Makes a matte of one byte a pixel.
    ///
    /// # Errors
    /// `Unexpected` when the number of bytes does not fit the size, or there are none.
    pub fn new(size: Dimensions, alpha: Vec<u8>) -> Result<Self> {
        if alpha.is_empty() || alpha.len() as u64 != u64::from(size.width) * u64::from(size.height) {
            return Err(Error::unexpected("the matte does not fit its size")
                .with("size", size)
                .with("bytes", alpha.len()));
        }
        Ok(Self { size, alpha })
    }

    /// Returns the opacity of a picture; `None` when it is opaque.
    pub fn of(picture: &Picture) -> Option<Self> {
        let alpha = || picture.pixels().chunks_exact(4).map(|pixel| pixel[3]).collect();
        picture.has_alpha().then(|| Self { size: picture.size(), alpha: alpha() })
    }

    /// Returns the size in pixels.
    pub fn size(&self) -> Dimensions {
        self.size
    }

    /// Returns one byte a pixel.
    pub fn alpha(&self) -> &[u8] {
        &self.alpha
    }

    pub(super) fn alpha_mut(&mut self) -> &mut [u8] {
        &mut self.alpha
    }

    pub(super) fn width(&self) -> usize {
        self.size.width as usize
    }

    /// Returns how much of the picture is subject, 0 to 1.
    pub fn coverage(&self) -> f32 {
        let sum: u64 = self.alpha.iter().map(|alpha| u64::from(*alpha)).sum();
        (sum as f64 / (255.0 * self.alpha.len() as f64)) as f32
    }

    /// Returns how decided the matte is, 0 to 1: 1 when every pixel is either subject or background, 0 when what is
    /// half-transparent amounts to as much as the subject.
    pub fn decidedness(&self) -> f32 {
        let (mut unsure, mut subject) = (0_u64, 0_u64);
        for alpha in self.alpha.iter().map(|alpha| u64::from(*alpha)) {
            unsure += alpha * (255 - alpha);
            subject += alpha * 255;
        }
        if subject == 0 { 0.0 } else { (1.0 - 2.0 * unsure as f64 / subject as f64).max(0.0) as f32 }
    }

    /// Gives a picture this opacity; where it was transparent before, it stays so.
    ///
    /// # Errors
    /// `Unexpected` when the sizes differ.
    pub fn cut(&self, picture: &Picture) -> Result<Picture> {
        if picture.size() != self.size {
            return Err(Error::unexpected("the matte is of another size than the picture")
                .with("matte", self.size)
                .with("picture", picture.size()));
        }
        let mut pixels = Vec::with_capacity(self.alpha.len() * 4);
        for (pixel, alpha) in picture.pixels().chunks_exact(picture.channels()).zip(&self.alpha) {
            let before = pixel.get(3).copied().unwrap_or(255);
            let alpha = (u32::from(before) * u32::from(*alpha) + 127) / 255;
            pixels.extend_from_slice(&pixel[..3]);
            pixels.push(alpha as u8);
        }
        Picture::rgba(self.size, pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Dimensions = Dimensions { width: 2, height: 1 };

    #[test]
    fn cutting_never_makes_a_pixel_more_opaque() {
        let picture = Picture::rgba(TWO, vec![1, 2, 3, 100, 4, 5, 6, 255]).unwrap();
        let cut = Matte::new(TWO, vec![255, 51]).unwrap().cut(&picture).unwrap();
        assert_eq!(cut.pixels(), [1, 2, 3, 100, 4, 5, 6, 51]);
        assert_eq!(Matte::of(&cut).unwrap().alpha(), [100, 51]);
    }

    #[test]
    fn a_matte_of_another_size_is_refused() {
        let picture = Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1, 2, 3]).unwrap();
        assert!(Matte::new(TWO, vec![0, 255]).unwrap().cut(&picture).is_err());
        assert!(Matte::new(TWO, vec![0]).is_err());
        assert_eq!(Matte::of(&picture), None);
    }

    #[test]
    fn coverage_and_decidedness_are_shares() {
        let half = Matte::new(TWO, vec![0, 255]).unwrap();
        assert_eq!((half.coverage(), half.decidedness()), (0.5, 1.0));
        let soft = Matte::new(TWO, vec![128, 128]).unwrap();
        assert!(soft.decidedness() < 0.01, "{}", soft.decidedness());
        let empty = Matte::new(TWO, vec![0, 0]).unwrap();
        assert_eq!((empty.coverage(), empty.decidedness()), (0.0, 0.0));
    }
}
