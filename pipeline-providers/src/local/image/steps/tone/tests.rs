//! Tests of colour and sharpness, against plain arithmetic.

use pipeline_core::provider::Dimensions;
use proptest::prelude::*;

use super::super::lab::{Curves, from_linear, to_levels};
use super::*;

fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let pixels = (0..width * height).flat_map(|n| pixel(n % width, n / width)).collect();
    Picture::rgb(Dimensions { width, height }, pixels).unwrap()
}

fn modulated(colour: [u8; 3], brightness: f32, saturation: f32, hue: f32) -> [u8; 3] {
    let mut one = picture(1, 1, |_, _| colour);
    Tone::modulate(brightness, saturation, hue).unwrap().0.apply(&mut one, Threads::ONE);
    one.pixels().try_into().unwrap()
}

fn sharpened(picture: &Picture, amount: f32) -> Picture {
    let mut picture = picture.clone();
    Tone::sharpen(amount).unwrap().0.apply(&mut picture, Threads::ONE);
    picture
}

fn lab(colour: [u8; 3]) -> [f32; 3] {
    from_linear(colour.map(|value| Curves::get().linear(value)))
}

/// The same in the plainest way: every pixel by itself, the blur as one sum over two axes.
fn reference(picture: &Picture, tone: &Tone) -> Vec<u8> {
    let (width, height) = (picture.width() as i64, picture.height() as i64);
    let at = |x: i64, y: i64| -> [f32; 3] {
        let (x, y) = (x.clamp(0, width - 1) as usize, y.clamp(0, height - 1) as usize);
        let [lightness, a, b] = lab(picture.row(y)[3 * x..][..3].try_into().unwrap());
        let [[e, f], [g, h]] = tone.turn;
        let changed = [(lightness * tone.gain + tone.lift).max(0.0), e * a + f * b, g * a + h * b];
        // What is brighter than white is clipped as a colour, before it is sharpened.
        if changed[0] > 100.0 { lab(to_levels(changed).map(|level| Curves::get().encoded(level))) } else { changed }
    };
    let reach = tone.kernel.len().saturating_sub(1) as i64;
    let mut made = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let [mut lightness, a, b] = at(x, y);
            if reach > 0 {
                let mut around = 0.0_f64;
                for down in -reach..=reach {
                    for across in -reach..=reach {
                        let weight = |n: i64| f64::from(tone.kernel[n.unsigned_abs() as usize]);
                        around += weight(down) * weight(across) * f64::from(at(x + across, y + down)[0]);
                    }
                }
                let difference = lightness - around as f32;
                let change =
                    if difference.abs() <= 2.0 { difference } else { 2.0 * difference - 2.0_f32.copysign(difference) };
                lightness = (lightness + change.clamp(-20.0, 10.0)).clamp(0.0, 100.0);
            }
            made.extend(to_levels([lightness, a, b]).map(|level| Curves::get().encoded(level)));
        }
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_fused_pass_does_what_plain_arithmetic_does(
        (width, height) in (1_u32..24, 1_u32..24), seed: u32, amount in 0.0_f32..10.0,
        brightness in 0.0_f32..2.0, saturation in 0.0_f32..3.0, hue in -360.0_f32..360.0,
    ) {
        let noise = picture(width, height, |x, y| {
            [0, 8, 16].map(|shift| ((x + 31 * y + seed).wrapping_mul(2_654_435_761) >> shift) as u8)
        });
        let modulate = Tone::modulate(brightness, saturation, hue).unwrap().0;
        let tone = modulate.then(&Tone::sharpen(amount).unwrap().0).unwrap();
        let mut made = noise.clone();
        tone.apply(&mut made, Threads::ONE);
        for (found, expected) in made.pixels().iter().zip(reference(&noise, &tone)) {
            prop_assert!(found.abs_diff(expected) <= 1, "{found} for {expected}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let large = picture(64, 900, |x, y| [(x * 4) as u8, (y % 256) as u8, ((x * y) % 251) as u8]);
    let tone = Tone::modulate(1.1, 1.3, 20.0).unwrap().0.then(&Tone::sharpen(9.0).unwrap().0).unwrap();
    let made = [1, 2, 3].map(|threads| {
        let mut picture = large.clone();
        tone.apply(&mut picture, Threads::new(threads));
        picture
    });
    assert!(made[0] == made[1] && made[1] == made[2]);
    assert_ne!(made[0], large);
    let stretched = [1, 2].map(|threads| stretch(&large, 2.0, Threads::new(threads)).unwrap());
    assert_eq!(stretched[0], stretched[1]);
}

#[test]
fn zero_saturation_makes_grey_of_the_same_lightness() {
    for colour in [[200, 80, 40], [3, 250, 90], [12, 12, 200]] {
        let grey = modulated(colour, 1.0, 0.0, 0.0);
        assert!(grey[0] == grey[1] && grey[1] == grey[2], "{grey:?}");
        assert!((lab(grey)[0] - lab(colour)[0]).abs() < 0.3);
    }
}

#[test]
fn saturation_scales_the_chroma_and_keeps_lightness_and_hue() {
    for colour in [[150, 120, 100], [90, 120, 100], [90, 100, 120]] {
        let strong = lab(modulated(colour, 1.0, 1.5, 0.0));
        let weak = lab(colour);
        assert!((strong[0] - weak[0]).abs() < 0.3);
        for (strong, weak, scale) in [(strong[1], weak[1], 500.0), (strong[2], weak[2], 200.0)] {
            assert!((strong - 1.5 * weak).abs() * scale < 0.6, "{colour:?}");
        }
    }
}

#[test]
fn what_becomes_brighter_than_white_is_white() {
    // As sharp's `modulate({ brightness: 2 })`.
    for (colour, expected) in [([255, 255, 0], [255, 255, 255]), ([0, 200, 40], [255, 255, 242])] {
        let found = modulated(colour, 2.0, 1.0, 0.0);
        assert!(found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1), "{found:?}");
    }
}

#[test]
fn brightness_scales_the_lightness() {
    for (brightness, colour) in [(0.5, [180, 180, 180]), (1.2, [90, 100, 80])] {
        let expected = brightness * lab(colour)[0];
        assert!((lab(modulated(colour, brightness, 1.0, 0.0))[0] - expected).abs() < 0.4);
    }
    assert_eq!(modulated([77, 12, 9], 0.0, 0.0, 0.0), [0, 0, 0]);
}

#[test]
fn the_hue_turns_by_degrees() {
    let angle = |colour: [u8; 3]| {
        let [_, a, b] = lab(colour);
        libm::atan2f(200.0 * b, 500.0 * a).to_degrees().rem_euclid(360.0)
    };
    for degrees in [-120.0_f32, 45.0, 180.0] {
        let colour = [130, 110, 110];
        let turned = modulated(colour, 1.0, 1.0, degrees);
        let off = (angle(turned) - angle(colour) - degrees).rem_euclid(360.0);
        assert!(off.min(360.0 - off) < 6.0, "{degrees}: {off}");
    }
    let around = modulated([130, 60, 110], 1.0, 1.0, 360.0);
    assert!(around.iter().zip([130_u8, 60, 110]).all(|(found, colour)| found.abs_diff(colour) <= 1));
}

#[test]
fn the_table_of_amounts_holds() {
    // e^(-1/2) of 20 is 12.13, e^(-4/2) is 2.7, so sigma 1 is 20, 12, 3 over 50: the sum of both sides.
    let one = kernel(1.0);
    assert_eq!(one, [20.0 / 50.0, 12.0 / 50.0, 3.0 / 50.0].map(|weight: f64| weight as f32));
    assert_eq!(Tone::sharpen(5.0).unwrap().0.kernel, one);
    assert_eq!(Tone::sharpen(10.0).unwrap().0.kernel, kernel(2.0));
    assert_eq!(Tone::sharpen(1.0).unwrap().0.kernel, kernel(0.6));
    assert!(Tone::sharpen(0.01).unwrap().0.kernel.len() > 1, "the least amount does something");
}

#[test]
fn a_larger_amount_makes_a_steeper_edge_and_flat_areas_stay() {
    let edge = picture(32, 8, |x, _| [if x < 16 { 90 } else { 140 }; 3]);
    let reach = |amount: f32| {
        let made = sharpened(&edge, amount);
        assert_eq!(made.row(4)[..6], edge.row(4)[..6], "far from the edge nothing changes");
        (*made.pixels().iter().min().unwrap(), *made.pixels().iter().max().unwrap())
    };
    let found = [0.0, 1.0, 5.0, 10.0].map(reach);
    assert_eq!(found[0], (90, 140));
    for pair in found.windows(2) {
        assert!(pair[1].0 < pair[0].0 && pair[1].1 >= pair[0].1, "{found:?}");
    }
}

#[test]
fn hidden_pixels_leave_no_rim_on_a_cut_out() {
    // A light figure whose transparent surroundings are stored black.
    let pixels: Vec<u8> =
        (0..16 * 16).flat_map(|n| if n % 16 < 8 { [200, 200, 200, 255] } else { [0, 0, 0, 0] }).collect();
    let mut picture = Picture::rgba(Dimensions { width: 16, height: 16 }, pixels).unwrap();
    Tone::sharpen(10.0).unwrap().0.apply(&mut picture, Threads::ONE);
    for pixel in picture.pixels().chunks_exact(4).filter(|pixel| pixel[3] == 255) {
        assert_eq!(pixel[..3], [200, 200, 200]);
    }
}

#[test]
fn what_does_nothing_changes_nothing_and_is_not_told() {
    assert_eq!(Tone::modulate(1.0, 1.0, 0.0).unwrap(), (Tone::SAME, Vec::new()));
    assert_eq!(Tone::sharpen(0.0).unwrap(), (Tone::SAME, Vec::new()));
    let grey = picture(8, 8, |x, y| [(x * 30 + y) as u8; 3]);
    let mut same = grey.clone();
    Tone::modulate(1.0, 3.0, 77.0).unwrap().0.apply(&mut same, Threads::ONE);
    assert_eq!(same, grey, "grey has no chroma to change");
}

#[test]
fn steps_are_joined_only_where_the_result_is_the_same() {
    let modulate = |brightness, saturation| Tone::modulate(brightness, saturation, 0.0).unwrap().0;
    let sharpen = Tone::sharpen(5.0).unwrap().0;
    assert!(modulate(1.2, 1.5).then(&sharpen).is_some());
    assert_eq!(sharpen.then(&modulate(1.0, 1.5)), modulate(1.0, 1.5).then(&sharpen));
    assert!(sharpen.then(&modulate(1.2, 1.0)).is_none(), "a brighter picture has stronger edges");
    assert!(sharpen.then(&sharpen).is_none());
    assert!(modulate(1.2, 1.0).then(&modulate(0.8, 1.0)).is_none(), "clipped light does not come back");
    assert_eq!(modulate(1.2, 2.0).then(&modulate(1.0, 0.5)), Some(modulate(1.2, 1.0)));
}

#[test]
fn normalising_stretches_the_lightness_over_the_whole_range() {
    let dull = picture(64, 64, |x, y| [(80 + x) as u8, (80 + x) as u8, (80 + x + y % 2) as u8]);
    let (tone, done) = stretch(&dull, 1.0, Threads::ONE).unwrap();
    let mut wide = dull.clone();
    tone.apply(&mut wide, Threads::ONE);
    assert!(done[0].starts_with("normalise 3"), "{done:?}");
    assert!(*wide.pixels().iter().min().unwrap() < 4 && *wide.pixels().iter().max().unwrap() > 251);
    let even = picture(8, 8, |_, _| [90; 3]);
    assert_eq!(stretch(&even, 1.0, Threads::ONE).unwrap(), (Tone::SAME, Vec::new()));
}

#[test]
fn what_is_left_aside_decides_where_the_range_ends() {
    // One pixel in a hundred is white, the rest lies between 60 and 160.
    let speck = picture(100, 10, |x, _| [if x == 99 { 255 } else { (60 + x) as u8 }; 3]);
    let brightest = |clip: f32| {
        let mut made = speck.clone();
        stretch(&speck, clip, Threads::ONE).unwrap().0.apply(&mut made, Threads::ONE);
        made.row(0)[3 * 98]
    };
    assert!(brightest(0.0) < 200 && brightest(2.0) > 250, "{} {}", brightest(0.0), brightest(2.0));
}
