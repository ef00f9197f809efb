//! Arithmetic that gives the same bits on every platform: transcendental functions come from one implementation.

/// A sine; the platform's own may differ in the last bit.
pub(super) fn sin(x: f32) -> f32 {
    libm::sinf(x)
}

/// A cosine.
pub(super) fn cos(x: f32) -> f32 {
    libm::cosf(x)
}

/// A natural exponential.
pub(super) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// A power.
pub(super) fn pow(x: f32, y: f32) -> f32 {
    libm::powf(x, y)
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
