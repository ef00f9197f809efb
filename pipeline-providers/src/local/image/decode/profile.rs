//! Colour profiles (ICC.1), and the way from their colours to sRGB and back.

use std::fmt;
use std::sync::Arc;

use moxcms::{DataColorSpace, Layout, RenderingIntent, TransformExecutor, TransformOptions};
use pipeline_core::error::{Error, ErrorKind, Result};

use super::super::picture::Picture;
use crate::local::srgb::{from_linear, to_linear};

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

type Transform<T> = dyn TransformExecutor<T> + Send + Sync;

/// A profile from which sRGB can be reached, by what it describes.
pub(in super::super) enum Profile {
    Grey(Arc<Transform<u8>>),
    /// The second one leaves alpha as it is.
    Rgb(Arc<Transform<u8>>, Arc<Transform<u8>>),
    Cmyk(Press),
}

/// The way from inks to sRGB with black point compensation: the darkest that the press can do becomes black. Without it the
/// shadows of every picture would be grey, for no ink is as dark as a screen.
pub(in super::super) struct Press {
    to_srgb: Arc<Transform<u16>>,
    /// What becomes of each of the values that the transform gives.
    tone: Vec<u8>,
}

impl Press {
    fn new(transform: Arc<Transform<u16>>) -> Result<Self> {
        let mut darkest = [0; 3];
        transform.transform(&[u16::MAX; 4], &mut darkest).map_err(failed)?;
        let [red, green, blue] = darkest.map(|value| to_linear(f32::from(value) / MOST));
        // The black point is taken as neutral and of no more than half the lightness (Adobe Systems' Implementation of Black
        // Point Compensation, 2006). In light, compensation is then one line for all channels of sRGB.
        let black = (0.2126 * red + 0.7152 * green + 0.0722 * blue).min(0.184);
        let tone = |value: u16| {
            let light = (to_linear(f32::from(value) / MOST) - black) / (1.0 - black);
            (from_linear(light) * 255.0).round() as u8
        };
        Ok(Self { to_srgb: transform, tone: (0..=u16::MAX).map(tone).collect() })
    }
}

/// The largest value of sixteen bits.
const MOST: f32 = 65_535.0;

impl Profile {
    /// Reads a profile; `None` when it is damaged or of another kind.
    pub(in super::super) fn parse(bytes: &[u8]) -> Option<Self> {
        let profile = moxcms::ColorProfile::new_from_slice(bytes).ok()?;
        let (srgb, options) = (moxcms::ColorProfile::new_srgb(), options());
        let bytes = |from, to| profile.create_transform_8bit(from, &srgb, to, options).ok();
        Some(match profile.color_space {
            DataColorSpace::Gray => Self::Grey(bytes(Layout::Gray, Layout::Rgb)?),
            DataColorSpace::Rgb => Self::Rgb(bytes(Layout::Rgb, Layout::Rgb)?, bytes(Layout::Rgba, Layout::Rgba)?),
            // Four samples a pixel, whatever they are.
            DataColorSpace::Cmyk => {
                let transform = profile.create_transform_16bit(Layout::Rgba, &srgb, Layout::Rgb, options).ok()?;
                Self::Cmyk(Press::new(transform).ok()?)
            }
            _ => return None,
        })
    }

    /// Returns the way back: from sRGB to the colours of a profile in red, green and blue. `None` when it has none.
    pub(in super::super) fn reversed(bytes: &[u8]) -> Option<Self> {
        let profile = moxcms::ColorProfile::new_from_slice(bytes).ok()?;
        let way =
            |layout| moxcms::ColorProfile::new_srgb().create_transform_8bit(layout, &profile, layout, options()).ok();
        Some(Self::Rgb(way(Layout::Rgb)?, way(Layout::Rgba)?))
    }

    pub(super) fn space(&self) -> Space {
        match self {
            Self::Grey(_) => Space::Grey,
            Self::Rgb(..) => Space::Rgb,
            Self::Cmyk(_) => Space::Cmyk,
        }
    }

    /// Tells whether the colours are those of sRGB, to within one step of 255.
    pub(super) fn is_srgb(&self) -> bool {
        let Self::Rgb(to_srgb, _) = self else { return false };
        const STEPS: [u8; 10] = [0, 3, 12, 28, 57, 85, 128, 170, 213, 255];
        let colours: Vec<u8> = STEPS
            .iter()
            .flat_map(|&red| {
                STEPS.iter().flat_map(move |&green| STEPS.iter().flat_map(move |&blue| [red, green, blue]))
            })
            .collect();
        let mut converted = vec![0; colours.len()];
        to_srgb.transform(&colours, &mut converted).is_ok()
            && colours.iter().zip(&converted).all(|(before, after)| before.abs_diff(*after) <= 1)
    }

    /// Converts a picture in place.
    pub(in super::super) fn convert(&self, picture: &mut Picture) -> Result<()> {
        let Self::Rgb(opaque, with_alpha) = self else { return Err(unfit()) };
        let transform = if picture.has_alpha() { with_alpha } else { opaque };
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
        let Self::Grey(to_srgb) = self else { return Err(unfit()) };
        let greys: [u8; 256] = std::array::from_fn(|grey| grey as u8);
        let mut converted = [0; 768];
        to_srgb.transform(&greys, &mut converted).map_err(failed)?;
        let colours = converted.as_chunks::<3>().0;
        Ok(std::array::from_fn(|grey| colours.get(grey).copied().unwrap_or_default()))
    }

    /// Converts inks, 255 being full ink, to three bytes a pixel.
    pub(super) fn inks(&self, inks: &[u8], width: usize) -> Result<Vec<u8>> {
        let Self::Cmyk(press) = self else { return Err(unfit()) };
        let (mut row, mut colours) = (vec![0; width * 4], vec![0; width * 3]);
        let mut pixels = Vec::with_capacity(inks.len() / 4 * 3);
        for inks in inks.chunks_exact(width * 4) {
            for (to, ink) in row.iter_mut().zip(inks) {
                *to = u16::from(*ink) * 257;
            }
            press.to_srgb.transform(&row, &mut colours).map_err(failed)?;
            pixels.extend(colours.iter().map(|value| press.tone.get(usize::from(*value)).copied().unwrap_or_default()));
        }
        Ok(pixels)
    }
}

/// Whole numbers where there is a choice: they are the same on every processor.
fn options() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::Perceptual,
        prefer_fixed_point: true,
        ..TransformOptions::default()
    }
}

fn unfit() -> Error {
    Error::unexpected("a profile of other samples")
}

fn failed(error: moxcms::CmsError) -> Error {
    Error::unexpected("cannot convert the colours").because(error)
}
