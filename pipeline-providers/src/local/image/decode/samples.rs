//! Decoded samples as a file stores them, and how they become red, green and blue.

use bytes::Bytes;
use pipeline_core::error::Result;
use pipeline_core::provider::{ColorProfile, Dimensions};

use super::super::picture::Picture;
use super::profile::{Profile, Space};

/// What the bytes of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One byte.
    Grey,
    /// Grey and alpha.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and alpha, not premultiplied.
    Rgba,
    /// Cyan, magenta, yellow and black; 255 is full ink.
    Cmyk,
}

/// Pixels in rows from the top left, eight bits a sample.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) size: Dimensions,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

impl Samples {
    pub(super) fn new(size: Dimensions, kind: Kind, bytes: Vec<u8>) -> Self {
        Self { size, kind, bytes }
    }

    /// Makes a picture, the profile that its colours are still in, and a word on what was done to the colours.
    ///
    /// A profile that is damaged or does not fit the samples is left out; the word says so.
    pub(super) fn into_picture(
        self,
        profile: Option<Vec<u8>>,
        wanted: ColorProfile,
    ) -> Result<(Picture, Option<Bytes>, Option<&'static str>)> {
        let Some(bytes) = profile else {
            let word = (self.kind == Kind::Cmyk).then_some("srgb from cmyk");
            return Ok((self.plain()?, None, word));
        };
        let Some(profile) = Profile::parse(&bytes) else {
            return Ok((self.plain()?, None, Some("unreadable profile left out")));
        };
        let fits = match profile.space() {
            // A grey picture may be meant as the greys of a profile in colour.
            Space::Rgb => self.kind != Kind::Cmyk,
            Space::Grey => matches!(self.kind, Kind::Grey | Kind::GreyAlpha),
            Space::Cmyk => self.kind == Kind::Cmyk,
        };
        if !fits {
            return Ok((self.plain()?, None, Some("unfit profile left out")));
        }
        if wanted == ColorProfile::Keep && profile.space() == Space::Rgb {
            return Ok((self.plain()?, Some(Bytes::from(bytes)), None));
        }
        match profile.space() {
            Space::Rgb if profile.is_srgb() => Ok((self.plain()?, None, None)),
            Space::Rgb => {
                let mut picture = self.plain()?;
                profile.convert(&mut picture)?;
                Ok((picture, None, Some("srgb from rgb profile")))
            }
            Space::Grey => {
                let table = profile.greys()?;
                Ok((self.greys(&table)?, None, Some("srgb from grey profile")))
            }
            Space::Cmyk => {
                let pixels = profile.inks(&self.bytes, self.size.width as usize)?;
                Ok((Picture::rgb(self.size, pixels)?, None, Some("srgb from cmyk profile")))
            }
        }
    }

    /// Takes the colours as sRGB. Inks are mixed as light that each takes its part of: there is no other answer that
    /// everybody agrees on.
    fn plain(self) -> Result<Picture> {
        match self.kind {
            Kind::Rgb => Picture::rgb(self.size, self.bytes),
            Kind::Rgba => Picture::rgba(self.size, self.bytes),
            Kind::Grey | Kind::GreyAlpha => self.greys(&std::array::from_fn(|grey| [grey as u8; 3])),
            Kind::Cmyk => {
                let light = |ink: u8, black: u8| ((255 - u32::from(ink)) * (255 - u32::from(black)) + 127) / 255;
                let mut pixels = Vec::with_capacity(self.bytes.len() / 4 * 3);
                for &[cyan, magenta, yellow, black] in self.bytes.as_chunks::<4>().0 {
                    pixels.extend([cyan, magenta, yellow].map(|ink| light(ink, black) as u8));
                }
                Picture::rgb(self.size, pixels)
            }
        }
    }

    /// Looks each grey up.
    fn greys(self, table: &[[u8; 3]; 256]) -> Result<Picture> {
        let colour = |grey: u8| table.get(usize::from(grey)).copied().unwrap_or_default();
        if self.kind == Kind::Grey {
            let mut pixels = Vec::with_capacity(self.bytes.len() * 3);
            for &grey in &self.bytes {
                pixels.extend_from_slice(&colour(grey));
            }
            return Picture::rgb(self.size, pixels);
        }
        let mut pixels = Vec::with_capacity(self.bytes.len() * 2);
        for &[grey, alpha] in self.bytes.as_chunks::<2>().0 {
            let [red, green, blue] = colour(grey);
            pixels.extend_from_slice(&[red, green, blue, alpha]);
        }
        Picture::rgba(self.size, pixels)
    }
}

/// Takes the transparency, the last sample of a pixel, out of its colours.
pub(super) fn divide(pixel: &mut [u8]) {
    let Some((alpha, colours)) = pixel.split_last_mut() else { return };
    let alpha = u32::from(*alpha);
    for value in colours {
        *value = (u32::from(*value) * 255 + alpha / 2).checked_div(alpha).map_or(0, |value| value.min(255) as u8);
    }
}
