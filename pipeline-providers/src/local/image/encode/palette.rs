//! Reducing a picture to few colours.

use pipeline_core::error::Result;
use quantizr::{Image, Options, QuantizeResult};

use super::super::picture::Picture;
use super::failed;

/// A picture as numbers of colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reduced {
    /// Red, green and blue of each colour.
    pub(super) colors: Vec<u8>,
    /// The alpha of each colour, when one is not opaque.
    pub(super) alphas: Option<Vec<u8>>,
    /// The colour of each pixel.
    pub(super) indexes: Vec<u8>,
}

impl Reduced {
    pub(super) fn count(&self) -> usize {
        self.colors.len() / 3
    }

    /// The colour of each pixel in so many bits, 1, 2, 4 or 8, the first in the highest ones; each row begins with a byte.
    pub(super) fn packed(self, width: usize, bits: usize) -> Vec<u8> {
        if bits == 8 {
            return self.indexes;
        }
        let rows = self.indexes.chunks_exact(width.max(1));
        let byte = |pixels: &[u8]| {
            let places = pixels.iter().zip((0..8).step_by(bits));
            places.fold(0, |byte, (index, place)| byte | index << (8 - bits - place))
        };
        rows.flat_map(|row| row.chunks(8 / bits).map(byte)).collect()
    }
}

/// Reduces to at most `colors`, 2 to 256, with the error spread to the pixels around.
pub(super) fn reduce(picture: &Picture, colors: u16) -> Result<Reduced> {
    let broken = |error: quantizr::Error| failed("PNG with a palette").because(format!("{error:?}"));
    let pixels = picture.to_rgba().into_flattened();
    let image = Image::new(&pixels, picture.width(), picture.height()).map_err(broken)?;
    let mut options = Options::default();
    options.set_max_colors(i32::from(colors)).map_err(broken)?;
    let result = QuantizeResult::quantize(&image, &options);
    let mut indexes = vec![0; picture.width() * picture.height()];
    result.remap_image(&image, &mut indexes).map_err(broken)?;
    let palette = result.get_palette();
    let entries = || palette.entries.iter().take(palette.count as usize);
    let alphas: Vec<u8> = entries().map(|color| color.a).collect();
    Ok(Reduced {
        colors: entries().flat_map(|color| [color.r, color.g, color.b]).collect(),
        alphas: alphas.iter().any(|alpha| *alpha < 255).then_some(alphas),
        indexes,
    })
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    fn waves(alpha: bool) -> Picture {
        let size = Dimensions { width: 64, height: 48 };
        let pixels = (0..64 * 48_u32).map(|n| [(n % 64 * 4) as u8, (n / 64 * 5) as u8, (n % 17 * 15) as u8]);
        if alpha {
            let clear = pixels.enumerate().flat_map(|(n, [r, g, b])| [r, g, b, if n % 64 < 8 { 0 } else { 255 }]);
            return Picture::rgba(size, clear.collect()).unwrap();
        }
        Picture::rgb(size, pixels.flatten().collect()).unwrap()
    }

    #[test]
    fn there_are_at_most_as_many_colours_as_asked_for_and_more_come_closer() {
        let picture = waves(false);
        let error = |colors: u16| {
            let reduced = reduce(&picture, colors).unwrap();
            assert!(reduced.colors.len() <= 3 * usize::from(colors) && reduced.alphas.is_none());
            let made = reduced.indexes.iter().flat_map(|index| {
                let at = 3 * usize::from(*index);
                reduced.colors[at..at + 3].to_vec()
            });
            made.zip(picture.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        let errors = [2, 16, 256].map(error);
        assert!(errors[0] > errors[1] && errors[1] > errors[2], "{errors:?}");
    }

    #[test]
    fn transparent_pixels_stay_transparent_and_the_result_is_always_the_same() {
        let picture = waves(true);
        let reduced = reduce(&picture, 32).unwrap();
        let alphas = reduced.alphas.clone().unwrap();
        for (index, pixel) in reduced.indexes.iter().zip(picture.to_rgba()) {
            assert_eq!(alphas[usize::from(*index)], pixel[3]);
        }
        for _ in 0..4 {
            assert_eq!(reduce(&picture, 32).unwrap(), reduced);
        }
    }
}
