//! The style `terrain`: ridges behind ridges in haze, a sun or a moon, sometimes a lake.

use super::canvas::{Canvas, Light};
use super::math::{coverage, exp, length, mix, mix3, scale3, smoothstep};
use super::noise::{fbm, noise, ridged};
use super::palette::{Palette, is};
use super::random::{Random, hash_unit};

/// One row of mountains, as heights across the picture.
#[derive(Debug)]
struct Ridge {
    heights: Vec<f32>,
    /// How far trees stand above the heights.
    trees: Vec<f32>,
    color: Light,
    mist: Light,
    /// 0 is the farthest, 1 the nearest.
    near: f32,
    salt: u32,
}

#[derive(Debug)]
struct Scene {
    pixel: f32,
    night: bool,
    horizon: f32,
    sky: [Light; 3],
    sun: (f32, f32, f32),
    glow: Light,
    disc: Light,
    ridges: Vec<Ridge>,
    dunes: bool,
    salt: u32,
}

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
    let said = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is(word, name)));
    let dunes = said(&["desert", "dune", "sand", "sahara"]) || (!said(&["mountain"]) && chance.chance(0.15));
    let lake = said(&["lake", "water", "reflection", "sea", "ocean"]) || (!dunes && chance.chance(0.25));
    let night = palette.dark || said(&["night", "moon"]);
    let (width, height) = (canvas.width(), canvas.height());
    let salt = chance.salt();
    let horizon = height * chance.range(0.26, 0.66);
    let shore = if lake { (horizon + height * 0.12).max(height * chance.range(0.56, 0.84)) } else { height * 2.0 };
    let floor = if lake { shore } else { height };
    let disc = if chance.chance(0.35) { chance.range(0.15, 0.26) } else { chance.range(0.035, 0.10) };
    let sun = (width * chance.range(0.12, 0.88), horizon * chance.range(0.25, 0.95), disc);
    let sky = if night {
        [palette.ramp(0.03), palette.ramp(0.30), palette.ramp(0.60)]
    } else {
        [palette.ramp(chance.range(0.52, 0.70)), palette.ramp(0.84), palette.ramp(0.97)]
    };
    let [_, _, haze] = sky;
    let count = 4 + chance.below(5);
    // The whole range leans, or opens as a valley, or stands as one peak.
    let (lean, bowl) = (chance.range(-0.28, 0.28), chance.pick(&[-0.42_f32, 0.0, 0.0, 0.42, 0.6]));
    let centre = width * chance.range(0.25, 0.75);
    let ridges = (0..count)
        .map(|index| {
            let near = index as f32 / (count - 1) as f32;
            let salt = chance.salt();
            let base = mix(horizon, floor * if lake { 0.985 } else { 0.90 }, if lake { near * 0.9 } else { near });
            let amplitude = if dunes { 0.10 + 0.13 * near } else { mix(0.30, 0.14, near) } * chance.range(0.6, 1.5);
            let frequency = if dunes { chance.range(0.8, 1.6) } else { mix(1.5, 2.6, near) * chance.range(0.8, 1.2) };
            let wooded = !dunes && near > 0.72;
            let shift = chance.range(0.0, 90.0);
            let columns = (width / canvas.pixel()) as usize + 1;
            let heights = (0..columns)
                .map(|column| {
                    let x = column as f32 * canvas.pixel() * frequency + shift;
                    let rise = if dunes {
                        {
                            // Wind piles sand into sharp crests with one steep side.
                            let crest = 1.0 - noise(x + 0.35 * noise(x * 0.7, 8.0, salt), 0.3, salt).abs() * 1.3;
                            0.9 * crest + 0.12 * noise(x * 2.3, 4.0, salt)
                        }
                    } else if near > 0.6 {
                        0.55 + 0.9 * fbm(x, 0.5, 6, salt)
                    } else {
                        0.15 + 0.95 * ridged(x * 0.8, 0.5, 6, salt) + 0.25 * noise(x * 0.6, 2.0, salt)
                    };
                    let across = column as f32 * canvas.pixel() - centre;
                    let shape = across * lean + bowl * (across * across - 0.08) * (1.0 - near * 0.6);
                    base - amplitude * rise - shape * 0.55
                })
                .collect();
            let crown = |column: usize| {
                if wooded { conifers(column as f32 * canvas.pixel(), near, salt) } else { 0.0 }
            };
            let trees = (0..columns).map(crown).collect();
            let far = if night { 0.46 } else { 0.76 };
            let tone = mix(far, 0.02, near.sqrt() * 0.55 + near * 0.45);
            let color = mix3(haze, palette.ramp(tone), 0.28 + 0.72 * near);
            Ridge { heights, trees, color, mist: mix3(color, haze, 0.62 * (1.0 - near * 0.75)), near, salt }
        })
        .collect();
    // Only a warm accent makes a sun.
    let blaze = if palette.accent.a > 0.02 && palette.accent.b > -0.02 { chance.pick(&[0.0, 0.75, 1.0]) } else { 0.0 };
    let warm = if night { palette.ramp(0.97) } else { mix3(palette.ramp(1.0), palette.accent(), blaze) };
    let scene = Scene {
        pixel: canvas.pixel(),
        night,
        horizon,
        sky,
        sun,
        glow: mix3(warm, haze, 0.3),
        disc: warm,
        ridges,
        dunes,
        salt,
    };
    canvas.shade(|x, y, _| {
        if y < shore {
            return scene.light(x, y);
        }
        // Water shows the picture upside down, broken by flat ripples that grow towards the viewer.
        let depth = (y - shore) / (height - shore).max(0.01);
        let ripple = fbm(x * mix(9.0, 4.0, depth), y * mix(130.0, 46.0, depth), 3, salt ^ 0x4d);
        let mirror = shore - (y - shore) * 1.15 + ripple * mix(0.006, 0.05, depth);
        let seen = scene.light(x + ripple * 0.012, mirror.min(shore - scene.pixel));
        let [top, ..] = scene.sky;
        let glint = smoothstep(0.35, 0.6, ripple) * exp(-((x - sun.0) / 0.13) * ((x - sun.0) / 0.13)) * 0.5;
        mix3(mix3(scale3(seen, 0.86), top, 0.16 + 0.14 * depth), scene.disc, glint)
    });
}

