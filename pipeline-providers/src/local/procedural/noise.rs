//! Smooth chance in the plane: gradient noise (Perlin 2002) and its sums over octaves.

use super::math::floor;
use super::random::hash;

/// Returns gradient noise, about -1 to 1.
pub(super) fn noise(x: f32, y: f32, salt: u32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (dx, dy) = (x - ix as f32, y - iy as f32);
    let (u, v) = (fade(dx), fade(dy));
    let top = lerp(slope(hash(ix, iy, salt), dx, dy), slope(hash(ix + 1, iy, salt), dx - 1.0, dy), u);
    let bottom =
        lerp(slope(hash(ix, iy + 1, salt), dx, dy - 1.0), slope(hash(ix + 1, iy + 1, salt), dx - 1.0, dy - 1.0), u);
    lerp(top, bottom, v)
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Eight directions, so that the sum stays near ±1.
const SLOPES: [(f32, f32); 8] =
    [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0), (1.414, 0.0), (-1.414, 0.0), (0.0, 1.414), (0.0, -1.414)];

fn slope(bits: u32, x: f32, y: f32) -> f32 {
    // A table, not a match: its branches could not be foreseen.
    let (a, b) = SLOPES[(bits & 7) as usize];
    a * x + b * y
}

/// Sums `octaves` of noise, each twice as fine and half as strong; about -1 to 1.
pub(super) fn fbm(x: f32, y: f32, octaves: u32, salt: u32) -> f32 {
    let (mut sum, mut amplitude, mut frequency, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += amplitude * noise(x * frequency, y * frequency, salt.wrapping_add(octave * 101));
        total += amplitude;
        amplitude *= 0.5;
        frequency *= 2.03;
    }
    sum / total
}

/// Sums `octaves` of noise folded into sharp crests; 0 to about 1.
pub(super) fn ridged(x: f32, y: f32, octaves: u32, salt: u32) -> f32 {
    let (mut sum, mut amplitude, mut frequency, mut total) = (0.0, 1.0, 1.0, 0.0);
    let mut weight = 1.0_f32;
    for octave in 0..octaves {
        let crest = 1.0 - noise(x * frequency, y * frequency, salt.wrapping_add(octave * 131)).abs();
        let crest = crest * crest * weight;
        weight = (crest * 1.6).clamp(0.0, 1.0);
        sum += amplitude * crest;
        total += amplitude;
        amplitude *= 0.5;
        frequency *= 2.07;
    }
    sum / total
}
