//! The style `flow`: ribbons that never cross, or fine strands combed by a field.

use super::canvas::{Canvas, Light, Stroke};
use super::math::{atan2, cos, length, mix, mix3, scale3, sin, smoothstep};
use super::noise::{fbm, noise};
use super::palette::{Palette, is};
use super::random::Random;

/// Directions over the picture.
#[derive(Clone, Copy, Debug)]
struct Field {
    salt: u32,
    scale: f32,
    turn: f32,
    base: f32,
    eye: (f32, f32),
    swirl: f32,
}

impl Field {
    fn angle(&self, x: f32, y: f32) -> f32 {
        let drift = self.base + self.turn * noise(x * self.scale, y * self.scale, self.salt);
        let (dx, dy) = (x - self.eye.0, y - self.eye.1);
        let round = atan2(dy, dx) + 1.35;
        let pull = self.swirl * (1.0 - smoothstep(0.1, 0.9, length(dx, dy)));
        // Angles are blended as arrows, so that nothing jumps where they wrap.
        atan2(mix(sin(drift), sin(round), pull), mix(cos(drift), cos(round), pull))
    }
}

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
    let said = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is(word, name)));
    let field = Field {
        salt: chance.salt(),
        scale: chance.range(0.7, 2.0),
        turn: chance.range(1.3, 3.4),
        base: chance.range(0.0, std::f32::consts::TAU),
        eye: (canvas.width() * chance.range(0.2, 0.8), canvas.height() * chance.range(0.2, 0.8)),
        swirl: chance.pick(&[0.0, 0.0, 0.7, 0.95]),
    };
    if said(&["hair", "silk", "fur", "grass", "wind"]) || (!said(&["ribbon", "river"]) && chance.chance(0.4)) {
        strands(canvas, palette, field, chance);
    } else {
        ribbons(canvas, palette, field, chance);
    }
}

/// Follows the field from a place.
fn walk(field: Field, from: (f32, f32), step: f32, count: usize) -> impl Iterator<Item = (f32, f32)> {
    let mut place = from;
    (0..count).map(move |_| {
        let here = place;
        let angle = field.angle(place.0, place.1);
        place = (place.0 + step * cos(angle), place.1 + step * sin(angle));
        here
    })
}

/// Ground with the fibres of paper.
fn paper(canvas: &mut Canvas, ground: Light, salt: u32) {
    canvas.shade(|x, y, _| {
        scale3(ground, 1.0 + 0.05 * fbm(x * 7.0, y * 7.0, 3, salt) + 0.04 * noise(x * 190.0, y * 60.0, salt))
    });
}

