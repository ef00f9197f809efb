//! Scaling, with alpha premultiplied.
//!
//! | fit | size of the result for a box of W x H | aspect |
//! |---|---|---|
//! | `inside` | the largest inside the box | kept |
//! | `outside` | the smallest that covers the box | kept |
//! | `cover` | the box; what sticks out is cut off | kept |
//! | `contain` | the box; the rest of it is filled | kept |
//! | `fill` | the box | changed |
//!
//! When a picture may not be made larger, `inside` and `outside` leave a small one as it is, `cover` shrinks the box,
//! keeping its aspect, until the picture fills it, `contain` puts a small one into the box as it is, and `fill` leaves
//! each side at most as long as it was. With only one side given, the aspect is kept whatever the fit.

mod kernel;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use pipeline_core::error::{Error, Result};
use pipeline_core::provider::{Anchor, Dimensions, ResizeFit, ResizeKernel};

use super::super::limits::Limits;
use super::super::picture::Picture;
use super::pad::{Frame, pad};

/// What a resize step asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) fit: ResizeFit,
    pub(super) position: Anchor,
    pub(super) kernel: ResizeKernel,
    pub(super) enlarge: bool,
    pub(super) fill: [u8; 4],
}

impl Target {
    /// The size of the scaled picture to come, for a picture of this size: before what `contain` adds.
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
        let (across, down) = match (across.zip(down), self.fit) {
            (Some((across, down)), ResizeFit::Fill | ResizeFit::Cover) if self.enlarge => (across, down),
            (Some((across, down)), ResizeFit::Fill) => (across.min(width), down.min(height)),
            (Some((across, down)), ResizeFit::Cover) => {
                let scale = (width / across).min(height / down).min(1.0);
                (across * scale, down * scale)
            }
            _ => {
                let scales = [across.map(|across| across / width), down.map(|down| down / height)];
                let scales = scales.into_iter().flatten();
                let scale = match self.fit {
                    ResizeFit::Outside => scales.fold(0.0, f64::max),
                    _ => scales.fold(f64::INFINITY, f64::min),
                };
                let scale = if self.enlarge { scale } else { scale.min(1.0) };
                (width * scale, height * scale)
            }
        };
        let pixels = |length: f64| length.round().clamp(1.0, f64::from(u32::MAX)) as u32;
        Ok(Dimensions { width: pixels(across), height: pixels(down) })
    }

    /// The box that `contain` fills up.
    fn filled(&self) -> Option<Dimensions> {
        let (width, height) = self.width.zip(self.height).filter(|_| self.fit == ResizeFit::Contain)?;
        Some(Dimensions { width, height })
    }
}

fn zero(side: &'static str) -> Error {
    Error::invalid(format!("resize {side} is out of range")).with("value", 0).with("accepted", "1 pixel or more")
}

/// Returns the scaled picture, when its size changes, and the words for it.
pub(super) fn resize(picture: &Picture, target: &Target, limits: Limits) -> Result<Option<(Picture, String)>> {
    let size = target.size(picture.size())?;
    let filled = target.filled();
    let outer = filled.unwrap_or(size);
    limits.check(size)?;
    limits.check(outer)?;
    if picture.size() == size && size == outer {
        return Ok(None);
    }
    let cut = (target.fit == ResizeFit::Cover).then_some(target.position);
    let scaled =
        (picture.size() != size).then(|| scale(picture, size, cut, kernel::algorithm(target.kernel)?)).transpose()?;
    let Some(outer) = filled.filter(|outer| *outer != size) else {
        return Ok(scaled.map(|scaled| (scaled, format!("resize {size}"))));
    };
    let frame = Frame::around(size, outer, target.position);
    let padded = pad(scaled.as_ref().unwrap_or(picture), &frame, target.fill, limits)?;
    Ok(Some((padded, format!("resize {size} in {outer}"))))
}

/// Makes a copy whose longest side is at most `side`; a smaller picture is not made larger.
///
/// # Errors
/// `Invalid` when `side` is zero.
pub fn shrink_to(picture: &Picture, side: u32) -> Result<Picture> {
    let target = Target {
        width: Some(side),
        height: Some(side),
        fit: ResizeFit::Inside,
        position: Anchor::Center,
        kernel: ResizeKernel::Bilinear,
        enlarge: false,
        fill: [0; 4],
    };
    match target.size(picture.size())? {
        size if size == picture.size() => Ok(picture.clone()),
        size => scale(picture, size, None, ResizeAlg::Convolution(FilterType::Bilinear)),
    }
}

/// Scales a picture to exactly this size with the sharpest kernel.
pub(super) fn stretch(picture: &Picture, size: Dimensions) -> Result<Picture> {
    scale(picture, size, None, kernel::algorithm(ResizeKernel::Lanczos3)?)
}

