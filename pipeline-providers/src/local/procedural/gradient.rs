//! The style `gradient`: folds of soft colour, or grainy spheres before a glowing ground.

use super::canvas::{Canvas, Light};
use super::math::{coverage, exp, length, mix, mix3, scale3, sin, smoothstep};
use super::noise::{fbm, noise};
use super::palette::{Palette, is};
use super::random::{Random, hash_unit};

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
    let said = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is(word, name)));
    if said(&["sphere", "orb", "planet", "bubble", "circle"]) || (!said(&["aurora", "fold"]) && chance.chance(0.4)) {
        spheres(canvas, palette, chance);
    } else {
        folds(canvas, palette, chance);
    }
}

/// A height field cut into sheets; each is lit along its crest and casts a shadow on the next.
fn folds(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let angle = chance.range(0.0, std::f32::consts::TAU);
    let (ax, ay) = (super::math::cos(angle), sin(angle));
    let sheets = chance.range(4.0, 9.0);
    let warp = chance.range(0.35, 0.75);
    let scale = chance.range(0.55, 1.15);
    let turn = chance.range(0.25, 0.6);
    let ridge = chance.range(1.5, 4.0);
    let height = |x: f32, y: f32| {
        let wx = noise(x * scale, y * scale, salt);
        let wy = noise(x * scale + 9.2, y * scale + 3.1, salt ^ 1);
        let swell = noise(x * scale * 0.8 + wx * warp * 2.0, y * scale * 0.8 + wy * warp * 2.0, salt ^ 2);
        (x * ax + y * ay) * turn * 1.4 + swell * warp + 0.04 * sin((x * ay - y * ax) * ridge * 3.0 + wx * 5.0)
    };
    // One height a pixel is enough for the slope, too: the row above and the pixel before give it.
    let columns = (canvas.width() / pixel + 0.5) as usize;
    let mut above: Vec<f32> = (0..columns).map(|i| height((i as f32 + 0.5) * pixel, -0.5 * pixel) * sheets).collect();
    let mut before_here = 0.0;
    canvas.shade(|x, y, _| {
        let h = height(x, y) * sheets;
        let column = (x / pixel) as usize;
        let gx = if column == 0 { height(x + pixel, y) * sheets - h } else { h - before_here };
        let gy = above.get_mut(column).map_or(0.0, |over| h - std::mem::replace(over, h));
        before_here = h;
        let steep = (length(gx, gy) / pixel).max(0.4);
        let sheet = h.floor();
        let within = h - sheet;
        let color = |index: f32, t: f32| -> Light {
            let number = index as i32;
            let tone = 0.5 + 0.5 * sin(index * 1.9 + hash_unit(number, 3, salt) * 1.3);
            let body = palette.ramp(mix(0.10, 0.62, tone) + 0.40 * t * t);
            let tint = if hash_unit(number, 7, salt) > 0.74 { 0.75 } else { 0.0 };
            let rim = mix3(body, palette.accent(), tint * (0.25 + 0.75 * t));
            scale3(rim, 0.56 + 0.52 * t)
        };
        let here = color(sheet, within);
        let before = color(sheet - 1.0, 1.0);
        // The crest of the sheet before covers the foot of this one, with one soft pixel between.
        let cover = coverage(within / steep - pixel * 0.5, pixel);
        let light = mix3(here, before, cover);
        let silk = fbm(x * 3.0 + h, y * 3.0, 2, salt ^ 5);
        let crest = exp(-(1.0 - within) / steep * 260.0) * 0.35;
        scale3(mix3(light, palette.ramp(1.0), crest * (1.0 - cover)), 1.0 + 0.08 * silk)
    });
}

/// Big spheres, lit from one side, grain in their shadow, overlapping before a gradient.
fn spheres(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let (width, height) = (canvas.width(), canvas.height());
    let angle = chance.range(3.5, 5.9);
    let (lx, ly) = (super::math::cos(angle), sin(angle));
    let dark = palette.dark || chance.chance(0.45);
    let (low, high) = if dark { (0.02, 0.40) } else { (0.62, 1.0) };
    let bend = chance.range(0.15, 0.4);
    canvas.shade(|x, y, _| {
        let t = y / height + bend * noise(x * 1.1, y * 1.1, salt) + 0.25 * (x / width - 0.5);
        palette.ramp(mix(high, low, smoothstep(0.0, 1.0, t)))
    });
    let count = 6 + chance.below(6);
    let mut placed: Vec<(f32, f32, f32)> = Vec::new();
    for index in 0..count {
        let radius = match index {
            0 => chance.range(0.30, 0.46),
            1 | 2 => chance.range(0.15, 0.28),
            _ => chance.range(0.03, 0.16),
        };
        let mut place = (0.0, 0.0);
        for _ in 0..24 {
            place = (width * chance.range(0.06, 0.94), height * chance.range(0.06, 0.94));
            let apart = |(x, y, r): &(f32, f32, f32)| length(x - place.0, y - place.1) > (r + radius) * 0.72;
            if placed.iter().all(apart) {
                break;
            }
        }
        placed.push((place.0, place.1, radius));
        let (cx, cy) = place;
        let tone = chance.range(0.15, 0.9);
        let accent = index == 3 || chance.chance(0.16);
        let ring = index > 0 && chance.chance(0.22);
        let bands = chance.chance(0.4);
        let stripe = chance.range(9.0, 22.0);
        canvas.shade(|x, y, under| {
            let (dx, dy) = (x - cx, y - cy);
            let away = length(dx, dy);
            if away > radius * 1.5 {
                return under;
            }
            // A soft shadow on what lies behind.
            let drop = length(dx + lx * radius * 0.16, dy + ly * radius * 0.16);
            let shadow = 0.34 * (1.0 - smoothstep(radius * 0.86, radius * 1.26, drop));
            let under = scale3(under, 1.0 - shadow);
            if ring {
                let edge = (away - radius * 0.86).abs() - radius * 0.13;
                let facing = 0.5 + 0.5 * (dx * lx + dy * ly) / radius;
                let body = palette.ramp(tone * 0.7 + 0.3 * facing);
                return mix3(under, body, coverage(edge, pixel));
            }
            let facing = ((dx * lx + dy * ly) / radius).clamp(-1.0, 1.0);
            let lit = smoothstep(-1.0, 0.95, facing);
            let speckle = (hash_unit((x / pixel) as i32, (y / pixel) as i32, salt) - 0.5) * 0.26 * (1.0 - lit);
            let t = (lit + speckle).clamp(0.0, 1.0);
            let mut body = mix3(palette.ramp(tone * 0.35), palette.ramp(tone * 0.45 + 0.55), t);
            if accent {
                body = mix3(scale3(palette.accent(), 0.32), mix3(palette.accent(), [1.0; 3], 0.16), t);
            }
            if bands {
                let wave = sin((dx * ly - dy * lx) / radius * stripe + 2.0 * noise(x * 4.0, y * 4.0, salt ^ 8));
                body = scale3(body, 1.0 + 0.10 * smoothstep(-0.2, 0.2, wave) - 0.05);
            }
            mix3(under, body, coverage(away - radius, pixel))
        });
    }
}
