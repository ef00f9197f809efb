//! The fingerprint: near-duplicates differ in few bits.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::local::image::Picture;

use super::plane::Plane;
use super::window::Window;

/// Cells along a side that the transform is of.
const CELLS: usize = 32;
/// Frequencies along a side that make the bits.
const WAVES: usize = 8;
/// Shares of the typical strength of a frequency that a bit takes: what is weaker is none, so that a symmetric picture, half
/// of whose frequencies are none, does not get bits from noise.
const NONE: f64 = 0.01;
/// No strength below this is any, whatever the picture: about a thirtieth of a brightness level.
const LEAST: f64 = 1.0;
/// A cut-out that is as bright as this in the mean is looked at on black, other ones on white.
const BRIGHT: u64 = 200;

/// Returns a 64-bit hash of the low frequencies (a perceptual hash with a cosine transform): the part of the brightness that
/// differs from an even ground, or all of it where the ground is not even, is averaged into 32 by 32 cells; each bit says whether
/// one of the 8 by 8 lowest frequencies is positive, row by row from the highest bit, the mean always being 0.
///
/// Two pictures whose fingerprints differ in at most about ten bits are likely copies of each other.
pub fn fingerprint(picture: &Picture) -> u64 {
    if !picture.has_alpha() {
        return of(&Plane::of(picture));
    }
    let mut opaque = picture.clone();
    opaque.flatten(if is_bright(picture) { [0; 3] } else { [255; 3] });
    of(&Plane::of(&opaque))
}

/// Whether a picture with alpha is nearly white where it can be seen: on white it would be gone.
fn is_bright(picture: &Picture) -> bool {
    let plane = Plane::of(picture);
    let pixels = picture.pixels().as_chunks::<4>().0.iter().zip(&plane.values);
    let (light, weight) = pixels.fold((0_u64, 0_u64), |(light, weight), (&[.., alpha], &value)| {
        (light + u64::from(alpha) * u64::from(value), weight + u64::from(alpha))
    });
    // A picture without transparent parts is the same on any ground.
    light >= BRIGHT * weight.max(1)
}

/// The fingerprint of a brightness: floating point in a fixed order, so that every machine finds the same.
fn of(plane: &Plane) -> u64 {
    let strengths = waves(&Window::of(plane).means::<CELLS>(plane));
    let power: f64 = strengths.iter().map(|strength| strength * strength).sum();
    let none = (NONE * (power / (WAVES * WAVES) as f64).sqrt()).max(LEAST);
    strengths.iter().fold(0, |bits, strength| bits << 1 | u64::from(*strength > none))
}

/// The strengths of the lowest frequencies (the orthonormal DCT-II), row by row; that of the mean is 0.
fn waves(cells: &[[f64; CELLS]; CELLS]) -> Vec<f64> {
    let wave = |frequency: usize| -> Vec<f64> {
        let scale = (2.0 / CELLS as f64).sqrt() * if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let angle = |at: usize| PI * ((2 * at + 1) * frequency) as f64 / (2 * CELLS) as f64;
        (0..CELLS).map(|at| scale * libm::cos(angle(at))).collect()
    };
    let waves: Vec<Vec<f64>> = (0..WAVES).map(wave).collect();
    let product = |values: &[f64], wave: &[f64]| values.iter().zip(wave).map(|(value, wave)| value * wave).sum::<f64>();
    // By frequency across, one value a row.
    let across: Vec<Vec<f64>> = waves.iter().map(|wave| cells.iter().map(|row| product(row, wave)).collect()).collect();
    let mut strengths: Vec<f64> =
        waves.iter().flat_map(|down| across.iter().map(|column| product(column, down))).collect();
    if let Some(mean) = strengths.first_mut() {
        *mean = 0.0;
    }
    strengths
}

#[cfg(test)]
mod tests {
    use pipeline_core::model::MediaType;
    use pipeline_core::provider::Dimensions;

    use super::*;
    use crate::local::image::{Limits, decode, encode, shrink_to};
    use crate::local::measures::measure::tests::{photo, recipe};

    /// Bits in which copies differ at most, and others at least.
    const NEAR: u32 = 4;
    const FAR: u32 = 11;

    fn apart(one: &Picture, other: &Picture) -> u32 {
        (fingerprint(one) ^ fingerprint(other)).count_ones()
    }

