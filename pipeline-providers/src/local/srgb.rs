//! Light and the values of sRGB that stand for it (IEC 61966-2-1).

/// Turns a value of a picture, 0 to 1, into light.
pub(crate) fn to_linear(v: f32) -> f32 {
    if v <= 0.040_45 { v / 12.92 } else { libm::powf((v + 0.055) / 1.055, 2.4) }
}

/// Turns light into a value of a picture, 0 to 1.
pub(crate) fn from_linear(v: f32) -> f32 {
    let v = v.clamp(0.0, 1.0);
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * libm::powf(v, 1.0 / 2.4) - 0.055 }
}
