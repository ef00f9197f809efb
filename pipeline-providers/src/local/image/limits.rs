//! The largest picture that is worked on, and for how long.

use std::time::Instant;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::Dimensions;

use crate::pool::too_slow;

/// The largest picture that is decoded or made; checked on the headers, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest side in pixels.
    pub max_side: u32,
    /// Most pixels in all.
    pub max_pixels: u64,
    /// Most pictures that one file may hold: the frames of an animation.
    pub max_frames: u32,
    /// Most bytes that decoding one file may take beside the file itself.
    pub max_memory: u64,
    /// When the work has to have ended; `None` for no end.
    pub end: Option<Instant>,
}

impl Limits {
    /// A side of 16 384, 100 megapixels, 10 000 frames, 1 GiB, and all the time there is.
    pub const DEFAULT: Self =
        Self { max_side: 16_384, max_pixels: 100_000_000, max_frames: 10_000, max_memory: 1 << 30, end: None };

    /// Sets when the work has to have ended.
    pub fn until(mut self, end: Option<Instant>) -> Self {
        self.end = end;
        self
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

    /// Checks the number of pictures in a file.
    ///
    /// # Errors
    /// `Unsupported` when there are more than the limit.
    pub fn check_frames(self, frames: u32) -> Result<()> {
        if frames <= self.max_frames {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "the file holds too many pictures")
            .with("frames", frames)
            .with("accepted", format!("at most {}", self.max_frames)))
    }

    /// Checks the bytes that a piece of work would take.
    ///
    /// # Errors
    /// `Unsupported` when they are more than the limit.
    pub fn check_memory(self, bytes: u64) -> Result<()> {
        if bytes <= self.max_memory {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "decoding the picture takes too much memory")
            .with("bytes", bytes)
            .with("accepted", format!("at most {} bytes", self.max_memory)))
    }

    /// Checks the clock. Work that takes long calls it from time to time.
    ///
    /// # Errors
    /// `Timeout` when the time is over.
    pub fn check_time(self) -> Result<()> {
        match self.end {
            Some(end) if Instant::now() >= end => Err(too_slow()),
            _ => Ok(()),
        }
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

    #[test]
    fn frames_and_memory_are_limited_too() {
        let limits = Limits { max_frames: 3, max_memory: 100, ..Limits::DEFAULT };
        assert!(limits.check_frames(3).is_ok() && limits.check_memory(100).is_ok());
        let frames = limits.check_frames(4).unwrap_err();
        assert_eq!(frames.to_string(), "the file holds too many pictures (frames=4, accepted=at most 3)");
        let memory = limits.check_memory(101).unwrap_err();
        assert!(memory.to_string().ends_with("(bytes=101, accepted=at most 100 bytes)"), "{memory}");
        assert_eq!((frames.kind(), memory.kind()), (ErrorKind::Unsupported, ErrorKind::Unsupported));
    }

    #[test]
    fn time_that_is_over_is_a_timeout_and_no_end_never_is() {
        assert!(Limits::DEFAULT.check_time().is_ok());
        let over = Limits::DEFAULT.until(Some(Instant::now()));
        assert_eq!(over.check_time().unwrap_err().kind(), ErrorKind::Timeout);
    }
}
