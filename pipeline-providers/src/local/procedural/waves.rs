//! The style `waves`: rows of drawn lines, each hiding those behind, as the plot of a pulsar's beat.

use super::canvas::Canvas;
use super::math::{coverage, exp, mix, mix3, scale3, sin, smoothstep};
use super::noise::{fbm, noise};
use super::palette::Palette;
use super::random::Random;

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, _: &[String], chance: &mut Random) {
    let salt = chance.salt();
    let (width, height, pixel) = (canvas.width(), canvas.height(), canvas.pixel());
    let rows = 9 + chance.below(16);
    let spacing = height / rows as f32;
    let swell = chance.range(0.14, 0.34);
    let scale = chance.range(0.7, 2.0);
    let drift = chance.range(0.5, 1.6);
    let slant = chance.range(-0.55, 0.55);
    let peak = width * chance.range(0.1, 0.9);
    let reach = chance.range(0.3, 0.8) * width;
    let beat = chance.range(0.35, 1.1);
    let phase = chance.range(0.0, std::f32::consts::TAU);
    let columns = (width / pixel) as usize + 2;
    let above = (0.5 * slant.abs() * width / spacing) as usize + 2;
    let count = rows + above * 2 + 10;
    let lines: Vec<Vec<f32>> = (0..count)
        .map(|row| {
            let base = spacing * (row as f32 + 0.5 - above as f32);
            let line = |column: usize| {
                let x = column as f32 * pixel;
                let away = (x - peak - (base - height * 0.5) * slant) / reach;
                let calm = 0.30 + 0.70 * exp(-away * away);
                let rise = fbm(x * scale, base * drift * 1.6, 3, salt) * 1.3;
                base + (x - width * 0.5) * slant - swell * calm * rise
            };
            (0..columns).map(line).collect()
        })
        .collect();
    let hair = chance.range(0.0010, 0.0022);
    let deep = spacing * 1.9;
    let engraved = chance.chance(0.5);
    canvas.shade(|x, y, _| {
        let column = (x / pixel) as usize;
        let mut front = None;
        for (row, line) in lines.iter().enumerate().rev() {
            let (Some(top), Some(next)) = (line.get(column), line.get(column + 1)) else { continue };
            let slope = (next - top) / pixel;
            let edge = (y - top) / (1.0 + slope * slope).sqrt();
            if edge < -hair - pixel {
                // What stands in front throws a soft shadow up the row behind it.
                front = Some(front.map_or(-edge, |near: f32| near.min(-edge)));
                continue;
            }
            let number = row as f32;
            let hue = noise(x * 0.7, number * 0.23, salt ^ 3);
            let tone = 0.54 + 0.30 * sin(number * beat + phase) + 0.22 * hue;
            let below = smoothstep(0.0, deep, edge);
            let lit = 1.0 + 0.28 * (slope * 0.9).clamp(-1.0, 1.0) * (1.0 - below);
            let shade = 1.0 - 0.42 * front.map_or(0.0, |away| exp(-away / spacing * 3.4));
            let special = row % 7 == 3;
            let crest = if special { palette.accent() } else { palette.ramp(tone + 0.16) };
            let foot = if special { scale3(palette.accent(), 0.45) } else { palette.ramp(tone - 0.36) };
            let lines = if engraved {
                // Fine lines follow the crest, wider apart as they fall.
                let step = (edge.max(0.0) / spacing).sqrt() * 5.0;
                let gap = (step.fract() - 0.5).abs() / 5.0 * 2.0 * spacing * (edge.max(1e-4) / spacing).sqrt();
                0.20 * coverage(gap - hair * 0.6, pixel)
            } else {
                0.0
            };
            let body = scale3(mix3(crest, foot, below), lit * shade * (1.0 - lines));
            let ink = mix(0.55, 1.0, (1.0 - below) * 0.5 + 0.5);
            return mix3(body, scale3(palette.ramp(1.0), ink), coverage(edge.abs() - hair, pixel) * 0.85);
        }
        palette.ramp(0.97)
    });
}
