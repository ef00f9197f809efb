//! sRGB to CIE Lab and back, and the tables for it.
//!
//! The curve is that of IEC 61966-2-1; the matrix is that of its primaries with white D65 (Bruce Lindbloom, "RGB/XYZ
//! matrices"); Lab is CIE 15. Colours are held as `L`, `a / 500` and `b / 200`: the differences of the three cube roots.

use std::sync::LazyLock;

/// Linear light is counted in this many levels: enough that every sRGB value survives there and back.
const LEVELS: f32 = 16_384.0;
/// Longer than the levels, so that a masked number is always inside.
const TABLE: usize = 32_768;

/// White of D65.
const WHITE: [f32; 3] = [0.950_47, 1.0, 1.088_83];
/// Below this Lab is a line instead of a cube root: (6/29)³.
const LINE_END: f32 = 216.0 / 24_389.0;
/// The same point on the other axis.
const ROOT_END: f32 = 6.0 / 29.0;
const SLOPE: f32 = 841.0 / 108.0;
const BEGIN: f32 = 4.0 / 29.0;

/// The curve of sRGB in both directions.
pub(super) struct Curves {
    linear: [f32; 256],
    encoded: [u8; TABLE],
}

// Finer than `local::srgb`, so that every entry is the nearest.
static CURVES: LazyLock<Curves> = LazyLock::new(|| {
    let linear = |value: usize| {
        let value = value as f64 / 255.0;
        (if value <= 0.04045 { value / 12.92 } else { libm::pow((value + 0.055) / 1.055, 2.4) }) as f32
    };
    let encoded = |level: usize| {
        let light = (level as f64 / f64::from(LEVELS)).min(1.0);
        let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * libm::pow(light, 1.0 / 2.4) - 0.055 };
        libm::round(value * 255.0) as u8
    };
    Curves { linear: std::array::from_fn(linear), encoded: std::array::from_fn(encoded) }
});

impl Curves {
    /// Returns them, made once.
    pub(super) fn get() -> &'static Self {
        &CURVES
    }

    /// Returns linear light, 0 to 1.
    #[inline]
    pub(super) fn linear(&self, value: u8) -> f32 {
        self.linear[usize::from(value)]
    }

    /// Returns the stored value of a level made by [`level`].
    #[inline]
    pub(super) fn encoded(&self, level: u32) -> u8 {
        self.encoded[level as usize & (TABLE - 1)]
    }
}

/// Counts linear light in levels, clipped to what sRGB can show.
#[inline]
fn level(light: f32) -> u32 {
    let scaled = light * LEVELS;
    let scaled = if scaled > 0.0 { scaled } else { 0.0 };
    let scaled = if scaled < LEVELS { scaled } else { LEVELS };
    // At 2²³ a float counts in ones: adding rounds, and the number stands in the lowest bits. Casts are not vectorised.
    (scaled + 8_388_608.0).to_bits() & 0x7fff
}

/// The cube root of Lab with its line near zero; the error is below 0.003 %.
#[inline]
fn root(t: f32) -> f32 {
    // A third of the exponent is within 4 %; one step of Halley's method makes the rest. Where the line holds, the root
    // of its end is taken instead and left aside: cubes near zero are subnormal numbers, which are slow.
    let base = if t > LINE_END { t } else { LINE_END };
    let guess = f32::from_bits(base.to_bits() / 3 + 0x2a51_19f2);
    let cube = guess * guess * guess;
    let root = guess * (cube + 2.0 * base) / (2.0 * cube + base);
    if t > LINE_END { root } else { SLOPE * t + BEGIN }
}

#[inline]
fn cube(root: f32) -> f32 {
    if root > ROOT_END { root * root * root } else { (root - BEGIN) * (1.0 / SLOPE) }
}

/// Returns `L` (0 to 100), `a / 500` and `b / 200` of linear light.
#[inline]
pub(super) fn from_linear([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let x = root(0.412_456_4 / WHITE[0] * red + 0.357_576_1 / WHITE[0] * green + 0.180_437_5 / WHITE[0] * blue);
    let y = root(0.212_672_9 * red + 0.715_152_2 * green + 0.072_175 * blue);
    let z = root(0.019_333_9 / WHITE[2] * red + 0.119_192 / WHITE[2] * green + 0.950_304_1 / WHITE[2] * blue);
    [116.0 * y - 16.0, x - y, y - z]
}

/// Returns the levels of linear light of `L`, `a / 500` and `b / 200`.
#[inline]
pub(super) fn to_levels([lightness, a, b]: [f32; 3]) -> [u32; 3] {
    let root = (lightness + 16.0) * (1.0 / 116.0);
    let (x, y, z) = (cube(root + a), cube(root), cube(root - b));
    [
        level(3.240_454_2 * WHITE[0] * x - 1.537_138_5 * y - 0.498_531_4 * WHITE[2] * z),
        level(-0.969_266 * WHITE[0] * x + 1.876_010_8 * y + 0.041_556 * WHITE[2] * z),
        level(0.055_643_4 * WHITE[0] * x - 0.204_025_9 * y + 1.057_225_2 * WHITE[2] * z),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_linear_light() {
        for value in 0..=255_u8 {
            assert_eq!(CURVES.encoded(level(CURVES.linear(value))), value);
        }
    }

    #[test]
    fn colours_survive_lab() {
        let values = || (0..=255_u8).step_by(3);
        for red in values() {
            for green in values() {
                for blue in values() {
                    let lab = from_linear([red, green, blue].map(|value| CURVES.linear(value)));
                    let back = to_levels(lab).map(|level| CURVES.encoded(level));
                    assert_eq!(back, [red, green, blue]);
                }
            }
        }
    }

    /// Bruce Lindbloom's calculator, D65: pure red, green, blue, and a middle grey.
    #[test]
    fn known_colours_have_their_known_lab_values() {
        let cases: [([u8; 3], [f32; 3]); 4] = [
            ([255, 0, 0], [53.2408, 80.0925, 67.2032]),
            ([0, 255, 0], [87.7347, -86.1827, 83.1793]),
            ([0, 0, 255], [32.2970, 79.1875, -107.8602]),
            ([119, 119, 119], [50.0344, 0.0, 0.0]),
        ];
        for (colour, expected) in cases {
            let [lightness, a, b] = from_linear(colour.map(|value| CURVES.linear(value)));
            for (found, expected) in [lightness, 500.0 * a, 200.0 * b].into_iter().zip(expected) {
                assert!((found - expected).abs() < 0.03, "{colour:?}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn the_cube_root_is_close_enough() {
        for n in 0..=100_000_u32 {
            let t = n as f32 / 100_000.0;
            let exact = if t > LINE_END { libm::cbrtf(t) } else { SLOPE * t + BEGIN };
            assert!((root(t) - exact).abs() < 3e-5 * exact, "{t}: {} for {exact}", root(t));
        }
    }
}
