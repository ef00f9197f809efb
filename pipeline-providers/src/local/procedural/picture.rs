//! One picture from prompt, seed, size and style: its pixels, and its PNG file.

use pipeline_core::error::{Error, Result};
use pipeline_core::id::Digest;
use pipeline_core::provider::Dimensions;

use super::canvas::Canvas;
use super::palette::Palette;
use super::random::Random;
use super::style::Style;

/// Grain in levels of 255: seen as texture, not as noise.
const GRAIN: f32 = 3.4;

/// What is to be painted.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) prompt: String,
    pub(super) seed: u64,
    pub(super) size: Dimensions,
    pub(super) style: Option<Style>,
}

impl Picture {
    /// Paints it: red, green, blue of every pixel.
    ///
    /// The size is no part of the chance, so the same seed in another size is the same composition.
    pub(super) fn pixels(&self) -> Vec<u8> {
        let words = words(&self.prompt);
        let key = Digest::of(self.prompt.as_bytes()).to_u64();
        let style = self.style.unwrap_or_else(|| Style::of(&words, key.rotate_left(17)));
        let mut chance = Random::new(key ^ Random::new(self.seed).bits());
        let palette = Palette::of(&words, key, &mut chance);
        let mut canvas = Canvas::new(self.size.width, self.size.height, palette.ramp(0.5));
        style.paint(&mut canvas, &palette, &words, &mut chance);
        canvas.develop(GRAIN, chance.salt())
    }

    /// Paints it and encodes it as PNG.
    ///
    /// # Errors
    /// `Unexpected` when it cannot be encoded.
    pub(super) fn png(&self) -> Result<Vec<u8>> {
        encode(self.size, &self.pixels())
            .map_err(|source| Error::unexpected("cannot encode the picture").because(source))
    }
}

fn encode(size: Dimensions, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::with_capacity(pixels.len() / 2);
    let mut encoder = png::Encoder::new(&mut bytes, size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Splits a prompt into lower-case words.
fn words(prompt: &str) -> Vec<String> {
    prompt.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}
