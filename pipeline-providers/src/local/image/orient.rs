//! Which way up a picture is, by EXIF tag 0x0112.

use pipeline_core::error::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::decode::Directory;
#[cfg(feature = "avif")]
use super::decode::avif_orientation;
use super::embed::exif_block;
use super::exif_block::orientation;
use super::picture::Picture;

/// The tag of the orientation.
const TAG: u64 = 0x0112;

/// An EXIF orientation, 1 to 8; 1 is upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// As stored.
    pub const UPRIGHT: Self = Self(1);

    /// Makes one from the value of the tag; `None` outside 1 to 8.
    pub fn new(value: u32) -> Option<Self> {
        (1..=8).contains(&value).then_some(Self(value as u8))
    }

    /// Reads it from a JPEG, PNG, WebP, TIFF or AVIF file; upright when there is none or the metadata is damaged.
    pub fn read(media_type: MediaType, bytes: &[u8]) -> Self {
        let value = match media_type {
            MediaType::Jpeg | MediaType::Png | MediaType::WebP => {
                exif_block(bytes).and_then(|block| orientation(&block))
            }
            // The file is what EXIF is made of; reading it as such would copy all of it.
            MediaType::Tiff => Directory::read(bytes).and_then(|directory| directory.first(TAG)?.try_into().ok()),
            // The file has boxes for it; EXIF, if there is some, does not count.
            #[cfg(feature = "avif")]
            MediaType::Avif => avif_orientation(bytes),
            _ => None,
        };
        value.and_then(Self::new).unwrap_or(Self::UPRIGHT)
    }

    /// Returns the value of the tag.
    pub fn value(self) -> u8 {
        self.0
    }

    /// Returns the size after turning upright.
    pub fn size(self, stored: Dimensions) -> Dimensions {
        if self.0 >= 5 { Dimensions { width: stored.height, height: stored.width } } else { stored }
    }

    /// Turns a picture upright.
    ///
    /// # Errors
    /// None that can be caused from outside.
    pub fn apply(self, picture: Picture) -> Result<Picture> {
        match picture.channels() {
            _ if self == Self::UPRIGHT => Ok(picture),
            3 => Picture::rgb(self.size(picture.size()), self.turn::<3>(&picture)),
            _ => Picture::rgba(self.size(picture.size()), self.turn::<4>(&picture)),
        }
    }

    fn turn<const N: usize>(self, picture: &Picture) -> Vec<u8> {
        let (width, height) = (picture.width(), picture.height());
        let source = picture.pixels().as_chunks::<N>().0;
        let upright = self.size(picture.size());
        let mut pixels = Vec::with_capacity(picture.pixels().len());
        for y in 0..upright.height as usize {
            // Where the row starts in the source, and how far apart its pixels lie there.
            let (start, step) = match self.0 {
                2 => (y * width + width - 1, -1),
                3 => ((height - y) * width - 1, -1),
                4 => ((height - 1 - y) * width, 1),
                5 => (y, width as isize),
                6 => ((height - 1) * width + y, -(width as isize)),
                7 => (height * width - 1 - y, -(width as isize)),
                8 => (width - 1 - y, width as isize),
                _ => (y * width, 1),
            };
            for x in 0..upright.width as isize {
                let pixel = source.get(start.wrapping_add_signed(x * step)).copied().unwrap_or([0; N]);
                pixels.extend_from_slice(&pixel);
            }
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pixels across, two down: `1 2 3 / 4 5 6`.
    fn picture() -> Picture {
        let pixels = (1..=6).flat_map(|n| [n, 10 * n, 255 - n]).collect();
        Picture::rgb(Dimensions { width: 3, height: 2 }, pixels).unwrap()
    }

    #[test]
    fn each_of_the_eight_orientations_is_turned_upright() {
        let cases: [(u32, usize, [u8; 6]); 8] = [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
        ];
        for (value, width, expected) in cases {
            let turned = Orientation::new(value).unwrap().apply(picture()).unwrap();
            let found: Vec<u8> = turned.pixels().chunks_exact(3).map(|pixel| pixel[0]).collect();
            assert_eq!((turned.width(), &found[..]), (width, &expected[..]), "orientation {value}");
        }
    }

    #[test]
    fn values_outside_one_to_eight_do_not_exist() {
        assert_eq!(Orientation::new(0), None);
        assert_eq!(Orientation::new(9), None);
    }
}
