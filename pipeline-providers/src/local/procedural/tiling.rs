//! The style `tiling`: woven arcs, geometric tiles, stacked cubes or quasi-periodic waves.

use super::canvas::{Canvas, Light};
use super::math::{cos, coverage, length, mix, mix3, scale3, sin, smoothstep};
use super::noise::{fbm, noise};
use super::palette::{Palette, is};
use super::random::{Random, hash, hash_unit};

/// The smallest side of a tile, so that a tile is never finer than an eye can see.
const MOST_TILES: f32 = 9.0;

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
    let said = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is(word, name)));
    let which = if said(&["cube", "hex", "hexagon", "city", "isometric", "honeycomb"]) {
        2
    } else if said(&["mosaic", "bauhaus", "tile", "azulejo"]) {
        1
    } else if said(&["islamic", "kaleidoscope", "star"]) {
        3
    } else {
        chance.below(4)
    };
    match which {
        0 => arcs(canvas, palette, chance),
        1 => quarters(canvas, palette, chance),
        2 => cubes(canvas, palette, chance),
        _ => waves(canvas, palette, chance),
    }
}

/// A tile that joins the middles of its sides by arcs (Truchet 1704, Smith 1987), drawn as nested bands.
fn arcs(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let tiles = chance.range(2.6, MOST_TILES * 0.8);
    let bands = chance.pick(&[1.0_f32, 3.0, 4.0, 5.0, 7.0]);
    let turn = chance.range(0.0, 1.57);
    let shift = (chance.range(0.0, 9.0), chance.range(0.0, 9.0));
    let bright = chance.below(bands as usize) as f32;
    let (cs, sn) = (cos(turn), sin(turn));
    let ground = if palette.dark { palette.ramp(0.03) } else { palette.ramp(0.98) };
    let drift_salt = chance.salt();
    canvas.shade(|x, y, _| {
        let (u, v) = ((x * cs - y * sn) * tiles + shift.0, (x * sn + y * cs) * tiles + shift.1);
        let (fx, fy) = (u.floor(), v.floor());
        let (ix, iy) = (fx as i32, fy as i32);
        let (mut px, py) = (u - fx, v - fy);
        if hash(ix, iy, salt) & 1 == 1 {
            px = 1.0 - px;
        }
        let near = length(px, py);
        let far = length(1.0 - px, 1.0 - py);
        let away = near.min(far);
        let soft = pixel * tiles;
        let across = (away - 0.5).abs();
        let half = 0.36;
        let band = ((away - 0.5 + half) / (2.0 * half) * bands).clamp(0.0, bands - 0.001);
        let edge = (band - band.floor() - 0.5).abs();
        let gap = coverage((0.44 - edge) * (2.0 * half) / bands, soft);
        let drift = fbm(x * 1.3, y * 1.3, 2, drift_salt);
        let step = (band.floor() - (bands - 1.0) * 0.5).abs() / (bands * 0.5);
        let turn = if band.floor() as i32 & 1 == 1 { 0.30 } else { -0.20 };
        let tone = mix(0.06, 0.82, (0.5 + 0.9 * drift + turn + 0.2 * (step - 0.4)).clamp(0.0, 1.0));
        let middle = bands > 1.0 && band.floor() == bright;
        let body = if middle { palette.accent() } else { palette.ramp(if palette.dark { tone + 0.18 } else { tone }) };
        // The weave darkens where it goes under.
        let under = 1.0 - 0.22 * smoothstep(0.30, 0.5, (px - 0.5).abs().max((py - 0.5).abs()));
        let tube = scale3(body, under * (1.05 - 0.25 * (across / half) * (across / half)));
        let shadow = 1.0 - 0.28 * (1.0 - smoothstep(half, half + 0.12, across));
        mix3(scale3(ground, shadow), mix3(tube, scale3(ground, 0.9), gap * 0.85), coverage(across - half, soft))
    });
}

