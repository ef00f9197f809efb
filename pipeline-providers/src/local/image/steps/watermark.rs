//! Putting another picture over a picture.

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::{Anchor, Dimensions};

use super::super::picture::Picture;
use super::in_range;
use super::pad::Frame;
use super::resize::stretch;

/// Where and how the other picture is put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) position: Anchor,
    pub(super) margin: u32,
    pub(super) scale: Option<f32>,
    pub(super) opacity: f32,
}

/// Puts `overlay` over the picture, and returns the words for it. Nothing changes when it fails.
///
/// # Errors
/// `Invalid` for a value out of range; `Unsupported` when it does not fit into the picture with its margin.
pub(super) fn watermark(picture: &mut Picture, overlay: &Picture, placement: &Placement) -> Result<Option<String>> {
    in_range("watermark opacity", placement.opacity, 0.0..=1.0)?;
    let size = scaled(picture.size(), overlay.size(), placement.scale)?;
    let room = |side: u32| side.saturating_sub(placement.margin.saturating_mul(2));
    let inner = Dimensions { width: room(picture.size().width), height: room(picture.size().height) };
    if size.width > inner.width || size.height > inner.height {
        return Err(Error::new(ErrorKind::Unsupported, "the watermark does not fit into the picture")
            .with("watermark", size)
            .with("margin", placement.margin)
            .with("accepted", format!("at most {inner}")));
    }
    if placement.opacity == 0.0 {
        return Ok(None);
    }
    let resized = (size != overlay.size()).then(|| stretch(overlay, size)).transpose()?;
    let frame = Frame::around(size, inner, placement.position);
    let (left, top) = (placement.margin + frame.left, placement.margin + frame.top);
    blend(picture, resized.as_ref().unwrap_or(overlay), left as usize, top as usize, placement.opacity);
    Ok(Some(format!("watermark {} {left},{top} {size} {}", placement.position.as_str(), placement.opacity)))
}

fn scaled(picture: Dimensions, overlay: Dimensions, scale: Option<f32>) -> Result<Dimensions> {
    let Some(scale) = scale else { return Ok(overlay) };
    if !(scale > 0.0 && scale <= 1.0) {
        return Err(Error::invalid("watermark scale is out of range")
            .with("value", scale)
            .with("accepted", "above 0, to 1"));
    }
    let width = f64::from(scale) * f64::from(picture.width);
    let height = width * f64::from(overlay.height) / f64::from(overlay.width);
    // What is far too high saturates, and does not fit.
    let pixels = |length: f64| (length.round() as u32).max(1);
    Ok(Dimensions { width: pixels(width), height: pixels(height) })
}