impl Scene {
    fn light(&self, x: f32, y: f32) -> Light {
        let mut light = None;
        for ridge in self.ridges.iter().rev() {
            let column = (x / self.pixel).max(0.0) as usize;
            let Some(top) = ridge.heights.get(column.min(ridge.heights.len().saturating_sub(1))).copied() else {
                continue;
            };
            let crown = ridge.trees.get(column).copied().unwrap_or(0.0);
            if y < top - crown - self.pixel * 2.0 {
                continue;
            }
            let next = ridge.heights.get(column + 1).copied().unwrap_or(top);
            let beside = next - ridge.trees.get(column + 1).copied().unwrap_or(crown);
            let steep = ((beside - top + crown) / self.pixel).abs().min(3.0);
            let cover = coverage((top - crown - y) / (1.0 + steep), self.pixel);
            if cover <= 0.0 {
                continue;
            }
            let ground = self.ground(ridge, x, y, top);
            light = match light {
                None if cover >= 1.0 => return ground,
                None => Some((ground, 1.0 - cover)),
                Some((seen, open)) if cover >= 1.0 => return mix3(seen, ground, open),
                Some((seen, open)) => Some((mix3(seen, ground, open * cover), open * (1.0 - cover))),
            };
        }
        match light {
            Some((seen, open)) => mix3(seen, self.air(x, y), open),
            None => self.air(x, y),
        }
    }

