//! Tests of the measurements, on pictures with known properties.

use pipeline_core::provider::Dimensions;

use super::*;

pub(crate) fn noise_source(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A made scene with soft shapes and crisp edges: overlapping discs of many sizes.
pub(crate) fn photo(seed: u64) -> Picture {
    let mut random = noise_source(seed);
    let discs: Vec<[f64; 6]> = (0..60)
        .map(|_| [random() * 600.0, random() * 400.0, 10.0 + random() * 90.0, random(), random(), random()])
        .collect();
    let pixels = (0..600 * 400)
        .flat_map(|n| {
            let (x, y) = (f64::from(n % 600), f64::from(n / 600));
            let top = discs.iter().rev().find(|disc| (x - disc[0]).hypot(y - disc[1]) < disc[2]);
            let shade = 0.7 + 0.3 * (x + y) / 1000.0;
            let colour = top.map_or([0.4, 0.5, 0.6], |disc| [disc[3], disc[4], disc[5]]);
            colour.map(|value| (25.0 + 200.0 * value * shade) as u8)
        })
        .collect();
    Picture::rgb(Dimensions { width: 600, height: 400 }, pixels).unwrap()
}

/// Changes every byte by itself.
pub(crate) fn recipe(picture: &Picture, mut change: impl FnMut(u8) -> u8) -> Picture {
    Picture::rgb(picture.size(), picture.pixels().iter().map(|&value| change(value)).collect()).unwrap()
}

/// Adds noise of this standard deviation (the sum of four even draws is close to normal).
pub(crate) fn noisy(picture: &Picture, sigma: f64) -> Picture {
    let mut random = noise_source(9);
    recipe(picture, |value| {
        let draw = (0..4).map(|_| random()).sum::<f64>() - 2.0;
        (f64::from(value) + draw * sigma * 3.0_f64.sqrt()).round() as u8
    })
}

/// Blurs by `times` passes of a box of nine: the standard deviation is `sqrt(6.67 * times)`.
pub(crate) fn blurred(picture: &Picture, times: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut pixels = picture.pixels().to_vec();
    for pass in 0..times * 2 {
        let source = pixels.clone();
        for (n, value) in pixels.iter_mut().enumerate() {
            let (x, y, channel) = (n / 3 % width, n / 3 / width, n % 3);
            let sum: usize = (0..9)
                .map(|step| {
                    let (x, y) = if pass % 2 == 0 {
                        ((x + step).saturating_sub(4).min(width - 1), y)
                    } else {
                        (x, (y + step).saturating_sub(4).min(height - 1))
                    };
                    usize::from(source[(y * width + x) * 3 + channel])
                })
                .sum();
            *value = (sum / 9) as u8;
        }
    }
    Picture::rgb(picture.size(), pixels).unwrap()
}

fn flat(value: u8) -> Picture {
    Picture::rgb(Dimensions { width: 300, height: 300 }, vec![value; 300 * 300 * 3]).unwrap()
}

fn of(picture: &Picture) -> Measurements {
    measure(picture, None).unwrap()
}

#[test]
fn blur_lowers_the_sharpness() {
    let [sharp, soft] = [photo(1), blurred(&photo(1), 3)].map(|picture| of(&picture).sharpness.unwrap());
    assert!(sharp > 20.0 * soft, "{sharp} {soft}");
}

#[test]
fn sharpness_hardly_depends_on_how_large_the_picture_is() {
    let picture = blurred(&photo(1), 1);
    let small = shrink_to(&picture, 512).unwrap();
    let [full, small] = [picture, small].map(|picture| of(&picture).sharpness.unwrap());
    assert!((full / small - 1.0).abs() < 0.1, "{full} {small}");
}

#[test]
fn noise_is_estimated_in_levels() {
    let grey = flat(128);
    for sigma in [5.0, 15.0, 30.0] {
        // Each channel has its own noise, so the brightness has sqrt(0.2126² + 0.7152² + 0.0722²) of it.
        let found = of(&noisy(&grey, sigma)).noise.unwrap();
        assert!((found / (0.7496 * sigma) - 1.0).abs() < 0.1, "{sigma} {found}");
    }
    assert_eq!(of(&grey).noise, Some(0.0));
}

#[test]
fn brightness_contrast_and_clipping_are_those_of_the_pixels() {
    let pixels: Vec<u8> = (0..100 * 100).flat_map(|n| [if n % 100 < 25 { 0 } else { 200 }; 3]).collect();
    let found = of(&Picture::rgb(Dimensions { width: 100, height: 100 }, pixels).unwrap());
    assert_eq!((found.brightness, found.clipping), (Some(150.0), Some(0.25)));
    assert_eq!((found.clipped_shadows, found.clipped_highlights), (Some(0.25), Some(0.0)));
    assert_eq!((found.contrast, found.colorfulness, found.entropy), (Some(86.6025), Some(0.0), Some(0.8113)));
    assert_eq!((found.megapixels, found.aspect), (0.01, 1.0));
}

#[test]
fn one_colour_is_blank_and_a_gradient_is_not() {
    assert!(of(&flat(90)).blank);
    let gradient: Vec<u8> = (0..300 * 300).flat_map(|n| [(n % 300 / 30) as u8 + 100; 3]).collect();
    assert!(!of(&Picture::rgb(Dimensions { width: 300, height: 300 }, gradient).unwrap()).blank);
}

#[test]
fn the_aspect_is_compared_with_the_one_asked_for() {
    let wanted = |width, height| measure(&photo(1), Some(Dimensions { width, height })).unwrap().aspect_error;
    assert_eq!((wanted(1200, 800), wanted(600, 600), wanted(0, 5)), (0.0, 0.5, 0.0));
}

#[test]
fn hidden_pixels_are_not_looked_at() {
    let scene = photo(1);
    let cut_out = |hidden: u8| {
        let pixels = scene.pixels().chunks_exact(3).enumerate().flat_map(|(n, pixel)| {
            let seen = n % 600 < 300;
            let value = |at: usize| if seen { pixel[at] } else { hidden };
            [value(0), value(1), value(2), if seen { 255 } else { 0 }]
        });
        of(&Picture::rgba(scene.size(), pixels.collect()).unwrap())
    };
    let (white, black) = (cut_out(255), cut_out(0));
    assert_eq!(white, black);
    let half = of(&scene.crop(0, 0, Dimensions { width: 300, height: 400 }).unwrap());
    let apart = |measure: fn(&Measurements) -> Option<f64>| (measure(&white).unwrap() - measure(&half).unwrap()).abs();
    assert!(apart(|found| found.brightness) < 0.01 && white.clipping == half.clipping);
    assert!(apart(|found| found.noise) < 0.1);
}

#[test]
fn every_number_is_finite_even_of_odd_pictures() {
    for (width, height) in [(1, 1), (1, 700), (700, 1), (2, 2), (3, 3)] {
        let size = Dimensions { width, height };
        let count = (width * height) as usize;
        for picture in
            [Picture::rgb(size, vec![200; count * 3]).unwrap(), Picture::rgba(size, vec![0; count * 4]).unwrap()]
        {
            let found = of(&picture);
            let numbers =
                [found.sharpness, found.brightness, found.contrast, found.noise, found.clipping, found.letterbox];
            assert!(numbers.iter().flatten().all(|number| number.is_finite()), "{found:?}");
            assert!(found.blank);
        }
    }
}

/// A picture of one colour with this alpha.
fn shape(colour: [u8; 3], alpha: impl Fn(usize, usize) -> u8) -> Picture {
    let [red, green, blue] = colour;
    let pixels = (0..300 * 300).flat_map(|n| [red, green, blue, alpha(n % 300, n / 300)]);
    Picture::rgba(Dimensions { width: 300, height: 300 }, pixels.collect()).unwrap()
}

/// The names of what was measured, without those of the size.
fn measured(found: &Measurements) -> Vec<String> {
    let size = ["width", "height", "megapixels", "aspect", "aspect_error"];
    let names = serde_json::to_value(found).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    names.into_iter().filter(|name| !size.contains(&name.as_str())).collect()
}

#[test]
fn a_shape_of_one_colour_on_transparency_is_not_blank_and_has_no_light_or_detail() {
    let disc = |x: usize, y: usize| if x.abs_diff(150).pow(2) + y.abs_diff(150).pow(2) < 100 * 100 { 255 } else { 0 };
    for colour in [[200, 30, 30], [0; 3], [255; 3]] {
        let found = of(&shape(colour, disc));
        assert!(!found.blank);
        assert_eq!(measured(&found), ["blank"]);
    }
}

#[test]
fn a_picture_of_which_nothing_can_be_seen_is_blank_and_nothing_else_is_measured() {
    for alpha in [0, 60] {
        let found = of(&shape([255, 0, 0], |_, _| alpha));
        assert!(found.blank);
        assert_eq!(measured(&found), ["blank"]);
    }
    assert!(of(&shape([255, 0, 0], |_, _| 200)).blank);
}

#[test]
fn bars_and_blocks_are_not_measured_in_a_picture_with_transparent_parts() {
    let scene = photo(1);
    let pixels = scene.pixels().chunks_exact(3).enumerate().flat_map(|(n, pixel)| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]];
        [red, green, blue, if n % 600 < 300 { 255 } else { 0 }]
    });
    let found = of(&Picture::rgba(scene.size(), pixels.collect()).unwrap());
    assert!(found.sharpness.is_some() && found.brightness.is_some());
    assert_eq!((found.blockiness, found.letterbox, found.brisque), (None, None, None));
    assert!(of(&scene).blockiness.is_some() && of(&scene).letterbox.is_some());
}
