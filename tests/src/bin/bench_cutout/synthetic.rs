//! Composites painted here: subjects of several shapes and surfaces before grounds of several kinds.

use pipeline::providers::local::image::Picture;
use pipeline_core::provider::Dimensions;

use crate::case::Case;

const SIZE: Dimensions = Dimensions { width: 512, height: 448 };

const SHAPES: [&str; 5] = ["blob", "bottle", "ring", "portrait", "star"];
const SURFACES: [&str; 4] = ["even", "two colours", "stripes", "grain"];
const GROUNDS: [&str; 6] = ["even", "slope", "grainy", "horizon", "soft lights", "tiles"];

/// Every shape before every ground, with a surface each.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, ground) in GROUNDS.iter().enumerate() {
        for (index, shape) in SHAPES.iter().enumerate() {
            for (turn, surface) in SURFACES.iter().enumerate() {
                let seed = (number * 100 + index * 10 + turn) as u32;
                let name = (format!("painted: {ground}"), format!("{shape}, {surface}"));
                cases.push(Case::composed(
                    (&name.0, name.1),
                    SIZE,
                    |x, y| subject(shape, surface, seed, x, y),
                    |x, y| behind(ground, seed, x, y),
                ));
            }
        }
    }
    // The grounds alone, larger and smaller pieces of them: whatever is cut out of them is wrong.
    for (number, ground) in GROUNDS.iter().enumerate() {
        for turn in 0..4 {
            let seed = (700 + number * 10 + turn) as u32;
            let what = format!("{ground}, {turn}");
            cases.push(Case::composed(
                ("painted scenes", what),
                SIZE,
                |_, _| [0; 4],
                |x, y| behind(ground, seed, x, y),
            ));
        }
    }
    cases
}

/// A large one, for the time it takes.
pub(crate) fn large(side: u32) -> Picture {
    let size = Dimensions { width: side, height: side };
    let scale = |n: u32, to: u32| n * to / side;
    let case = Case::composed(
        ("large", String::new()),
        size,
        |x, y| subject("blob", "two colours", 5, scale(x, SIZE.width), scale(y, SIZE.height)),
        |x, y| behind("slope", 5, scale(x, SIZE.width), scale(y, SIZE.height)),
    );
    case.picture
}

/// A number from 0 to 1 for a place, always the same.
fn chance(x: u32, y: u32, seed: u32) -> f64 {
    let mut n = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    n = (n ^ (n >> 15)).wrapping_mul(0x2C1B_3C6D);
    n = (n ^ (n >> 12)).wrapping_mul(0x297A_2D39);
    f64::from(n ^ (n >> 15)) / f64::from(u32::MAX)
}

/// A colour of a hue from 0 to 1, a lightness and a strength.
fn hue(turn: f64, light: f64, strength: f64) -> [f64; 3] {
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| light + strength * (std::f64::consts::TAU * (turn + shift)).cos())
}

/// How far inside the shape a place lies, in pixels; below 0 outside.
fn depth(shape: &str, seed: u32, x: f64, y: f64) -> f64 {
    let (dx, dy) = (x - 256.0, y - 224.0);
    let (far, turn) = (dx.hypot(dy), dy.atan2(dx));
    match shape {
        "blob" => 110.0 + 22.0 * (3.0 * turn + f64::from(seed)).sin() + 12.0 * (5.0 * turn).cos() - far,
        "bottle" => {
            let half = if y < 150.0 { 26.0 } else { 26.0 + ((y - 150.0) * 1.2).min(54.0) };
            (half - dx.abs()).min(y - 60.0).min(400.0 - y)
        }
        "ring" => 45.0 - (far - 105.0).abs(),
        // Cut off by the lower edge.
        "portrait" => (62.0 - dx.hypot((y - 150.0) * 0.82)).max((120.0 - dx.abs()).min(y - 240.0 + 0.004 * -dx * dx)),
        _ => 95.0 + 45.0 * (5.0 * turn).cos() - far,
    }
}

fn subject(shape: &str, surface: &str, seed: u32, x: u32, y: u32) -> [u8; 4] {
    let place = (f64::from(x), f64::from(y));
    let turn = chance(1, 2, seed);
    let second = match surface {
        "two colours" => place.1 > 230.0,
        "stripes" => (x / 14 + y / 20).is_multiple_of(2),
        _ => false,
    };
    let mut color = if second { hue(turn + 0.4, 95.0, 45.0) } else { hue(turn, 120.0, 75.0) };
    // Rounded: lighter to the upper left.
    let light = 0.12 * (500.0 - place.0 - place.1) / 5.0;
    let grain = if surface == "grain" { 44.0 * (chance(x, y, seed) - 0.5) } else { 0.0 };
    for value in &mut color {
        *value += light + grain;
    }
    let alpha = (depth(shape, seed, place.0, place.1) / 1.5 + 0.5).clamp(0.0, 1.0) * 255.0;
    let [red, green, blue] = color.map(|value| value.clamp(0.0, 255.0) as u8);
    [red, green, blue, alpha as u8]
}

fn behind(ground: &str, seed: u32, x: u32, y: u32) -> [u8; 3] {
    let (across, down) = (f64::from(x) / 512.0, f64::from(y) / 448.0);
    let noise = |seed: u32| chance(x, y, seed) - 0.5;
    let turn = chance(3, 4, seed) + 0.2;
    let color = match ground {
        "even" => hue(turn, 205.0, 12.0).map(|value| value + 3.0 * noise(seed)),
        "slope" => hue(turn, 120.0 + 90.0 * (1.0 - down), 14.0).map(|value| value + 30.0 * across + 4.0 * noise(seed)),
        "grainy" => hue(turn, 150.0, 20.0).map(|value| value + 50.0 * noise(seed)),
        "horizon" if down < 0.55 + 0.03 * (9.0 * across).sin() => [150.0 + 60.0 * down, 185.0 + 40.0 * down, 235.0],
        "horizon" => [92.0, 120.0, 58.0].map(|value| value + 40.0 * noise(seed + 1)),
        "soft lights" => {
            let glow = |n: u32| {
                let (left, top) = (chance(n, 5, seed), chance(n, 6, seed));
                (-((across - left).powi(2) + (down - top).powi(2)) * 40.0).exp()
            };
            let sum: f64 = (0..9).map(glow).sum();
            hue(turn, 60.0, 16.0).map(|value| value + 90.0 * sum)
        }
        _ => hue(turn, if (x / 32 + y / 32).is_multiple_of(2) { 185.0 } else { 150.0 }, 12.0)
            .map(|value| value + 8.0 * noise(seed)),
    };
    color.map(|value| value.clamp(0.0, 255.0) as u8)
}
