//! Cleaning a cut-out: specks, holes, the softness of its edge and the colours there.

use pipeline_core::error::{Error, Result};

use crate::local::image::Picture;

use super::decontaminate::decontaminate;
use super::matte::Matte;
use super::pieces::Pieces;
use super::plane::Plane;

/// Fainter than this is nothing, and as near to opaque is opaque: what models leave everywhere.
const FAINT: u8 = 8;

/// Softest edge, in pixels to both sides.
const SOFTEST: u32 = 100;

/// Rows of a band in which an edge is softened; keeps memory bounded.
const BAND: usize = 512;

/// What is to be mended; everything at zero changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatteCleaning {
    /// Pieces smaller than this share of the largest one are taken out, 0 to 1.
    pub specks: f32,
    /// Holes smaller than this share of the largest piece are filled, 0 to 1.
    pub holes: f32,
    /// How far the edge is softened to both sides, in pixels, 0 to 100.
    pub feather: u32,
    /// Whether half-transparent pixels take the colour of the opaque ones near them.
    pub decontaminate: bool,
}

/// Cleans a cut-out. The text says what was done; there is none when there was nothing to do, as in an opaque picture.
///
/// # Errors
/// `Invalid` for a value out of range; `Unsupported` for a matte that is nothing but noise.
pub fn clean(picture: Picture, cleaning: &MatteCleaning) -> Result<(Picture, Option<String>)> {
    share("specks", cleaning.specks)?;
    share("holes", cleaning.holes)?;
    if cleaning.feather > SOFTEST {
        return Err(Error::invalid("feather is out of range")
            .with("value", cleaning.feather)
            .with("accepted", format!("0 to {SOFTEST} pixels")));
    }
    let Some(mut matte) = Matte::of(&picture) else { return Ok((picture, None)) };
    let mut done = Vec::new();
    let width = matte.width();
    if cleaning.specks > 0.0 {
        matte.alpha_mut().iter_mut().filter(|alpha| **alpha < FAINT).for_each(|alpha| *alpha = 0);
        let pieces = Pieces::find(matte.alpha(), width, |alpha| alpha > 0, u64::from)?;
        let least = least(&pieces, cleaning.specks);
        let count = pieces.set(matte.alpha_mut(), width, 0, |weight, _| (weight as f64) < least);
        told(&mut done, count > 0, || format!("specks {count}"));
    }
    if cleaning.holes > 0.0 {
        matte.alpha_mut().iter_mut().filter(|alpha| **alpha > 255 - FAINT).for_each(|alpha| *alpha = 255);
        let least = least(&Pieces::find(matte.alpha(), width, |alpha| alpha > 0, u64::from)?, cleaning.holes);
        let holes = Pieces::find(matte.alpha(), width, |alpha| alpha < 255, |alpha| u64::from(255 - alpha))?;
        let count = holes.set(matte.alpha_mut(), width, 255, |weight, edge| !edge && (weight as f64) < least);
        told(&mut done, count > 0, || format!("holes {count}"));
    }
    if cleaning.feather > 0 {
        feather(&mut matte, cleaning.feather as usize);
        told(&mut done, true, || format!("feather {}", cleaning.feather));
    }
    let size = picture.size();
    let mut pixels = picture.into_pixels();
    pixels.chunks_exact_mut(4).zip(matte.alpha()).for_each(|(pixel, alpha)| pixel[3] = *alpha);
    let mut picture = Picture::rgba(size, pixels)?;
    if cleaning.decontaminate && decontaminate(&mut picture) {
        told(&mut done, true, || "decontaminate".to_owned());
    }
    Ok((picture, (!done.is_empty()).then(|| format!("matte {}", done.join(", ")))))
}

fn share(name: &'static str, value: f32) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is out of range")).with("value", value).with("accepted", "0 to 1"))
}

fn told(done: &mut Vec<String>, really: bool, what: impl FnOnce() -> String) {
    if really {
        done.push(what());
    }
}

fn least(pieces: &Pieces, share: f32) -> f64 {
    pieces.heaviest() as f64 * f64::from(share)
}