/// Scales; with `cut`, what sticks out of the new aspect is cut off, and the part at this place stays.
fn scale(picture: &Picture, size: Dimensions, cut: Option<Anchor>, algorithm: ResizeAlg) -> Result<Picture> {
    let impossible = |error| Error::unexpected("cannot scale the picture").with("size", size).because(error);
    let kind = if picture.has_alpha() { PixelType::U8x4 } else { PixelType::U8x3 };
    let from = picture.size();
    let source = ImageRef::new(from.width, from.height, picture.pixels(), kind)
        .map_err(|error| Error::unexpected("cannot scale the picture").because(error))?;
    let mut scaled = Image::new(size.width, size.height, kind);
    let mut options = ResizeOptions::new().resize_alg(algorithm);
    if let Some(anchor) = cut {
        let (across, down) = anchor.halves();
        options = options.fit_into_destination(Some((f64::from(across) / 2.0, f64::from(down) / 2.0)));
    }
    Resizer::new().resize(&source, &mut scaled, &options).map_err(impossible)?;
    let pixels = scaled.into_vec();
    if picture.has_alpha() { Picture::rgba(size, pixels) } else { Picture::rgb(size, pixels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(width: Option<u32>, height: Option<u32>, fit: ResizeFit, enlarge: bool) -> Target {
        let (position, kernel) = (Anchor::Center, ResizeKernel::Lanczos3);
        Target { width, height, fit, position, kernel, enlarge, fill: [0, 0, 0, 255] }
    }

    fn size(from: (u32, u32), width: Option<u32>, height: Option<u32>, fit: ResizeFit, enlarge: bool) -> (u32, u32) {
        let from = Dimensions { width: from.0, height: from.1 };
        let size = target(width, height, fit, enlarge).size(from).unwrap();
        (size.width, size.height)
    }

    fn resized(picture: &Picture, target: &Target) -> (Picture, String) {
        resize(picture, target, Limits::DEFAULT).unwrap().unwrap()
    }

    #[test]
    fn the_size_follows_from_the_box_the_fit_and_whether_it_may_grow() {
        use ResizeFit::{Contain, Cover, Fill, Inside, Outside};
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
        assert_eq!(size(wide, Some(100), Some(100), Outside, false), (200, 100));
        assert_eq!(size(wide, Some(800), Some(100), Outside, false), wide);
        assert_eq!(size(wide, Some(800), Some(100), Outside, true), (800, 400));
        assert_eq!(size(wide, Some(100), Some(100), Contain, false), (100, 50));
        assert_eq!(size(wide, Some(800), Some(800), Contain, false), wide);
    }

    #[test]
    fn a_box_without_a_side_is_an_error() {
        let from = Dimensions { width: 4, height: 4 };
        for (width, height) in [(None, None), (Some(0), None), (None, Some(0))] {
            assert!(target(width, height, ResizeFit::Inside, true).size(from).is_err());
        }
    }

    /// Red left of the middle, blue right of it.
    fn halves(width: u32, height: u32) -> Picture {
        let row: Vec<u8> = (0..width).flat_map(|x| if x < width / 2 { [255, 0, 0] } else { [0, 0, 255] }).collect();
        Picture::rgb(Dimensions { width, height }, row.repeat(height as usize)).unwrap()
    }

    #[test]
    fn cover_cuts_off_both_ends_and_fill_squeezes() {
        let square = |fit| target(Some(10), Some(10), fit, false);
        let mut picture = halves(40, 10);
        picture.pixels_mut().chunks_exact_mut(120).for_each(|row| row[..30].fill(9)); // the left quarter
        let (cover, done) = resized(&picture, &square(ResizeFit::Cover));
        assert_eq!(done, "resize 10x10");
        assert_eq!(cover.row(5)[..3], [255, 0, 0]);
        let (fill, _) = resized(&picture, &square(ResizeFit::Fill));
        assert!(fill.row(5)[..3].iter().all(|value| *value < 30));
    }

    #[test]
    fn the_position_says_which_part_cover_keeps() {
        let wide = halves(40, 10);
        let kept = |position| {
            let target = Target { position, ..target(Some(10), Some(10), ResizeFit::Cover, false) };
            let (picture, _) = resized(&wide, &target);
            (picture.row(5)[0] > 200, picture.row(5)[29] > 200)
        };
        assert_eq!(kept(Anchor::Left), (true, false));
        assert_eq!(kept(Anchor::Center), (true, true));
        assert_eq!(kept(Anchor::BottomRight), (false, true));
    }

    #[test]
    fn contain_fills_up_the_box_around_the_picture() {
        let wide = halves(40, 10);
        let green = [0, 255, 0, 255];
        let rows = |position, enlarge| {
            let base = target(Some(20), Some(20), ResizeFit::Contain, enlarge);
            let (picture, done) = resized(&wide, &Target { position, fill: green, ..base });
            assert_eq!((picture.size(), picture.channels()), (Dimensions { width: 20, height: 20 }, 3));
            assert_eq!(done, "resize 20x5 in 20x20");
            let filled = (0..20).filter(|y| picture.row(*y)[..3] == green[..3]);
            filled.collect::<Vec<_>>()
        };
        assert_eq!(rows(Anchor::Top, false), (5..20).collect::<Vec<_>>());
        assert_eq!(rows(Anchor::BottomLeft, false), (0..15).collect::<Vec<_>>());
        assert_eq!(rows(Anchor::Center, true), (0..7).chain(12..20).collect::<Vec<_>>());
        // A small one stays as it is in the middle of its box, on nothing when the fill is nothing.
        let base = target(Some(60), Some(60), ResizeFit::Contain, false);
        let (picture, done) = resized(&wide, &Target { fill: [0; 4], ..base });
        assert_eq!((done.as_str(), picture.channels()), ("resize 40x10 in 60x60", 4));
        assert_eq!((picture.row(25)[40..44].to_vec(), picture.row(24)[43]), (vec![255, 0, 0, 255], 0));
    }

    #[test]
    fn a_picture_of_the_wanted_size_is_left_as_it_is() {
        for fit in [ResizeFit::Inside, ResizeFit::Cover, ResizeFit::Contain, ResizeFit::Fill, ResizeFit::Outside] {
            let same = resize(&halves(40, 10), &target(Some(40), Some(10), fit, true), Limits::DEFAULT).unwrap();
            assert_eq!(same, None);
        }
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
        let wide = target(Some(20_000), None, ResizeFit::Inside, true);
        assert!(resize(&halves(4, 4), &wide, Limits::DEFAULT).is_err());
        let boxed = target(Some(20_000), Some(4), ResizeFit::Contain, false);
        assert!(resize(&halves(4, 4), &boxed, Limits::DEFAULT).is_err());
    }
}
