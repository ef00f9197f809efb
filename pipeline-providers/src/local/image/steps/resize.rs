//! Scaling: Lanczos with three lobes, with alpha premultiplied.
//!
//! When a picture may not be made larger, `Inside` leaves a small one as it is, `Cover` shrinks the box, keeping its
//! aspect, until the picture fills it, and `Fill` leaves each side at most as long as it was.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use pipeline_core::error::{Error, Result};
use pipeline_core::provider::{Dimensions, ResizeFit};

use super::super::limits::Limits;
use super::super::picture::Picture;

/// What a resize step asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) fit: ResizeFit,
    pub(super) enlarge: bool,
}

impl Target {
    /// The size to come, for a picture of this size.
    fn size(&self, from: Dimensions) -> Result<Dimensions> {
        let (width, height) = (f64::from(from.width), f64::from(from.height));
        let (across, down) = match (self.width, self.height) {
            (None, None) => {
                return Err(Error::invalid("resize needs a width or a height").with("accepted", "1 pixel or more"));
            }
            (Some(0), _) => return Err(zero("width")),
            (_, Some(0)) => return Err(zero("height")),
            (across, down) => (across.map(f64::from), down.map(f64::from)),
        };
        let both = across.zip(down).filter(|_| self.fit != ResizeFit::Inside);
        let (across, down) = match both {
            Some((across, down)) if self.enlarge => (across, down),
            Some((across, down)) if self.fit == ResizeFit::Fill => (across.min(width), down.min(height)),
            Some((across, down)) => {
                let scale = (width / across).min(height / down).min(1.0);
                (across * scale, down * scale)
            }
            None => {
                let scales = [across.map(|across| across / width), down.map(|down| down / height)];
                let scale = scales.into_iter().flatten().fold(f64::INFINITY, f64::min);
                let scale = if self.enlarge { scale } else { scale.min(1.0) };
                (width * scale, height * scale)
            }
        };
        let pixels = |length: f64| length.round().clamp(1.0, f64::from(u32::MAX)) as u32;
        Ok(Dimensions { width: pixels(across), height: pixels(down) })
    }
}

fn zero(side: &'static str) -> Error {
    Error::invalid(format!("resize {side} is out of range")).with("value", 0).with("accepted", "1 pixel or more")
}

pub(super) fn resize(picture: Picture, target: &Target, limits: Limits) -> Result<(Picture, Option<String>)> {
    let size = target.size(picture.size())?;
    limits.check(size)?;
    if size == picture.size() {
        return Ok((picture, None));
    }
    Ok((scale(&picture, size, target.fit == ResizeFit::Cover, FilterType::Lanczos3)?, Some(format!("resize {size}"))))
}

/// Makes a copy whose longest side is at most `side`; a smaller picture is not made larger.
///
/// # Errors
/// `Invalid` when `side` is zero.
pub fn shrink_to(picture: &Picture, side: u32) -> Result<Picture> {
    let target = Target { width: Some(side), height: Some(side), fit: ResizeFit::Inside, enlarge: false };
    match target.size(picture.size())? {
        size if size == picture.size() => Ok(picture.clone()),
        size => scale(picture, size, false, FilterType::Bilinear),
    }
}

