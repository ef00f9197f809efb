//! Saturation: colours move away from or towards the grey of the same luminance, in linear light.
//!
//! Every channel becomes `Y + factor * (channel - Y)` with the luminance Y of Rec. 709 over linear sRGB, so that Y is
//! kept. Where the result would leave the gamut the factor is lowered for that pixel just enough to stay inside: hue and
//! luminance are kept there too, and nothing is clipped to a flat patch of another hue.

use std::sync::LazyLock;

use pipeline_core::error::Result;

use super::super::picture::Picture;
use super::in_range;

/// Linear light is counted in this many levels: enough that every sRGB value survives there and back.
const LEVELS: usize = 16_384;

/// sRGB to linear light and back (IEC 61966-2-1).
struct Curves {
    linear: [f32; 256],
    encoded: Vec<u8>,
}

static CURVES: LazyLock<Curves> = LazyLock::new(|| {
    let linear = |value: usize| {
        let value = value as f64 / 255.0;
        let light = if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        light as f32
    };
    let encoded = |level: usize| {
        let light = level as f64 / LEVELS as f64;
        let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (value * 255.0).round() as u8
    };
    Curves { linear: std::array::from_fn(linear), encoded: (0..=LEVELS).map(encoded).collect() }
});

pub(super) fn saturate(mut picture: Picture, factor: f32) -> Result<(Picture, Option<String>)> {
    in_range("saturation", factor, 3.0)?;
    if factor == 1.0 {
        return Ok((picture, None));
    }
    let curves = &*CURVES;
    let encode = |light: f32| {
        let level = (light * LEVELS as f32 + 0.5) as usize;
        curves.encoded.get(level.min(LEVELS)).copied().unwrap_or(255)
    };
    let channels = picture.channels();
    for pixel in picture.pixels_mut().chunks_exact_mut(channels) {
        if pixel[0] == pixel[1] && pixel[1] == pixel[2] {
            continue; // grey stays grey
        }
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(|value| curves.linear[usize::from(value)]);
        let grey = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
        let factor = factor.min(grey / (grey - least)).min((1.0 - grey) / (most - grey));
        pixel[0] = encode(grey + factor * (red - grey));
        pixel[1] = encode(grey + factor * (green - grey));
        pixel[2] = encode(grey + factor * (blue - grey));
    }
    Ok((picture, Some(format!("saturate {factor}"))))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    fn one(pixel: [u8; 3], factor: f32) -> [u8; 3] {
        let picture = Picture::rgb(Dimensions { width: 1, height: 1 }, pixel.to_vec()).unwrap();
        let (picture, _) = saturate(picture, factor).unwrap();
        picture.pixels().try_into().unwrap()
    }

    fn luminance(pixel: [u8; 3]) -> f32 {
        let [red, green, blue] = pixel.map(|value| CURVES.linear[usize::from(value)]);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_value_survives_linear_light() {
        for value in 0..=255_u8 {
            let level = (CURVES.linear[usize::from(value)] * LEVELS as f32 + 0.5) as usize;
            assert_eq!(CURVES.encoded[level], value);
        }
    }

    #[test]
    fn zero_makes_grey_of_the_same_luminance() {
        let pixel = [200, 80, 40];
        let grey = one(pixel, 0.0);
        assert!(grey[0] == grey[1] && grey[1] == grey[2], "{grey:?}");
        assert!((luminance(grey) - luminance(pixel)).abs() < 0.005);
    }

    #[test]
    fn more_saturation_keeps_the_luminance_and_spreads_the_channels() {
        for pixel in [[150, 120, 100], [90, 120, 100], [40, 60, 90], [250, 240, 200], [255, 0, 0]] {
            let strong = one(pixel, 1.5);
            assert!((luminance(strong) - luminance(pixel)).abs() < 0.01, "{pixel:?} {strong:?}");
            let spread = |[a, b, c]: [u8; 3]| a.max(b).max(c) - a.min(b).min(c);
            assert!(spread(strong) >= spread(pixel), "{pixel:?} {strong:?}");
        }
        assert_ne!(one([150, 120, 100], 1.5), [150, 120, 100]);
    }

    #[test]
    fn one_and_grey_pictures_change_nothing() {
        assert_eq!(one([1, 200, 3], 1.0), [1, 200, 3]);
        assert_eq!(one([77, 77, 77], 3.0), [77, 77, 77]);
        let picture = Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1, 2, 3]).unwrap();
        assert_eq!(saturate(picture, 1.0).unwrap().1, None);
    }
}
