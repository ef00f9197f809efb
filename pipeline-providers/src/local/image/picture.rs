//! The decoded picture: eight bits a channel, in memory.

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::Dimensions;

/// Pixels in rows from the top left, three or four bytes each: red, green, blue and perhaps alpha (not premultiplied).
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} channels)", self.size(), self.channels)
    }
}

impl Picture {
    /// Makes a picture of three bytes a pixel.
    ///
    /// # Errors
    /// `Unexpected` when the number of bytes does not fit the size.
    pub fn rgb(size: Dimensions, pixels: Vec<u8>) -> Result<Self> {
        Self::new(size, 3, pixels)
    }

    /// Makes a picture of four bytes a pixel. When every pixel is opaque the alpha is dropped.
    ///
    /// # Errors
    /// `Unexpected` when the number of bytes does not fit the size.
    pub fn rgba(size: Dimensions, mut pixels: Vec<u8>) -> Result<Self> {
        if pixels.chunks_exact(4).all(|pixel| pixel[3] == 255) {
            drop_alpha(&mut pixels);
            return Self::new(size, 3, pixels);
        }
        Self::new(size, 4, pixels)
    }

    fn new(size: Dimensions, channels: usize, pixels: Vec<u8>) -> Result<Self> {
        let (width, height) = (size.width as usize, size.height as usize);
        if width == 0
            || height == 0
            || width.checked_mul(height).and_then(|n| n.checked_mul(channels)) != Some(pixels.len())
        {
            return Err(Error::unexpected("pixels do not fit the size").with("size", size).with("bytes", pixels.len()));
        }
        Ok(Self { width, height, channels, pixels })
    }

    /// Returns the size in pixels.
    pub fn size(&self) -> Dimensions {
        Dimensions { width: self.width as u32, height: self.height as u32 }
    }

    /// Returns how many pixels lie in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns how many rows there are.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the bytes of a pixel: 3, or 4 when some pixel is not opaque.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Tells whether some pixel is not opaque.
    pub fn has_alpha(&self) -> bool {
        self.channels == 4
    }

    /// Returns all bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns all bytes and gives up the picture.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Returns all bytes, to be changed.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Returns every pixel with its alpha.
    pub(crate) fn to_rgba(&self) -> Vec<[u8; 4]> {
        match self.channels {
            4 => self.pixels.as_chunks::<4>().0.to_vec(),
            _ => self.pixels.as_chunks::<3>().0.iter().map(|[red, green, blue]| [*red, *green, *blue, 255]).collect(),
        }
    }

    /// Returns the bytes of one row.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let stride = self.width * self.channels;
        self.pixels.get(y * stride..(y + 1) * stride).unwrap_or_default()
    }

    /// Returns all rows from the top.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.pixels.chunks_exact(self.width * self.channels)
    }

    /// Returns the part that begins at `left`, `top`; what sticks out is cut off.
    pub(crate) fn crop(&self, left: usize, top: usize, size: Dimensions) -> Result<Self> {
        let right = left.saturating_add(size.width as usize).min(self.width);
        let bottom = top.saturating_add(size.height as usize).min(self.height);
        let (left, top) = (left.min(right), top.min(bottom));
        let mut pixels = Vec::with_capacity((right - left) * (bottom - top) * self.channels);
        for row in self.rows().take(bottom).skip(top) {
            pixels.extend_from_slice(row.get(left * self.channels..right * self.channels).unwrap_or_default());
        }
        let size = Dimensions { width: (right - left) as u32, height: (bottom - top) as u32 };
        if self.has_alpha() { Self::rgba(size, pixels) } else { Self::rgb(size, pixels) }
    }

    /// Puts the picture on a solid background; nothing happens to an opaque one.
    pub fn flatten(&mut self, background: [u8; 3]) {
        if !self.has_alpha() {
            return;
        }
        for pixel in self.pixels.chunks_exact_mut(4) {
            let alpha = u32::from(pixel[3]);
            for (value, behind) in pixel.iter_mut().zip(background) {
                let sum = u32::from(*value) * alpha + u32::from(behind) * (255 - alpha) + 128;
                *value = ((sum + (sum >> 8)) >> 8) as u8; // = sum / 255, rounded
            }
        }
        drop_alpha(&mut self.pixels);
        self.channels = 3;
    }
}

/// Packs four bytes a pixel to three, in place.
fn drop_alpha(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for index in 0..count {
        pixels.copy_within(index * 4..index * 4 + 3, index * 3);
    }
    pixels.truncate(count * 3);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Dimensions = Dimensions { width: 2, height: 1 };

    #[test]
    fn an_alpha_channel_that_hides_nothing_is_dropped() {
        let opaque = Picture::rgba(TWO, vec![1, 2, 3, 255, 4, 5, 6, 255]).unwrap();
        assert_eq!((opaque.channels(), opaque.pixels()), (3, &[1, 2, 3, 4, 5, 6][..]));
        assert!(Picture::rgba(TWO, vec![1, 2, 3, 255, 4, 5, 6, 254]).unwrap().has_alpha());
    }

    #[test]
    fn flattening_blends_by_alpha() {
        let mut picture = Picture::rgba(TWO, vec![200, 100, 0, 128, 9, 9, 9, 0]).unwrap();
        picture.flatten([0, 100, 200]);
        assert_eq!(picture.pixels(), [100, 100, 100, 0, 100, 200]);
        assert!(!picture.has_alpha());
    }

    #[test]
    fn an_opaque_picture_has_an_alpha_of_255() {
        let opaque = Picture::rgb(TWO, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(opaque.to_rgba(), [[1, 2, 3, 255], [4, 5, 6, 255]]);
        let clear = Picture::rgba(TWO, vec![1, 2, 3, 0, 4, 5, 6, 7]).unwrap();
        assert_eq!(clear.to_rgba(), [[1, 2, 3, 0], [4, 5, 6, 7]]);
    }

    #[test]
    fn a_wrong_number_of_bytes_is_an_error() {
        assert!(Picture::rgb(TWO, vec![0; 5]).is_err());
        assert!(Picture::rgb(Dimensions { width: 0, height: 1 }, vec![]).is_err());
    }

    #[test]
    fn cropping_cuts_off_what_sticks_out() {
        let picture = Picture::rgb(TWO, vec![1, 1, 1, 2, 2, 2]).unwrap();
        let part = picture.crop(1, 0, Dimensions { width: 9, height: 9 }).unwrap();
        assert_eq!((part.size(), part.pixels()), (Dimensions { width: 1, height: 1 }, &[2, 2, 2][..]));
    }
}
