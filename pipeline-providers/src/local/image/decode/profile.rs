//! Colour profiles (ICC.1), and the way from their colours to sRGB.

use std::fmt;
use std::sync::Arc;

use moxcms::{DataColorSpace, Layout, RenderingIntent, TransformExecutor, TransformOptions};
use pipeline_core::error::{Error, ErrorKind, Result};

use super::super::picture::Picture;

/// Longest profile that is read: the largest in use, those of presses, have two to three million bytes.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Refuses a profile that is too long.
pub(super) fn check_length(bytes: usize) -> Result<()> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(too_long(bytes))
}

/// The error for a profile of so many bytes, or of more.
pub(super) fn too_long(bytes: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, "the colour profile is too large")
        .with("bytes", bytes)
        .with("accepted", format!("at most {MAX_BYTES} bytes"))
}

/// What a profile describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Grey,
    Rgb,
    Cmyk,
}

type Transform = dyn TransformExecutor<u8> + Send + Sync;

/// A profile from which sRGB can be reached.
pub(super) struct Profile {
    space: Space,
    to_srgb: Arc<Transform>,
    /// The same with alpha, which stays as it is; only for colour.
    with_alpha: Option<Arc<Transform>>,
}

impl Profile {
    /// Reads a profile; `None` when it is damaged or of another kind.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let profile = moxcms::ColorProfile::new_from_slice(bytes).ok()?;
        let (space, layout) = match profile.color_space {
            DataColorSpace::Gray => (Space::Grey, Layout::Gray),
            DataColorSpace::Rgb => (Space::Rgb, Layout::Rgb),
            // Four samples a pixel, whatever they are.
            DataColorSpace::Cmyk => (Space::Cmyk, Layout::Rgba),
            _ => return None,
        };
        let srgb = moxcms::ColorProfile::new_srgb();
        // Whole numbers where there is a choice: they are the same on every processor.
        let options = TransformOptions {
            rendering_intent: RenderingIntent::Perceptual,
            prefer_fixed_point: true,
            ..TransformOptions::default()
        };
        let to_srgb = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options).ok()?;
        let with_alpha = match space {
            Space::Rgb => Some(profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, options).ok()?),
            Space::Grey | Space::Cmyk => None,
        };
        Some(Self { space, to_srgb, with_alpha })
    }

    pub(super) fn space(&self) -> Space {
        self.space
    }

    /// Tells whether the colours are those of sRGB, to within one step of 255.
    pub(super) fn is_srgb(&self) -> bool {
        const STEPS: [u8; 10] = [0, 3, 12, 28, 57, 85, 128, 170, 213, 255];
        let colours: Vec<u8> = STEPS
            .iter()
            .flat_map(|&red| {
                STEPS.iter().flat_map(move |&green| STEPS.iter().flat_map(move |&blue| [red, green, blue]))
            })
            .collect();
        let mut converted = vec![0; colours.len()];
        self.space == Space::Rgb
            && self.to_srgb.transform(&colours, &mut converted).is_ok()
            && colours.iter().zip(&converted).all(|(before, after)| before.abs_diff(*after) <= 1)
    }

    /// Converts a picture in place.
    pub(super) fn convert(&self, picture: &mut Picture) -> Result<()> {
        let transform = match &self.with_alpha {
            Some(with_alpha) if picture.has_alpha() => with_alpha,
            _ => &self.to_srgb,
        };
        let stride = picture.width() * picture.channels();
        let mut before = vec![0; stride];
        for row in picture.pixels_mut().chunks_exact_mut(stride) {
            before.copy_from_slice(row);
            transform.transform(&before, row).map_err(failed)?;
        }
        Ok(())
    }

    /// Converts every grey.
    pub(super) fn greys(&self) -> Result<[[u8; 3]; 256]> {
        let greys: [u8; 256] = std::array::from_fn(|grey| grey as u8);
        let mut converted = [0; 768];
        self.to_srgb.transform(&greys, &mut converted).map_err(failed)?;
        let colours = converted.as_chunks::<3>().0;
        Ok(std::array::from_fn(|grey| colours.get(grey).copied().unwrap_or_default()))
    }

    /// Converts inks, 255 being full ink, to three bytes a pixel.
    pub(super) fn inks(&self, inks: &[u8], width: usize) -> Result<Vec<u8>> {
        let mut pixels = vec![0; inks.len() / 4 * 3];
        for (from, to) in inks.chunks(width * 4).zip(pixels.chunks_mut(width * 3)) {
            self.to_srgb.transform(from, to).map_err(failed)?;
        }
        Ok(pixels)
    }
}

fn failed(error: moxcms::CmsError) -> Error {
    Error::unexpected("cannot convert the colours to sRGB").because(error)
}