/// Softens the edge: the mean of means over a window, which is close to a Gaussian.
fn feather(matte: &mut Matte, reach: usize) {
    let width = matte.width();
    let height = matte.alpha().len() / width;
    // Two means of half the reach each.
    let (first, second) = (reach.div_ceil(2), reach / 2);
    let source = matte.alpha().to_vec();
    for top in (0..height).step_by(BAND) {
        let bottom = (top + BAND).min(height);
        let (from, to) = (top.saturating_sub(reach), (bottom + reach).min(height));
        let plane = Plane::of(width, to - from, |place| f32::from(source[from * width + place]));
        let soft = plane.blurred(first).blurred(second);
        let rows = soft.values()[(top - from) * width..(bottom - from) * width].iter();
        let band = &mut matte.alpha_mut()[top * width..bottom * width];
        band.iter_mut().zip(rows).for_each(|(alpha, soft)| *alpha = (soft + 0.5) as u8);
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::error::ErrorKind;
    use pipeline_core::provider::Dimensions;

    use super::*;

    const NOTHING: MatteCleaning = MatteCleaning { specks: 0.0, holes: 0.0, feather: 0, decontaminate: false };

    /// A disc with a hole in it, a speck beside it, and a faint haze in a corner.
    fn disc() -> Picture {
        let pixels = (0..64 * 64_u32).flat_map(|place| {
            let (x, y) = (f64::from(place % 64) - 32.0, f64::from(place / 64) - 32.0);
            let far = x.hypot(y);
            let speck = (x + 26.0).hypot(y + 26.0) < 2.0;
            let alpha = if speck || (far < 20.0 && (x - 5.0).hypot(y) > 3.0) {
                255
            } else {
                u8::from(x > 28.0 && y > 28.0) * 5
            };
            [200, 40, 40, alpha]
        });
        Picture::rgba(Dimensions { width: 64, height: 64 }, pixels.collect()).unwrap()
    }

    fn alpha(picture: &Picture, x: usize, y: usize) -> u8 {
        picture.row(y)[x * 4 + 3]
    }

    #[test]
    fn specks_and_haze_go_and_the_subject_stays() {
        let (clean, done) = clean(disc(), &MatteCleaning { specks: 0.05, ..NOTHING }).unwrap();
        assert_eq!(done.as_deref(), Some("matte specks 1"));
        assert_eq!(
            [alpha(&clean, 6, 6), alpha(&clean, 63, 63), alpha(&clean, 32, 16), alpha(&clean, 37, 32)],
            [0, 0, 255, 0]
        );
        let (kept, done) = super::clean(disc(), &MatteCleaning { specks: 0.001, ..NOTHING }).unwrap();
        assert_eq!((alpha(&kept, 6, 6), done), (255, None), "it is larger than that share");
    }

    #[test]
    fn holes_are_filled_and_what_is_around_is_not() {
        let (clean, done) = clean(disc(), &MatteCleaning { holes: 0.1, ..NOTHING }).unwrap();
        assert_eq!(done.as_deref(), Some("matte holes 1"));
        assert_eq!([alpha(&clean, 37, 32), alpha(&clean, 1, 32), alpha(&clean, 6, 6)], [255, 0, 255]);
        let (open, _) = super::clean(disc(), &MatteCleaning { holes: 0.001, ..NOTHING }).unwrap();
        assert_eq!(alpha(&open, 37, 32), 0, "it is larger than that share");
    }

    #[test]
    fn a_feather_softens_the_edge_by_its_reach_and_no_further() {
        for reach in [1, 4, 7] {
            let (soft, done) = clean(disc(), &MatteCleaning { feather: reach, ..NOTHING }).unwrap();
            assert_eq!(done, Some(format!("matte feather {reach}")));
            let column: Vec<u8> = (0..32).map(|y| alpha(&soft, 32, y)).collect();
            let hard: Vec<u8> = (0..32).map(|y| alpha(&disc(), 32, y)).collect();
            let edge = hard.iter().position(|alpha| *alpha == 255).unwrap();
            let reach = reach as usize;
            assert_eq!(column[..edge - reach], hard[..edge - reach]);
            assert_eq!(column[edge + reach + 2], 255);
            assert!(column[edge - 1] > 0 && column[edge] < 255, "{column:?}");
        }
    }

    #[test]
    fn bands_leave_no_seam() {
        let tall = Picture::rgba(
            Dimensions { width: 8, height: 1300 },
            (0..8 * 1300_u32).flat_map(|n| [9, 9, 9, (n * 7 % 256) as u8]).collect(),
        )
        .unwrap();
        let mut matte = Matte::of(&tall).unwrap();
        let whole = Plane::of(8, 1300, |place| f32::from(matte.alpha()[place])).blurred(3).blurred(2);
        feather(&mut matte, 5);
        let same =
            matte.alpha().iter().zip(whole.values()).all(|(alpha, soft)| (f32::from(*alpha) - soft).abs() <= 1.0);
        assert!(same);
    }

    #[test]
    fn nothing_asked_for_changes_nothing_and_an_opaque_picture_stays() {
        assert_eq!(clean(disc(), &NOTHING).unwrap(), (disc(), None));
        let opaque = Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1, 2, 3]).unwrap();
        let all = MatteCleaning { specks: 0.5, holes: 0.5, feather: 3, decontaminate: true };
        assert_eq!(clean(opaque.clone(), &all).unwrap(), (opaque, None));
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (wrong, name) in [
            (MatteCleaning { specks: 1.5, ..NOTHING }, "specks"),
            (MatteCleaning { holes: f32::NAN, ..NOTHING }, "holes"),
            (MatteCleaning { feather: 101, ..NOTHING }, "feather"),
        ] {
            let error = clean(disc(), &wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(name) && error.to_string().contains("accepted=0 to"), "{error}");
        }
    }
}