/// Scales; with `cut`, what sticks out of the new aspect is cut off evenly at both ends.
fn scale(picture: &Picture, size: Dimensions, cut: bool, filter: FilterType) -> Result<Picture> {
    let impossible = |error| Error::unexpected("cannot scale the picture").with("size", size).because(error);
    let kind = if picture.has_alpha() { PixelType::U8x4 } else { PixelType::U8x3 };
    let from = picture.size();
    let source = ImageRef::new(from.width, from.height, picture.pixels(), kind)
        .map_err(|error| Error::unexpected("cannot scale the picture").because(error))?;
    let mut scaled = Image::new(size.width, size.height, kind);
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    if cut {
        options = options.fit_into_destination(None);
    }
    Resizer::new().resize(&source, &mut scaled, &options).map_err(impossible)?;
    let pixels = scaled.into_vec();
    if picture.has_alpha() { Picture::rgba(size, pixels) } else { Picture::rgb(size, pixels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(from: (u32, u32), width: Option<u32>, height: Option<u32>, fit: ResizeFit, enlarge: bool) -> (u32, u32) {
        let from = Dimensions { width: from.0, height: from.1 };
        let size = Target { width, height, fit, enlarge }.size(from).unwrap();
        (size.width, size.height)
    }

    #[test]
    fn the_size_follows_from_the_box_the_fit_and_whether_it_may_grow() {
        use ResizeFit::{Cover, Fill, Inside};
        let wide = (400, 200);
        assert_eq!(size(wide, Some(100), None, Inside, false), (100, 50));
        assert_eq!(size(wide, None, Some(100), Inside, false), (200, 100));
        assert_eq!(size(wide, Some(100), Some(100), Inside, false), (100, 50));
        assert_eq!(size(wide, Some(100), Some(100), Cover, false), (100, 100));
        assert_eq!(size(wide, Some(100), Some(100), Fill, false), (100, 100));
        assert_eq!(size(wide, Some(800), Some(800), Inside, false), wide);
        assert_eq!(size(wide, Some(800), Some(800), Inside, true), (800, 400));
        assert_eq!(size(wide, Some(800), Some(400), Cover, false), wide);
        assert_eq!(size(wide, Some(800), Some(800), Cover, false), (200, 200));
        assert_eq!(size(wide, Some(800), Some(800), Cover, true), (800, 800));
        assert_eq!(size(wide, Some(800), Some(100), Fill, false), (400, 100));
        assert_eq!(size((4000, 3), Some(100), None, Inside, false), (100, 1));
    }

    #[test]
    fn a_box_without_a_side_is_an_error() {
        let from = Dimensions { width: 4, height: 4 };
        for (width, height) in [(None, None), (Some(0), None), (None, Some(0))] {
            let target = Target { width, height, fit: ResizeFit::Inside, enlarge: true };
            assert!(target.size(from).is_err());
        }
    }

    /// Red left of the middle, blue right of it.
    fn halves(width: u32, height: u32) -> Picture {
        let row: Vec<u8> = (0..width).flat_map(|x| if x < width / 2 { [255, 0, 0] } else { [0, 0, 255] }).collect();
        Picture::rgb(Dimensions { width, height }, row.repeat(height as usize)).unwrap()
    }

    #[test]
    fn cover_cuts_off_both_ends_and_fill_squeezes() {
        let target = |fit| Target { width: Some(10), height: Some(10), fit, enlarge: false };
        let mut picture = halves(40, 10);
        picture.pixels_mut().chunks_exact_mut(120).for_each(|row| row[..30].fill(9)); // the left quarter
        let (cover, done) = resize(picture.clone(), &target(ResizeFit::Cover), Limits::DEFAULT).unwrap();
        assert_eq!(done.as_deref(), Some("resize 10x10"));
        assert_eq!(cover.row(5)[..3], [255, 0, 0]);
        let (fill, _) = resize(picture, &target(ResizeFit::Fill), Limits::DEFAULT).unwrap();
        assert!(fill.row(5)[..3].iter().all(|value| *value < 30));
    }

    #[test]
    fn hidden_colours_do_not_bleed_into_visible_ones() {
        let pixels: Vec<u8> =
            (0..64 * 64).flat_map(|n| if n % 64 < 31 { [255, 255, 255, 255] } else { [0, 0, 0, 0] }).collect();
        let picture = Picture::rgba(Dimensions { width: 64, height: 64 }, pixels).unwrap();
        let small = shrink_to(&picture, 16).unwrap();
        for pixel in small.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 40) {
            assert!(pixel[0] >= 250, "{pixel:?}");
        }
    }

    #[test]
    fn a_result_beyond_the_limits_is_refused() {
        let target = Target { width: Some(20_000), height: None, fit: ResizeFit::Inside, enlarge: true };
        assert!(resize(halves(4, 4), &target, Limits::DEFAULT).is_err());
    }
}