    /// The part of a made scene that is inside of a shape, on an even ground of twice its side.
    fn object(seed: u64, ground: u8, inside: impl Fn(i32, i32) -> bool) -> Picture {
        let scene = photo(seed);
        let pixels = (0..600 * 600).flat_map(|n| {
            let (x, y) = (n % 600 - 300, n / 600 - 300);
            let at = || ((y + 200) * 600 + x + 300) as usize * 3;
            if inside(x, y) { [0, 1, 2].map(|channel| scene.pixels()[at() + channel]) } else { [ground; 3] }
        });
        Picture::rgb(Dimensions { width: 600, height: 600 }, pixels.collect()).unwrap()
    }

    fn disc(x: i32, y: i32) -> bool {
        x * x + y * y < 150 * 150
    }

    fn copies(picture: &Picture) -> Vec<(&'static str, Picture)> {
        let file = encode(picture, MediaType::Jpeg, 50).unwrap();
        vec![
            ("half as large", shrink_to(picture, 300).unwrap()),
            ("an eighth as large", shrink_to(picture, 75).unwrap()),
            ("brighter", recipe(picture, |value| value.saturating_add(value / 20))),
            ("of less contrast", recipe(picture, |value| (f64::from(value) * 0.8 + 30.0) as u8)),
            ("recompressed", decode(&file.bytes, Limits::DEFAULT).unwrap().picture),
        ]
    }

    #[test]
    fn copies_are_near_and_other_pictures_are_far() {
        for seed in 1..5 {
            let picture = photo(seed);
            for (name, copy) in copies(&picture) {
                assert!(apart(&picture, &copy) <= NEAR, "{seed} {name}: {}", apart(&picture, &copy));
            }
            for other in seed + 1..9 {
                assert!(apart(&picture, &photo(other)) >= FAR, "{seed} {other}");
            }
        }
    }

    #[test]
    fn copies_of_an_object_on_an_even_ground_are_near_and_other_objects_there_are_far() {
        for ground in [255, 235] {
            for seed in 1..5 {
                let picture = object(seed, ground, disc);
                for (name, copy) in copies(&picture) {
                    assert!(apart(&picture, &copy) <= NEAR, "{seed} {name}: {}", apart(&picture, &copy));
                }
                for other in seed + 1..9 {
                    let found = apart(&picture, &object(other, ground, disc));
                    assert!(found >= FAR, "{seed} {other}: {found}");
                }
            }
        }
    }

    #[test]
    fn an_object_is_the_same_with_less_ground_around_it() {
        let picture = object(3, 255, disc);
        let closer = picture.crop(90, 90, Dimensions { width: 420, height: 420 }).unwrap();
        assert!(apart(&picture, &closer) <= NEAR, "{}", apart(&picture, &closer));
    }

    #[test]
    fn shapes_of_one_colour_are_told_apart_on_white_and_on_transparency() {
        let shapes: [fn(i32, i32) -> bool; 4] = [
            disc,
            |x, y| x.abs().max(y.abs()) < 130,
            |x, y| x.abs() < 150 && y.abs() < 40,
            |x, y| y.abs() < 150 && 2 * x.abs() < 150 + y,
        ];
        for colour in [[200, 30, 30], [0; 3], [255; 3]] {
            let icons = shapes.map(|inside| {
                let alpha = |n: i32| if inside(n % 600 - 300, n / 600 - 300) { 255 } else { 0 };
                let [red, green, blue] = colour;
                let pixels = (0..600 * 600).flat_map(|n| [red, green, blue, alpha(n)]);
                Picture::rgba(Dimensions { width: 600, height: 600 }, pixels.collect()).unwrap()
            });
            for (at, one) in icons.iter().enumerate() {
                assert!(apart(one, &shrink_to(one, 300).unwrap()) <= NEAR, "{colour:?} {at}");
                for (other, icon) in icons.iter().enumerate().skip(at + 1) {
                    assert!(apart(one, icon) > 6, "{colour:?} {at} {other}: {}", apart(one, icon));
                }
            }
        }
    }

    #[test]
    fn a_picture_of_one_colour_or_of_one_pixel_has_a_fingerprint_without_bits() {
        for (side, value) in [(1, 5), (2, 255), (300, 90)] {
            let size = Dimensions { width: side, height: side };
            let picture = Picture::rgb(size, vec![value; (side * side * 3) as usize]).unwrap();
            assert_eq!(fingerprint(&picture), 0);
        }
    }
}