/// A grid of quarter discs, half discs, rings and leaves.
fn quarters(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let tiles = chance.pick(&[4.0_f32, 5.0, 6.0, 7.0]);
    let drift_salt = chance.salt();
    let shift = (chance.range(0.0, 1.0), chance.range(0.0, 1.0));
    canvas.shade(|x, y, _| {
        let (u, v) = (x * tiles + shift.0, y * tiles + shift.1);
        let (mut fx, mut fy) = (u.floor(), v.floor());
        let (mut px, mut py) = (u - fx, v - fy);
        let mut size = 1.0;
        let mut level = 0;
        // A fifth of the tiles are four smaller ones.
        if hash_unit(fx as i32, fy as i32, salt ^ 2) < 0.2 {
            (px, py, size, level) = (px * 2.0, py * 2.0, 2.0, 1000);
            (fx, fy) = (fx * 2.0 + px.floor(), fy * 2.0 + py.floor());
            (px, py) = (px.fract(), py.fract());
        }
        let (ix, iy) = (fx as i32 + level, fy as i32);
        let bits = hash(ix, iy, salt);
        if bits & 1 == 1 {
            px = 1.0 - px;
        }
        if bits & 2 == 2 {
            py = 1.0 - py;
        }
        let soft = pixel * tiles * size;
        let drift = 0.6 * noise(x * 1.1, y * 1.1, drift_salt);
        let first = bits >> 8 & 0xFF;
        let pick = |part: u32| -> Light {
            let turn = hash_unit(ix, iy, salt ^ (part * 77 + 5));
            if turn > 0.88 {
                palette.accent()
            } else {
                palette.color(((turn / 0.88 * 4.0 + drift * 2.5 + part as f32 * 2.3) as usize + first as usize) % 5)
            }
        };
        let ground = palette.color(first as usize % 5);
        let ink = {
            let one = pick(1);
            if distance(one, ground) < 0.02 { palette.color(first as usize % 5 + 2) } else { one }
        };
        let third = {
            let one = pick(2);
            if distance(one, ink) < 0.02 { palette.color(first as usize % 5 + 4) } else { one }
        };
        let corner = length(px, py);
        let other = length(1.0 - px, 1.0 - py);
        let light = match bits >> 4 & 7 {
            0 | 1 => mix3(ground, ink, coverage(corner - 1.0, soft)),
            2 => mix3(mix3(ground, ink, coverage(corner - 1.0, soft)), third, coverage(corner - 0.5, soft)),
            3 => mix3(ground, ink, coverage(corner.max(other) - 1.0, soft)),
            4 => {
                let disc = mix3(ground, ink, coverage(length(px - 0.5, py - 0.5) - 0.5, soft));
                mix3(disc, third, coverage(length(px - 0.5, py - 0.5) - 0.22, soft))
            }
            5 => mix3(
                ground,
                ink,
                coverage(length(px - 0.5, py) - 0.5, soft).max(coverage(length(px - 0.5, py - 1.0) - 0.5, soft)),
            ),
            6 => {
                let rings = ((corner * 4.0).fract() - 0.5).abs() - 0.25;
                mix3(ground, ink, coverage(rings / 4.0, soft) * coverage(corner - 1.0, soft))
            }
            _ => mix3(ground, ink, coverage((px - py) * 0.707, soft)),
        };
        // Each tile is printed on its own: a hint of uneven ink and a hairline between.
        let print =
            1.0 + 0.07 * noise(x * 40.0, y * 40.0, salt ^ 9) + 0.06 * fbm(x * 6.0 + fx * 3.1, y * 6.0, 2, salt ^ 8);
        let seam = px.min(1.0 - px).min(py).min(1.0 - py);
        scale3(light, print * (1.0 - 0.22 * coverage(seam - soft * 0.5, soft)))
    });
}

fn distance([r, g, b]: Light, [x, y, z]: Light) -> f32 {
    (r - x) * (r - x) + (g - y) * (g - y) + (b - z) * (b - z)
}

