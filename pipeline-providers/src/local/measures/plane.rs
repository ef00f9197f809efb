//! The brightness of a picture, one byte a pixel.

use crate::local::image::Picture;

/// The brightness (Rec. 709 weights over the stored values, 0 to 255) of every pixel.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<u8>,
}

impl Plane {
    /// Takes the brightness. Alpha is ignored: flatten first, or mask.
    pub(super) fn of(picture: &Picture) -> Self {
        let values = match picture.channels() {
            4 => picture.pixels().as_chunks::<4>().0.iter().map(|&[r, g, b, _]| brightness([r, g, b])).collect(),
            _ => picture.pixels().as_chunks::<3>().0.iter().map(|&pixel| brightness(pixel)).collect(),
        };
        Self { width: picture.width(), height: picture.height(), values }
    }

    /// Which pixels can be seen: those at least half opaque. `None` when all can.
    pub(super) fn visible(picture: &Picture) -> Option<Vec<bool>> {
        let pixels = || picture.pixels().chunks_exact(4).map(|pixel| pixel[3] >= 128);
        (picture.has_alpha() && pixels().any(|visible| !visible)).then(|| pixels().collect())
    }

    /// Returns all rows from the top.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.values.chunks_exact(self.width)
    }

    /// Returns each row with the two below it, and its number.
    pub(super) fn triples(&self) -> impl Iterator<Item = (usize, [&[u8]; 3])> {
        let below = |by: usize| self.rows().skip(by);
        self.rows()
            .zip(below(1))
            .zip(below(2))
            .enumerate()
            .map(|(y, ((top, middle), bottom))| (y, [top, middle, bottom]))
    }
}

/// Integer weights that sum to 65 536.
fn brightness([red, green, blue]: [u8; 3]) -> u8 {
    ((13_933 * u32::from(red) + 46_871 * u32::from(green) + 4_732 * u32::from(blue) + 32_768) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_keeps_its_value_and_green_is_brightest() {
        for value in 0..=255 {
            assert_eq!(brightness([value; 3]), value);
        }
        assert_eq!([[255, 0, 0], [0, 255, 0], [0, 0, 255]].map(brightness), [54, 182, 18]);
    }
}
