//! The guided filter: smooths a plane but keeps the edges of a picture.
//!
//! He, Sun, Tang, "Guided Image Filtering", TPAMI 35 (2013), with the colours as guide; at full size as in He, Sun, "Fast
//! Guided Filter" (2015): the coefficients are found in the small picture and applied to the large one.

use crate::local::image::Picture;

use super::plane::{Enlarger, Plane};

/// A picture that guides, and the means that every plane filtered with it needs.
#[derive(Debug)]
pub(super) struct Guide {
    channels: [Plane; 3],
    means: [Plane; 3],
    /// The inverse of the covariance of the colours in each window, the upper triangle by rows.
    inverse: Vec<[f32; 6]>,
    radius: usize,
}

/// For each pixel a line that gives the filtered value from the colours.
#[derive(Debug)]
pub(super) struct Lines {
    slopes: [Plane; 3],
    offset: Plane,
}

impl Guide {
    /// Makes a guide for windows that reach `radius` to each side. Edges of a contrast below the root of `smoothness`, of
    /// colours from 0 to 1, are smoothed over.
    pub(super) fn new(picture: &Picture, radius: usize, smoothness: f32) -> Self {
        let channels = [0, 1, 2].map(|channel| {
            let stride = picture.channels();
            let pixels = picture.pixels();
            Plane::of(picture.width(), picture.height(), |place| f32::from(pixels[place * stride + channel]) / 255.0)
        });
        let means = channels.each_ref().map(|channel| channel.blurred(radius));
        let covariance = |one: usize, two: usize| {
            let product = channels[one].with(&channels[two], |one, two| one * two).blurred(radius);
            let means = means[one].with(&means[two], |one, two| one * two);
            product.with(&means, |product, means| product - means)
        };
        let [xx, xy, xz] = [covariance(0, 0), covariance(0, 1), covariance(0, 2)];
        let [yy, yz, zz] = [covariance(1, 1), covariance(1, 2), covariance(2, 2)];
        let inverse = (0..xx.values().len())
            .map(|place| {
                let at = |plane: &Plane| plane.values()[place];
                let (xx, yy, zz) = (at(&xx) + smoothness, at(&yy) + smoothness, at(&zz) + smoothness);
                let (xy, xz, yz) = (at(&xy), at(&xz), at(&yz));
                let cofactors = [
                    yy * zz - yz * yz,
                    xz * yz - xy * zz,
                    xy * yz - xz * yy,
                    xx * zz - xz * xz,
                    xy * xz - xx * yz,
                    xx * yy - xy * xy,
                ];
                let determinant = (xx * cofactors[0] + xy * cofactors[1] + xz * cofactors[2]).max(1e-12);
                cofactors.map(|cofactor| cofactor / determinant)
            })
            .collect();
        Self { channels, means, inverse, radius }
    }

    /// Finds the lines for a plane as large as the guide.
    pub(super) fn lines(&self, plane: &Plane) -> Lines {
        let mean = plane.blurred(self.radius);
        let covariance = [0, 1, 2].map(|index| {
            let product = self.channels[index].with(plane, |guide, value| guide * value).blurred(self.radius);
            let means = self.means[index].with(&mean, |guide, value| guide * value);
            product.with(&means, |product, means| product - means)
        });
        let (width, height) = (plane.width(), plane.height());
        let slope = |parts: [usize; 3]| {
            Plane::of(width, height, |place| {
                let inverse = &self.inverse[place];
                parts
                    .iter()
                    .zip(&covariance)
                    .map(|(part, covariance)| inverse[*part] * covariance.values()[place])
                    .sum()
            })
        };
        let slopes = [slope([0, 1, 2]), slope([1, 3, 4]), slope([2, 4, 5])];
        let offset = Plane::of(width, height, |place| {
            let bent = slopes.iter().zip(&self.means).map(|(slope, mean)| slope.values()[place] * mean.values()[place]);
            mean.values()[place] - bent.sum::<f32>()
        });
        Lines { slopes: slopes.map(|slope| slope.blurred(self.radius)), offset: offset.blurred(self.radius) }
    }

    /// Smooths a plane as large as the guide.
    pub(super) fn filter(&self, plane: &Plane) -> Plane {
        let lines = self.lines(plane);
        Plane::of(plane.width(), plane.height(), |place| {
            let parts = lines.slopes.iter().zip(&self.channels);
            parts.map(|(slope, channel)| slope.values()[place] * channel.values()[place]).sum::<f32>()
                + lines.offset.values()[place]
        })
    }
}

impl Lines {
    /// Applies the lines to a larger picture of the same thing, and hands each row of values on.
    pub(super) fn apply(&self, picture: &Picture, mut row: impl FnMut(&[f32])) {
        let (width, stride) = (picture.width(), picture.channels());
        let enlarger = Enlarger::new(&self.offset, width, picture.height());
        let mut slopes = [0, 1, 2].map(|_| vec![0.0; width]);
        let mut values = vec![0.0; width];
        for (y, pixels) in picture.pixels().chunks_exact(width * stride).enumerate() {
            for (slope, row) in self.slopes.iter().zip(&mut slopes) {
                enlarger.row(slope, y, row);
            }
            enlarger.row(&self.offset, y, &mut values);
            for (x, (value, pixel)) in values.iter_mut().zip(pixels.chunks_exact(stride)).enumerate() {
                let parts = slopes.iter().zip(pixel).map(|(slope, color)| slope[x] * f32::from(*color));
                *value += parts.sum::<f32>() / 255.0;
            }
            row(&values);
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    /// Dark to the left of the middle, light to the right.
    fn halves(side: u32) -> Picture {
        let row: Vec<u8> = (0..side).flat_map(|x| if x < side / 2 { [20, 40, 60] } else { [200, 180, 220] }).collect();
        Picture::rgb(Dimensions { width: side, height: side }, row.repeat(side as usize)).unwrap()
    }

    #[test]
    fn a_ragged_plane_takes_over_the_edge_of_the_picture() {
        let picture = halves(32);
        // The plane's edge lies up to two pixels beside that of the picture.
        let ragged = Plane::of(32, 32, |place| f32::from(place % 32 >= 15 + (place / 32 * 7) % 4 - 1));
        let filtered = Guide::new(&picture, 4, 1e-4).filter(&ragged);
        for y in 4..28 {
            assert!(filtered.row(y)[13] < 0.25 && filtered.row(y)[18] > 0.75, "{:?}", filtered.row(y));
        }
    }

    #[test]
    fn the_edge_is_as_fine_as_the_large_picture() {
        let plane = Plane::of(32, 32, |place| f32::from(place % 32 >= 16));
        let lines = Guide::new(&halves(32), 4, 1e-4).lines(&plane);
        let mut rows = Vec::new();
        lines.apply(&halves(128), |row| rows.push(row.to_vec()));
        assert_eq!((rows.len(), rows[0].len()), (128, 128));
        assert!(rows[64][63] < 0.1 && rows[64][64] > 0.9, "{:?}", &rows[64][60..68]);
    }
}