/// Columns of cubes seen from a corner, at several heights.
fn cubes(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let size = 1.0 / chance.range(5.0, 10.0);
    let drift = chance.range(0.5, 1.1);
    let lift = chance.range(0.9, 2.2);
    let flip = chance.chance(0.5);
    let (w, h) = (size * 0.866, size * 0.5);
    canvas.shade(|x, y, _| {
        let x = if flip { 5.0 - x } else { x };
        // The nearest column that covers the place wins: walk from the front row to the back.
        let row = (y / (h * 1.5)).floor() as i32;
        for index in (row - 2..=row + 9).rev() {
            let offset = if index.rem_euclid(2) == 1 { w } else { 0.0 };
            let column = ((x - offset) / (2.0 * w)).round() as i32;
            let cx = column as f32 * 2.0 * w + offset;
            // Even the highest column would not reach so far up: no need to ask how high it is.
            let ground = index as f32 * h * 1.5 + h * 2.0;
            if y - ground + 1.2 * lift * size < (x - cx).abs() * 0.577 - h {
                continue;
            }
            let swell = 0.5 + 0.6 * noise(cx * drift * 2.2, index as f32 * h * drift * 2.2, salt);
            let high = (swell * 0.8 + 0.3 * hash_unit(column, index, salt)).clamp(0.0, 1.2) * lift * size;
            let cy = ground - high;
            let (dx, dy) = (x - cx, y - cy);
            let slant = dx.abs() * 0.577;
            if dy < slant - h || dx.abs() > w {
                continue;
            }
            let tone = (0.15 + 0.62 * swell + 0.34 * (hash_unit(column, index, salt ^ 3) - 0.5)).clamp(0.0, 1.0);
            let body = if hash_unit(column, index, salt ^ 4) > 0.94 {
                palette.accent()
            } else {
                palette.ramp(mix(0.12, 0.95, tone))
            };
            let fall = 1.0 - 0.45 * smoothstep(0.0, 3.0 * size, dy);
            let left = scale3(body, 0.34 * fall);
            let right = scale3(body, 0.64 * fall);
            let wall = mix3(left, right, coverage(-dx, pixel));
            let top = scale3(body, 1.04 + 0.10 * (dx / w));
            let face = (dy + slant - h) * 0.866;
            let light = mix3(wall, top, coverage(face, pixel));
            let rim = 1.0 + 0.20 * coverage(face.abs() - 0.0012, pixel);
            let edge = 0.80 + 0.20 * smoothstep(0.0, pixel * 1.6, (dy - slant + h) * 0.866);
            let panes = 1.0 + 0.05 * noise(x * 60.0, y * 60.0, salt ^ 6);
            return scale3(light, rim * edge * panes);
        }
        palette.ramp(0.02)
    });
}

/// Sums of plane waves in 5, 7 or 8 directions, cut into levels like a map (after quasicrystals).
fn waves(canvas: &mut Canvas, palette: &Palette, chance: &mut Random) {
    let pixel = canvas.pixel();
    let directions = chance.pick(&[5_usize, 7, 8, 9]);
    let frequency = chance.range(26.0, 46.0);
    let middle = (canvas.width() * chance.range(0.25, 0.75), canvas.height() * chance.range(0.25, 0.75));
    let turn = chance.range(0.0, 1.0);
    let fan: Vec<_> = (0..directions)
        .map(|index| {
            let angle = turn + index as f32 * core::f32::consts::PI / directions as f32;
            (cos(angle) * frequency, sin(angle) * frequency)
        })
        .collect();
    let levels = chance.pick(&[4.0_f32, 5.0, 6.0]);
    let offset = chance.unit();
    let salt = chance.salt();
    canvas.shade(|x, y, _| {
        let (dx, dy) = (x - middle.0, y - middle.1);
        let (mut sum, mut gx, mut gy) = (0.0, 0.0, 0.0);
        for (kx, ky) in &fan {
            let phase = dx * kx + dy * ky;
            let (s, c) = (sin(phase), cos(phase));
            sum += c;
            gx -= s * kx;
            gy -= s * ky;
        }
        let value = sum / (directions as f32).sqrt() * 0.42 + 0.5 + offset * 0.2;
        let steep = length(gx, gy) / (directions as f32).sqrt() * 0.42 * levels;
        let place = value * levels;
        let step = place.floor();
        let within = place - step;
        let tone = |index: f32| -> Light {
            let index = index as i32;
            if index >= levels as i32 {
                palette.accent()
            } else {
                palette.ramp(0.06 + 0.92 * (index.rem_euclid(levels as i32 + 1)) as f32 / levels)
            }
        };
        let body = scale3(tone(step), 0.80 + 0.26 * within);
        let cover = coverage(within / steep.max(1.0) - pixel * 0.5, pixel);
        let light = mix3(body, scale3(tone(step - 1.0), 1.06), cover);
        scale3(light, 1.0 + 0.10 * noise(x * 3.0, y * 3.0, salt))
    });
}
