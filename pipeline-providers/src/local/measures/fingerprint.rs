//! The fingerprint: near-duplicates differ in few bits.

use crate::local::image::Picture;

use super::plane::Plane;

const ACROSS: usize = 9;
const DOWN: usize = 8;

/// Returns a 64-bit difference hash (dHash): the picture, on white, is averaged into 9 by 8 cells; each bit says whether
/// a cell is brighter than the one to its left, row by row from the highest bit.
///
/// Two pictures whose fingerprints differ in at most about ten bits are likely copies of each other.
pub fn fingerprint(picture: &Picture) -> u64 {
    if !picture.has_alpha() {
        return of(&Plane::of(picture));
    }
    let mut opaque = picture.clone();
    opaque.flatten([255; 3]);
    of(&Plane::of(&opaque))
}

/// The fingerprint of a brightness. All in integers, so that every machine finds the same.
pub(super) fn of(plane: &Plane) -> u64 {
    // Cell edges lie at whole pixels; a picture smaller than the grid has cells of one pixel, some used twice.
    let cell = |index: usize, count: usize, length: usize| {
        let from = (index * length / count).min(length - 1);
        from..((index + 1) * length / count).clamp(from + 1, length)
    };
    let mut sums = [[0_u64; ACROSS]; DOWN];
    for (index, line) in sums.iter_mut().enumerate() {
        let down = cell(index, DOWN, plane.height);
        for row in plane.rows().take(down.end).skip(down.start) {
            for (index, sum) in line.iter_mut().enumerate() {
                let values = row.get(cell(index, ACROSS, plane.width)).unwrap_or_default();
                *sum += values.iter().map(|&value| u64::from(value)).sum::<u64>();
            }
        }
        for (index, sum) in line.iter_mut().enumerate() {
            // Means with eight bits behind the point: cells may differ by a column.
            *sum = (*sum << 8) / (cell(index, ACROSS, plane.width).len() * down.len()) as u64;
        }
    }
    sums.iter()
        .flat_map(|line| line.array_windows::<2>())
        .fold(0, |bits, [left, right]| bits << 1 | u64::from(right > left))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;
    use crate::local::image::shrink_to;
    use crate::local::measures::measure::tests::{photo, recipe};

    #[test]
    fn a_smaller_copy_and_a_brighter_copy_are_near_and_another_picture_is_far() {
        let picture = photo(1);
        let first = fingerprint(&picture);
        let small = fingerprint(&shrink_to(&picture, 200).unwrap());
        let brighter = fingerprint(&recipe(&picture, |value| (f64::from(value) * 0.8 + 30.0) as u8));
        let other = fingerprint(&photo(2));
        assert!((first ^ small).count_ones() <= 4, "{}", (first ^ small).count_ones());
        assert!((first ^ brighter).count_ones() <= 4, "{}", (first ^ brighter).count_ones());
        assert!((first ^ other).count_ones() >= 16, "{}", (first ^ other).count_ones());
    }

    #[test]
    fn a_ramp_to_the_right_sets_every_bit_and_one_to_the_left_none() {
        let ramp = |flip: bool| {
            let row: Vec<u8> = (0..90_u8).flat_map(|x| [if flip { 200 - x } else { x }; 3]).collect();
            fingerprint(&Picture::rgb(Dimensions { width: 90, height: 16 }, row.repeat(16)).unwrap())
        };
        assert_eq!((ramp(false), ramp(true)), (u64::MAX, 0));
    }

    #[test]
    fn a_picture_of_one_pixel_has_a_fingerprint() {
        assert_eq!(fingerprint(&Picture::rgb(Dimensions { width: 1, height: 1 }, vec![5; 3]).unwrap()), 0);
    }
}