/// Packs ribbons of a few widths side by side, as in Tyler Hobbs's essay on flow fields (2020).
fn ribbons(canvas: &mut Canvas, palette: &Palette, field: Field, chance: &mut Random) {
    let dark = palette.dark || chance.chance(0.3);
    let ground = if dark { palette.ramp(0.02) } else { palette.ramp(0.985) };
    paper(canvas, ground, chance.salt());
    let (width, height) = (canvas.width(), canvas.height());
    let cell = 0.004;
    let (columns, rows) = ((width / cell) as usize + 2, (height / cell) as usize + 2);
    let mut taken = vec![0_u16; columns * rows];
    let bold = chance.pick(&[0.6_f32, 1.0, 1.0, 1.5]);
    let widths = [0.034 * bold, 0.020 * bold, 0.011 * bold, 0.0055 * bold.min(1.0), 0.0028];
    let gap = chance.range(0.0022, 0.0042);
    let blocks = chance.chance(0.35);
    let hue_salt = chance.salt();
    let tries = [260, 500, 900, 1500, 2200];
    let mut id = 0_u16;
    for (radius, tries) in widths.into_iter().zip(tries) {
        for _ in 0..(tries as f32 * width * height) as usize {
            let start = (chance.range(-0.05, width + 0.05), chance.range(-0.05, height + 0.05));
            let longest = chance.range(0.35, 1.5);
            let step = 0.006;
            let free = |(x, y): (f32, f32), id: u16, taken: &[u16]| {
                let reach = radius + gap;
                let spots = (reach / cell).ceil() as i32;
                let (cx, cy) = ((x / cell) as i32, (y / cell) as i32);
                (-spots..=spots).all(|dy| {
                    (-spots..=spots).all(|dx| {
                        let (px, py) = (cx + dx, cy + dy);
                        if length(dx as f32, dy as f32) * cell > reach || px < 0 || py < 0 || px >= columns as i32 {
                            return true;
                        }
                        let owner = taken.get(py as usize * columns + px as usize).copied().unwrap_or(0);
                        owner == 0 || owner == id
                    })
                })
            };
            if !free(start, u16::MAX, &taken) {
                continue;
            }
            let path: Vec<_> = walk(field, start, step, (longest / step) as usize)
                .take_while(|place| free(*place, u16::MAX, &taken))
                .take_while(|(x, y)| (-0.12..width + 0.12).contains(x) && (-0.12..height + 0.12).contains(y))
                .collect();
            if (path.len() as f32) * step < radius * 3.0 {
                continue;
            }
            id = id.wrapping_add(1).max(1);
            let drift = 0.5 + 0.65 * noise(start.0 * 1.6, start.1 * 1.6, hue_salt) + chance.range(-0.22, 0.22);
            let tone = if dark { mix(0.22, 1.0, drift.clamp(0.0, 1.0)) } else { mix(0.0, 0.82, drift.clamp(0.0, 1.0)) };
            let body = if chance.chance(0.09) { palette.accent() } else { palette.ramp(tone) };
            let other = palette.ramp(if dark { mix(0.3, 1.0, chance.unit()) } else { chance.range(0.0, 0.8) });
            let striped = blocks && radius > 0.008 && chance.chance(0.55);
            let period = (chance.range(0.02, 0.09) / step) as usize + 1;
            for (index, pair) in path.windows(2).enumerate() {
                let [a, b] = pair else { continue };
                let color = if striped && (index / period) % 2 == 1 { other } else { body };
                let sides = [scale3(color, 0.80), mix3(scale3(color, 1.10), [1.0; 3], 0.05)];
                canvas.stroke(&Stroke { line: [*a, *b], radius, sides, alpha: 1.0 });
            }
            for (x, y) in path {
                let spots = (radius / cell).ceil() as i32;
                let (cx, cy) = ((x / cell) as i32, (y / cell) as i32);
                for dy in -spots..=spots {
                    for dx in -spots..=spots {
                        let (px, py) = (cx + dx, cy + dy);
                        let inside = length(dx as f32, dy as f32) * cell <= radius;
                        let held = inside && px >= 0 && py >= 0 && px < columns as i32;
                        if let Some(owner) =
                            taken.get_mut(py.max(0) as usize * columns + px.max(0) as usize).filter(|_| held)
                        {
                            *owner = id;
                        }
                    }
                }
            }
        }
    }
}

/// Combs thousands of fine strands from the dark depth to the light surface.
fn strands(canvas: &mut Canvas, palette: &Palette, field: Field, chance: &mut Random) {
    paper(canvas, scale3(palette.ramp(0.05), 0.8), chance.salt());
    let (width, height) = (canvas.width(), canvas.height());
    let hue_salt = chance.salt();
    let field = Field { scale: field.scale * 1.15, ..field };
    let count = (2300.0 * width * height) as usize;
    let broad = chance.range(0.8, 1.5);
    for index in 0..count {
        let rise = index as f32 / count as f32;
        let start = (chance.range(-0.25, width + 0.1), chance.range(-0.25, height + 0.1));
        let step = 0.012;
        let long = (chance.range(0.25, 0.75) / step) as usize;
        let zone = 0.5 + 0.8 * fbm(start.0 * 1.3, start.1 * 1.3, 2, hue_salt);
        let tone = (mix(0.02, 0.62, rise) + 0.42 * (zone - 0.5) + chance.range(-0.12, 0.14)).clamp(0.0, 1.0);
        let color = if chance.chance(0.035) { palette.accent() } else { palette.ramp(tone) };
        let full = mix(0.0052, 0.0016, rise) * broad * chance.range(0.6, 1.4);
        let mut last = None;
        for (place, at) in walk(field, start, step, long).zip(0_u16..) {
            if let Some(before) = last {
                let along = f32::from(at) / long as f32;
                let radius = (full * (4.0 * along * (1.0 - along)).sqrt()).max(0.0004);
                let sides = [scale3(color, 0.62), mix3(scale3(color, 1.16), [1.0; 3], 0.03)];
                canvas.stroke(&Stroke { line: [before, place], radius, sides, alpha: 0.94 });
            }
            last = Some(place);
        }
    }
}
