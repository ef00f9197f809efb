//! Adding area around a picture.

use pipeline_core::error::Result;
use pipeline_core::provider::{Anchor, Dimensions};

use super::super::limits::Limits;
use super::super::picture::Picture;

/// How much is added on each side, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) top: u32,
    pub(super) right: u32,
    pub(super) bottom: u32,
    pub(super) left: u32,
}

impl Frame {
    /// What is missing from `inner` to `outer` when it stands at this place.
    pub(super) fn around(inner: Dimensions, outer: Dimensions, anchor: Anchor) -> Self {
        let (across, down) = anchor.halves();
        let (width, height) = (outer.width.saturating_sub(inner.width), outer.height.saturating_sub(inner.height));
        let part = |room: u32, halves: u32| (u64::from(room) * u64::from(halves) / 2) as u32;
        let (left, top) = (part(width, across), part(height, down));
        Self { top, right: width - left, bottom: height - top, left }
    }
}

/// Returns the picture with area of this colour around it.
///
/// # Errors
/// `Unsupported` when the result is beyond `limits`.
pub(super) fn pad(picture: &Picture, frame: &Frame, fill: [u8; 4], limits: Limits) -> Result<Picture> {
    let add = |side: u32, before: u32, after: u32| side.saturating_add(before).saturating_add(after);
    let size = Dimensions {
        width: add(picture.size().width, frame.left, frame.right),
        height: add(picture.size().height, frame.top, frame.bottom),
    };
    limits.check(size)?;
    if picture.has_alpha() || fill[3] != 255 {
        let pixels = surrounded(&picture.to_rgba(), picture.width(), frame, size, fill);
        return Picture::rgba(size, pixels);
    }
    let [red, green, blue, _] = fill;
    let pixels = surrounded(picture.pixels().as_chunks::<3>().0, picture.width(), frame, size, [red, green, blue]);
    Picture::rgb(size, pixels)
}

fn surrounded<const N: usize>(
    inner: &[[u8; N]],
    width: usize,
    frame: &Frame,
    size: Dimensions,
    fill: [u8; N],
) -> Vec<u8> {
    let across = size.width as usize;
    let mut pixels = Vec::with_capacity(across * size.height as usize);
    pixels.resize(across * frame.top as usize, fill);
    for row in inner.chunks_exact(width) {
        pixels.resize(pixels.len() + frame.left as usize, fill);
        pixels.extend_from_slice(row);
        pixels.resize(pixels.len() + frame.right as usize, fill);
    }
    pixels.resize(across * size.height as usize, fill);
    pixels.into_flattened()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Picture {
        Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1, 2, 3]).unwrap()
    }

    #[test]
    fn each_side_gets_what_is_asked_for() {
        let frame = Frame { top: 1, right: 2, bottom: 3, left: 4 };
        let padded = pad(&one(), &frame, [9, 8, 7, 255], Limits::DEFAULT).unwrap();
        assert_eq!((padded.size(), padded.channels()), (Dimensions { width: 7, height: 5 }, 3));
        for (index, pixel) in padded.pixels().chunks_exact(3).enumerate() {
            assert_eq!(pixel, if index == 7 + 4 { [1, 2, 3] } else { [9, 8, 7] }, "pixel {index}");
        }
    }

    #[test]
    fn a_transparent_fill_gives_the_picture_alpha() {
        let frame = Frame { top: 0, right: 1, bottom: 0, left: 0 };
        let padded = pad(&one(), &frame, [5, 5, 5, 0], Limits::DEFAULT).unwrap();
        assert_eq!(padded.pixels(), [1, 2, 3, 255, 5, 5, 5, 0]);
    }

    #[test]
    fn an_anchor_says_on_which_sides_the_rest_goes() {
        let (inner, outer) = (Dimensions { width: 4, height: 2 }, Dimensions { width: 9, height: 5 });
        let around = |anchor| {
            let Frame { top, right, bottom, left } = Frame::around(inner, outer, anchor);
            [top, right, bottom, left]
        };
        assert_eq!(around(Anchor::Center), [1, 3, 2, 2]);
        assert_eq!(around(Anchor::TopLeft), [0, 5, 3, 0]);
        assert_eq!(around(Anchor::BottomRight), [3, 0, 0, 5]);
        assert_eq!(around(Anchor::Right), [1, 0, 2, 5]);
    }

    #[test]
    fn a_result_beyond_the_limits_is_refused() {
        let frame = Frame { top: u32::MAX, right: 0, bottom: 7, left: 0 };
        assert!(pad(&one(), &frame, [0; 4], Limits::DEFAULT).is_err());
    }
}
