//! The colours of a small picture in CIE L*a*b*, where distances are close to what people see.

use crate::local::image::Picture;
use crate::local::srgb::to_linear;

/// Lightness, and the two axes of colour.
pub(super) type Lab = [f32; 3];

/// Converts every pixel (sRGB, D65); alpha is not looked at.
///
/// Formulas: IEC 61966-2-1 for linear light and its matrix, CIE 15 for L*a*b*.
pub(super) fn lab(picture: &Picture) -> Vec<Lab> {
    let linear: Vec<f32> = (0..=255_u8).map(|value| to_linear(f32::from(value) / 255.0)).collect();
    let light = |value: u8| linear.get(usize::from(value)).copied().unwrap_or_default();
    let pixels = picture.pixels().chunks_exact(picture.channels());
    pixels
        .map(|pixel| {
            let [red, green, blue] = [light(pixel[0]), light(pixel[1]), light(pixel[2])];
            let x = response((0.412_456 * red + 0.357_576 * green + 0.180_438 * blue) / 0.950_47);
            let y = response(0.212_673 * red + 0.715_152 * green + 0.072_175 * blue);
            let z = response((0.019_334 * red + 0.119_192 * green + 0.950_304 * blue) / 1.088_83);
            [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
        })
        .collect()
}

fn response(light: f32) -> f32 {
    if light > 0.008_856 { libm::cbrtf(light) } else { 7.787 * light + 16.0 / 116.0 }
}

/// The square of the distance of two colours.
pub(super) fn apart(one: &Lab, two: &Lab) -> f32 {
    one.iter().zip(two).map(|(one, two)| (one - two) * (one - two)).sum()
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    #[test]
    fn known_colours_have_their_known_places() {
        let pixels = vec![255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 119, 119, 119];
        let picture = Picture::rgb(Dimensions { width: 5, height: 1 }, pixels).unwrap();
        let known =
            [[100.0, 0.0, 0.0], [0.0, 0.0, 0.0], [53.24, 80.09, 67.2], [32.3, 79.19, -107.86], [50.03, 0.0, 0.0]];
        for (found, known) in lab(&picture).iter().zip(known) {
            assert!(apart(found, &known) < 0.05, "{found:?} {known:?}");
        }
    }
}
