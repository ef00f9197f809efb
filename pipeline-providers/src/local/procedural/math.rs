//! Arithmetic that gives the same bits on every platform: transcendental functions come from one implementation.

/// A sine to five digits, by its series round the nearest zero: quick, and enough for a picture.
pub(super) fn sin(x: f32) -> f32 {
    let turns = x * core::f32::consts::FRAC_1_PI;
    let half = floor(turns + 0.5);
    let t = (turns - half as f32) * core::f32::consts::PI;
    let s = t * t;
    let value = t * (1.0 + s * (-0.166_666_67 + s * (0.008_333_331 + s * (-0.000_198_409 + s * 0.000_002_752_6))));
    if half & 1 == 0 { value } else { -value }
}

/// A cosine to five digits.
pub(super) fn cos(x: f32) -> f32 {
    sin(x + core::f32::consts::FRAC_PI_2)
}

/// A natural exponential.
pub(super) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// The angle of a vector.
pub(super) fn atan2(y: f32, x: f32) -> f32 {
    libm::atan2f(y, x)
}

/// Goes from `a` to `b` as `t` goes from 0 to 1.
pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Goes from `a` to `b` in three channels.
pub(super) fn mix3(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    let [x, y, z] = a;
    let [u, v, w] = b;
    [mix(x, u, t), mix(y, v, t), mix(z, w, t)]
}

/// Multiplies three channels.
pub(super) fn scale3([x, y, z]: [f32; 3], by: f32) -> [f32; 3] {
    [x * by, y * by, z * by]
}

/// Rises smoothly from 0 at `from` to 1 at `to`.
pub(super) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// How much of a pixel is inside an edge `distance` away (negative is inside), for pixels of size `pixel`.
pub(super) fn coverage(distance: f32, pixel: f32) -> f32 {
    (0.5 - distance / pixel).clamp(0.0, 1.0)
}

/// The length of a vector.
pub(super) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// The whole number at or below; faster than the library's where the processor has no such instruction.
pub(super) fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}