    fn ground(&self, ridge: &Ridge, x: f32, y: f32, top: f32) -> Light {
        let below = (y - top).max(0.0);
        let side = ((self.sun.0 - x) / 0.25).clamp(-1.0, 1.0);
        let relief = if self.dunes {
            // A slope towards the sun is lit, down a crest that winds to the foot; wind ripples run along it.
            let winding = x + below * 0.7 + 0.05 * noise(below * 6.0, 3.0, ridge.salt) * below * 4.0;
            let rise = |x: f32| {
                let column = (x / self.pixel).max(0.0) as usize;
                ridge.heights.get(column.min(ridge.heights.len().saturating_sub(1))).copied().unwrap_or(top)
            };
            let slope = ((rise(winding + 0.006) - rise(winding - 0.006)) / 0.012 * 1.8).clamp(-1.0, 1.0);
            slope * 0.16 * exp(-below * 4.0) * 1.6 + 0.05 * noise(x * 18.0 + below * 30.0, below * 120.0, ridge.salt)
        } else {
            let lean = below * 0.55 * side;
            let rough = ridged((x + lean) * 7.0, below * 5.0 + 3.0, 3, ridge.salt ^ 5) - 0.42;
            rough * mix(0.34, 0.16, ridge.near) * exp(-below * 3.2)
        };
        let body = scale3(ridge.color, 1.0 + relief * 1.5);
        let mist = smoothstep(0.02, mix(0.24, 0.34, ridge.near), below);
        let drift = 0.75 + 0.35 * noise(x * 2.4 + 7.0, y * 5.0, self.salt ^ 0x1f);
        mix3(body, ridge.mist, (mist * drift).clamp(0.0, 1.0))
    }

    fn air(&self, x: f32, y: f32) -> Light {
        let [high, middle, low] = self.sky;
        let t = (y / (self.horizon * 1.08)).clamp(0.0, 1.0);
        let mut light = if t < 0.55 { mix3(high, middle, t / 0.55) } else { mix3(middle, low, (t - 0.55) / 0.45) };
        let (sx, sy, radius) = self.sun;
        let away = length(x - sx, y - sy);
        if self.night {
            light = mix3(light, self.disc, self.star(x, y) * (1.0 - t));
        }
        light = mix3(light, self.glow, (0.55 * exp(-(away - radius).max(0.0) * 5.5)).min(1.0));
        let mut face = self.disc;
        if self.night {
            let mark = smoothstep(0.05, 0.5, fbm((x - sx) / radius * 1.3, (y - sy) / radius * 1.3, 3, self.salt ^ 3));
            face = scale3(face, 1.0 - 0.22 * mark);
        }
        light = mix3(light, face, coverage(away - radius, self.pixel * 1.5));
        let stretch = fbm(x * 1.5 + 0.6 * noise(x, y * 3.0, self.salt), y * 8.5, 5, self.salt ^ 9);
        let cloud = smoothstep(0.06, 0.42, stretch) * (0.25 + 0.5 * t);
        mix3(light, mix3(low, self.glow, 0.35), cloud * if self.night { 0.28 } else { 0.75 })
    }

    fn star(&self, x: f32, y: f32) -> f32 {
        let cell = 0.022;
        let (cx, cy) = ((x / cell).floor(), (y / cell).floor());
        let (ix, iy) = (cx as i32, cy as i32);
        let size = hash_unit(ix, iy, self.salt ^ 0x29);
        if size < 0.72 {
            return 0.0;
        }
        let px = (cx + 0.2 + 0.6 * hash_unit(ix, iy, self.salt ^ 0x2a)) * cell;
        let py = (cy + 0.2 + 0.6 * hash_unit(ix, iy, self.salt ^ 0x2b)) * cell;
        let bright = (size - 0.72) / 0.28;
        coverage(length(x - px, y - py) - 0.0006 - 0.0011 * bright * bright, self.pixel * 1.6) * (0.35 + 0.65 * bright)
    }
}

/// How far a wood's tops stand above the ground at `x`.
fn conifers(x: f32, near: f32, salt: u32) -> f32 {
    let gap = mix(0.006, 0.017, (near - 0.72) / 0.28);
    let cell = (x / gap).floor() as i32;
    (cell - 2..=cell + 2)
        .map(|index| {
            let thin = smoothstep(-0.25, 0.25, noise(index as f32 * gap * 3.0, 9.0, salt));
            let high = gap * (1.2 + 2.6 * hash_unit(index, 1, salt)) * (0.25 + 0.75 * thin);
            let middle = (index as f32 + 0.2 + 0.6 * hash_unit(index, 2, salt)) * gap;
            let away = (x - middle).abs() / (high * 0.26);
            let saw = 0.10 * ((away * 4.0).fract() - 0.5);
            (high * (1.0 - away + saw)).max(0.0)
        })
        .fold(0.0, f32::max)
}
