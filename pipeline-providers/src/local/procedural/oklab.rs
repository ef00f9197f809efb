//! Colour as people see it: OKLab and OKLCH (Björn Ottosson, 2020, <https://bottosson.github.io/posts/oklab/>).

use crate::local::srgb::{from_linear, to_linear};

/// A colour in OKLab: lightness 0 to 1, green–red, blue–yellow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lab {
    /// Lightness.
    pub(crate) l: f32,
    /// Green to red.
    pub(crate) a: f32,
    /// Blue to yellow.
    pub(crate) b: f32,
}

impl Lab {
    /// Makes a colour from lightness, chroma and hue in degrees; the chroma shrinks until a screen can show it.
    pub(crate) fn lch(l: f32, chroma: f32, hue: f32) -> Self {
        let radians = hue.to_radians();
        let (sin, cos) = (libm::sinf(radians), libm::cosf(radians));
        let mut c = chroma;
        for _ in 0..12 {
            let lab = Self { l, a: c * cos, b: c * sin };
            if lab.linear().iter().all(|v| (-0.001..=1.001).contains(v)) {
                return lab;
            }
            c *= 0.88;
        }
        Self { l, a: 0.0, b: 0.0 }
    }

    /// Reads a colour written as `0xRRGGBB`.
    pub(crate) fn hex(rgb: u32) -> Self {
        Self::srgb([(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])
    }

    /// Reads a colour of a picture.
    pub(crate) fn srgb(rgb: [u8; 3]) -> Self {
        let [r, g, b] = rgb.map(|v| to_linear(f32::from(v) / 255.0));
        let l = libm::cbrtf(0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b);
        let m = libm::cbrtf(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
        let s = libm::cbrtf(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
        Self {
            l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    /// Returns it as linear light: red, green, blue.
    pub(crate) fn linear(self) -> [f32; 3] {
        let cube = |v: f32| v * v * v;
        let l = cube(self.l + 0.396_337_78 * self.a + 0.215_803_76 * self.b);
        let m = cube(self.l - 0.105_561_346 * self.a - 0.063_854_17 * self.b);
        let s = cube(self.l - 0.089_484_18 * self.a - 1.291_485_5 * self.b);
        [
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
            -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        ]
    }

    /// Returns the colour between this and another.
    pub(crate) fn mix(self, other: Self, t: f32) -> Self {
        Self {
            l: self.l + (other.l - self.l) * t,
            a: self.a + (other.a - self.a) * t,
            b: self.b + (other.b - self.b) * t,
        }
    }

    /// Returns the square of the distance a person sees.
    pub(crate) fn distance(self, other: Self) -> f32 {
        let (l, a, b) = (self.l - other.l, self.a - other.a, self.b - other.b);
        l * l + a * a + b * b
    }

    /// Returns how colourful it is.
    pub(crate) fn chroma(self) -> f32 {
        (self.a * self.a + self.b * self.b).sqrt()
    }

    /// Returns it as a colour of a picture.
    pub(crate) fn to_srgb(self) -> [u8; 3] {
        self.linear().map(|v| (from_linear(v) * 255.0 + 0.5) as u8)
    }
}
