//! Edge colours: what shines through a half-transparent pixel is the old background.
//!
//! Each pixel that is not quite opaque takes the mean colour of the opaque ones near it, the more the more transparent it
//! is; of two distances the nearer one that has any counts. Unlike an exact solution this never makes a colour that is not
//! there, also where the hidden colours are gone already.

use crate::local::image::Picture;

use super::plane::{Enlarger, Plane};

/// The means are taken in a picture of at most this longest side: colours change slowly, and memory stays bounded.
const SIDE: usize = 1024;

/// How far opaque pixels are looked for, in pixels of that picture.
const REACHES: [usize; 2] = [3, 16];

/// Below this weight there is nothing opaque near.
const ENOUGH: f32 = 0.004;

/// Changes the colours of pixels that are not opaque; returns whether there were any.
pub(super) fn decontaminate(picture: &mut Picture) -> bool {
    if !picture.has_alpha() {
        return false;
    }
    let (width, height) = (picture.width(), picture.height());
    let block = width.max(height).div_ceil(SIDE);
    let [weight, red, green, blue] = opaque(picture, block);
    let near = REACHES.map(|reach| [&weight, &red, &green, &blue].map(|plane| plane.blurred(reach)));
    let enlarger = Enlarger::new(&weight, width, height);
    let mut rows = near.each_ref().map(|planes| planes.each_ref().map(|_| vec![0.0; width]));
    let mut changed = false;
    for (y, pixels) in picture.pixels_mut().chunks_exact_mut(width * 4).enumerate() {
        if pixels.chunks_exact(4).all(|pixel| matches!(pixel[3], 0 | 255)) {
            continue;
        }
        changed = true;
        for (planes, rows) in near.iter().zip(&mut rows) {
            for (plane, row) in planes.iter().zip(rows) {
                enlarger.row(plane, y, row);
            }
        }
        for (x, pixel) in pixels.chunks_exact_mut(4).enumerate().filter(|(_, pixel)| !matches!(pixel[3], 0 | 255)) {
            let Some([weight, colors @ ..]) = rows.iter().find(|[weight, ..]| weight[x] > ENOUGH) else { continue };
            let own = f32::from(pixel[3]) / 255.0;
            for (value, color) in pixel.iter_mut().zip(colors) {
                let mixed = own * f32::from(*value) + (1.0 - own) * color[x] / weight[x];
                *value = (mixed + 0.5) as u8; // saturates at both ends
            }
        }
    }
    changed
}

/// The picture in blocks: how opaque each is, only what is nearly so counted, and its colours times that.
fn opaque(picture: &Picture, block: usize) -> [Plane; 4] {
    let (width, height) = (picture.width().div_ceil(block), picture.height().div_ceil(block));
    let mut sums = vec![[0.0_f32; 4]; width * height];
    for (y, row) in picture.rows().enumerate() {
        for (x, pixel) in row.chunks_exact(4).enumerate() {
            let share = f32::from(pixel[3]) / 255.0;
            let weight = share * share * share * share;
            let sum = &mut sums[y / block * width + x / block];
            sum[0] += weight;
            sum[1..].iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * f32::from(*value));
        }
    }
    let count = (block * block) as f32;
    [0, 1, 2, 3].map(|index| Plane::of(width, height, |place| sums[place][index] / count))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    #[test]
    fn an_edge_takes_the_colour_of_the_subject_and_not_of_the_old_background() {
        // A red subject, cut from green: the edge is a mixture.
        let row =
            [[0, 200, 0, 0], [0, 200, 0, 0], [100, 100, 0, 128], [200, 0, 0, 255], [200, 0, 0, 255], [200, 0, 0, 255]];
        let pixels = row.repeat(6).concat();
        let mut picture = Picture::rgba(Dimensions { width: 6, height: 6 }, pixels).unwrap();
        assert!(decontaminate(&mut picture));
        let middle = &picture.row(3)[8..12];
        assert!(middle[0] >= 148 && middle[1] <= 52 && middle[3] == 128, "{middle:?}");
        assert_eq!(picture.row(3)[12..16], [200, 0, 0, 255], "what is opaque stays as it is");
    }

    #[test]
    fn a_picture_without_an_edge_is_left_as_it_is() {
        let mut hard = Picture::rgba(Dimensions { width: 2, height: 1 }, vec![1, 2, 3, 0, 4, 5, 6, 255]).unwrap();
        let before = hard.clone();
        assert!(!decontaminate(&mut hard));
        assert_eq!(hard, before);
        let mut haze = Picture::rgba(Dimensions { width: 2, height: 1 }, vec![1, 2, 3, 9, 4, 5, 6, 9]).unwrap();
        let before = haze.clone();
        decontaminate(&mut haze);
        assert_eq!(haze, before, "nothing opaque is near");
    }
}
