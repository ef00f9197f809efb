//! The largest picture that is worked on.

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::Dimensions;

/// The largest picture that is decoded or made; checked on the header, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest side in pixels.
    pub max_side: u32,
    /// Most pixels in all.
    pub max_pixels: u64,
}

impl Limits {
    /// A side of 16 384 and 100 megapixels.
    pub const DEFAULT: Self = Self { max_side: 16_384, max_pixels: 100_000_000 };

    /// Most bytes one decoder may take: eight for each pixel, and room for its tables.
    pub(crate) fn max_bytes(self) -> u64 {
        self.max_pixels.saturating_mul(8).saturating_add(64 << 20)
    }

    /// Checks a size.
    ///
    /// # Errors
    /// `Corrupt` when a side is zero; `Unsupported` when the size is beyond the limits.
    pub fn check(self, size: Dimensions) -> Result<()> {
        if size.width == 0 || size.height == 0 {
            return Err(Error::corrupt("the picture has no pixels").with("size", size));
        }
        let too_large = |message: &str| Error::new(ErrorKind::Unsupported, message).with("size", size);
        if size.width.max(size.height) > self.max_side {
            return Err(too_large("the picture is too large: its longest side is beyond the limit")
                .with("accepted", format!("at most {} pixels a side", self.max_side)));
        }
        if u64::from(size.width) * u64::from(size.height) > self.max_pixels {
            return Err(too_large("the picture is too large: it has more pixels than the limit")
                .with("accepted", format!("at most {} pixels in all", self.max_pixels)));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_and_the_number_of_pixels_are_both_limited() {
        let check = |width, height| Limits::DEFAULT.check(Dimensions { width, height });
        assert!(check(16_384, 6_000).is_ok());
        assert!(check(10_000, 10_000).is_ok());
        let side = check(16_385, 1).unwrap_err();
        assert_eq!(side.kind(), ErrorKind::Unsupported);
        assert!(side.to_string().contains("size=16385x1, accepted=at most 16384 pixels a side"), "{side}");
        let pixels = check(10_001, 10_000).unwrap_err();
        assert!(pixels.to_string().contains("at most 100000000 pixels in all"), "{pixels}");
        assert_eq!(check(0, 5).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