/// Porter and Duff's "over", with colours that are not premultiplied.
fn blend(picture: &mut Picture, overlay: &Picture, left: usize, top: usize, opacity: f32) {
    let channels = picture.channels();
    let stride = picture.width() * channels;
    let rows = picture.pixels_mut().chunks_exact_mut(stride).skip(top);
    for (row, over) in rows.zip(overlay.rows()) {
        let pixels = row.chunks_exact_mut(channels).skip(left);
        for (pixel, over) in pixels.zip(over.chunks_exact(overlay.channels())) {
            let above = opacity * over.get(3).map_or(1.0, |alpha| f32::from(*alpha) / 255.0);
            let below = (1.0 - above) * pixel.get(3).map_or(1.0, |alpha| f32::from(*alpha) / 255.0);
            let alpha = above + below;
            if alpha <= 0.0 {
                continue;
            }
            for (value, over) in pixel.iter_mut().zip(over).take(3) {
                let mixed = (f32::from(*over) * above + f32::from(*value) * below) / alpha;
                *value = (mixed + 0.5) as u8;
            }
            if let Some(value) = pixel.get_mut(3) {
                *value = (255.0 * alpha + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solid(width: u32, height: u32, pixel: &[u8]) -> Picture {
        let size = Dimensions { width, height };
        let pixels = pixel.repeat((width * height) as usize);
        if pixel.len() == 4 { Picture::rgba(size, pixels) } else { Picture::rgb(size, pixels) }.unwrap()
    }

    const PLAIN: Placement = Placement { position: Anchor::Center, margin: 0, scale: None, opacity: 1.0 };

    /// The pixels that changed, as left, top, right and bottom.
    fn changed(placement: &Placement, overlay: &Picture) -> [usize; 4] {
        let before = solid(20, 10, &[100; 3]);
        let mut after = before.clone();
        watermark(&mut after, overlay, placement).unwrap();
        let differs = |n: &usize| after.pixels()[3 * n..3 * n + 3] != before.pixels()[3 * n..3 * n + 3];
        (0..200).filter(differs).fold([usize::MAX, usize::MAX, 0, 0], |[left, top, right, bottom], n| {
            let (x, y) = (n % 20, n / 20);
            [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]
        })
    }

    #[test]
    fn it_stands_where_the_position_the_margin_and_the_scale_say() {
        let logo = solid(4, 2, &[255, 0, 0]);
        assert_eq!(changed(&PLAIN, &logo), [8, 4, 12, 6]);
        assert_eq!(changed(&Placement { position: Anchor::TopLeft, ..PLAIN }, &logo), [0, 0, 4, 2]);
        assert_eq!(changed(&Placement { position: Anchor::BottomRight, margin: 1, ..PLAIN }, &logo), [15, 7, 19, 9]);
        assert_eq!(changed(&Placement { position: Anchor::Left, margin: 3, ..PLAIN }, &logo), [3, 4, 7, 6]);
        assert_eq!(changed(&Placement { scale: Some(0.5), ..PLAIN }, &logo), [5, 2, 15, 7]);
    }

    #[test]
    fn opacity_and_both_alphas_are_blended() {
        let over = |base: &[u8], logo: &[u8], opacity| {
            let mut picture = solid(1, 1, base);
            watermark(&mut picture, &solid(1, 1, logo), &Placement { opacity, ..PLAIN }).unwrap();
            picture.pixels().to_vec()
        };
        assert_eq!(over(&[100; 3], &[200, 0, 100], 1.0), [200, 0, 100]);
        assert_eq!(over(&[100; 3], &[200, 0, 100], 0.25), [125, 75, 100]);
        assert_eq!(over(&[100; 3], &[200, 0, 100, 51], 0.5), [110, 90, 100]); // 51 / 255 is a fifth
        assert_eq!(over(&[100; 3], &[200, 0, 100], 0.0), [100; 3]);
        assert_eq!(over(&[9, 9, 9, 0], &[200, 0, 100], 0.5), [200, 0, 100, 128]);
        // Half over half: three quarters, of which two thirds are the upper one.
        assert_eq!(over(&[0, 0, 0, 128], &[90, 90, 90], 0.5), [60, 60, 60, 192]);
    }

    #[test]
    fn what_does_not_fit_or_is_out_of_range_is_an_error_and_changes_nothing() {
        let mut picture = solid(20, 10, &[100; 3]);
        let large = solid(20, 11, &[0; 3]);
        let error = watermark(&mut picture, &large, &PLAIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("watermark=20x11, margin=0, accepted=at most 20x10"), "{error}");
        let logo = solid(4, 2, &[0; 3]);
        assert!(watermark(&mut picture, &logo, &Placement { margin: 9, ..PLAIN }).is_err());
        for scale in [0.0, 1.5, f32::NAN] {
            assert!(watermark(&mut picture, &logo, &Placement { scale: Some(scale), ..PLAIN }).is_err());
        }
        assert!(watermark(&mut picture, &logo, &Placement { opacity: 1.1, ..PLAIN }).is_err());
        assert!(watermark(&mut picture, &solid(1, 9, &[0; 3]), &Placement { scale: Some(1.0), ..PLAIN }).is_err());
        assert_eq!(picture, solid(20, 10, &[100; 3]));
    }
}
