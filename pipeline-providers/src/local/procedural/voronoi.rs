//! The style `voronoi`: stained glass, pebbles or cut crystal.

use super::canvas::{Canvas, Light};
use super::math::{coverage, exp, floor, length, mix, mix3, scale3, smoothstep};
use super::noise::{fbm, noise};
use super::palette::{Palette, is};
use super::random::{Random, hash_unit};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Cut {
    #[default]
    Glass,
    Pebbles,
    Crystal,
}

/// The cell a place lies in.
#[derive(Clone, Copy, Debug)]
struct Cell {
    id: (i32, i32),
    /// From the cell's middle to the place.
    offset: (f32, f32),
    /// To the nearest border.
    border: f32,
}

/// Paints the style.
pub(super) fn paint(canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
    let said = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| is(word, name)));
    let cut = if said(&["stone", "pebble", "rock", "cell", "giraffe", "leather"]) {
        Cut::Pebbles
    } else if said(&["crystal", "diamond", "gem", "ice", "quartz", "polygon"]) {
        Cut::Crystal
    } else if said(&["glass", "stained", "window"]) {
        Cut::Glass
    } else {
        chance.pick(&[Cut::Glass, Cut::Pebbles, Cut::Crystal])
    };
    let salt = chance.salt();
    let pixel = canvas.pixel();
    let count = chance.range(5.0, 12.0);
    let (width, height) = (canvas.width(), canvas.height());
    let focus = (width * chance.range(0.2, 0.8), height * chance.range(0.2, 0.8));
    let pull = chance.range(0.5, 1.5);
    let warp = chance.range(0.02, 0.10);
    let light = chance.range(0.0, std::f32::consts::TAU);
    let (lx, ly) = (super::math::cos(light), super::math::sin(light));
    let turn = chance.range(0.6, 1.5);
    let lead = if palette.dark { scale3(palette.ramp(0.0), 0.7) } else { scale3(palette.ramp(0.02), 0.8) };
    let gap = match cut {
        Cut::Glass => chance.range(0.0028, 0.0048),
        Cut::Pebbles => chance.range(0.0045, 0.0075),
        Cut::Crystal => 0.0,
    };
    let mut known = (None, 0.0);
    let (mut large, mut small) = (Sites::default(), Sites::default());
    canvas.shade(|x, y, _| {
        // Cells grow with the distance from the focus, so that there is a place to look at.
        let (dx, dy) = (x - focus.0, y - focus.1);
        let zoom = 1.0 / (0.35 + pull * length(dx, dy)).sqrt();
        let wx = warp * noise(x * 2.2, y * 2.2, salt ^ 1);
        let wy = warp * noise(x * 2.2 + 31.0, y * 2.2, salt ^ 2);
        let (u, v) = ((dx + wx) * zoom * count, (dy + wy) * zoom * count);
        let cell = large.find(u + 500.0, v + 500.0, salt);
        let unit = 1.0 / (zoom * count);
        let border = cell.border * unit * 1.15;
        let (ix, iy) = cell.id;
        if known.0 != Some(cell.id) {
            // Neighbours share a drift of colour; each departs a little.
            let drift = 0.5 + 0.75 * fbm(ix as f32 * 0.19 * turn, iy as f32 * 0.19 * turn, 2, salt ^ 3);
            known = (Some(cell.id), drift + 0.42 * (hash_unit(ix, iy, salt ^ 4) - 0.5));
        }
        let (_, tone) = known;
        let special = hash_unit(ix, iy, salt ^ 5) > 0.93;
        let base = |t: f32| -> Light {
            let light = palette.ramp(mix(0.16, 1.0, t.clamp(0.0, 1.0)));
            if special { mix3(palette.accent(), light, 0.15) } else { light }
        };
        let facing = (cell.offset.0 * lx + cell.offset.1 * ly).clamp(-1.0, 1.0);
        match cut {
            Cut::Glass => {
                let streak = fbm(x * 5.0 + ix as f32, y * 22.0 + iy as f32 * 3.0, 3, salt ^ 6);
                let glow = base(tone + 0.10 * facing + 0.05 * streak);
                let pane = scale3(glow, 1.06 - 0.35 * exp(-border * 90.0) + 0.10 * streak);
                let shine = smoothstep(0.0, 0.006, border - gap) * (1.0 - smoothstep(0.006, 0.014, border - gap));
                let pane = mix3(pane, palette.ramp(1.0), 0.18 * shine * (0.5 + 0.5 * facing));
                mix3(pane, lead, coverage(border - gap, pixel))
            }
            Cut::Pebbles => {
                let dome = 1.0 - exp(-(border - gap).max(0.0) * 30.0);
                let grain = fbm(x * 26.0, y * 26.0, 3, salt ^ 7);
                // Strata of the rock run through each stone in its own direction.
                let spin = hash_unit(ix, iy, salt ^ 8) * std::f32::consts::TAU;
                let across = x * super::math::cos(spin) + y * super::math::sin(spin);
                let strata = noise(across * 46.0 + 2.0 * grain, ix as f32 * 1.7 + iy as f32, salt ^ 0xb);
                let body = base(tone + 0.05 * grain + 0.09 * strata);
                let lit = 0.50 + 0.56 * dome + 0.34 * facing * (1.0 - dome * 0.55) + 0.05 * grain;
                let body = scale3(body, lit);
                let shade = scale3(lead, 0.55 + 0.5 * (0.5 + 0.5 * facing));
                mix3(body, shade, coverage(border - gap, pixel * 1.3))
            }
            Cut::Crystal => {
                // Each crystal is cut again into facets that catch the light differently.
                let facet = small.find(
                    u * 1.7 + 90.0 + (ix & 15) as f32 * 7.0,
                    v * 1.7 + 40.0 + (iy & 15) as f32 * 5.0,
                    salt ^ 9,
                );
                let (fx, fy) = facet.id;
                let glint = hash_unit(fx, fy, salt ^ 0xa);
                let body = base(tone + 0.34 * (glint - 0.5) + 0.12 * facing);
                let sheen = 0.86 + 0.32 * glint * (0.6 + 0.5 * (facet.offset.0 * ly - facet.offset.1 * lx));
                let edge = facet.border * unit / 1.7;
                let body = mix3(scale3(body, sheen), palette.ramp(1.0), 0.22 * coverage(edge - 0.0008, pixel));
                mix3(body, palette.ramp(0.98), 0.72 * coverage(border - 0.0011, pixel) + 0.10 * exp(-border * 120.0))
            }
        }
    });
}

/// The sites round a square of the plane, kept while the next place lies in the same square.
#[derive(Debug, Default)]
struct Sites {
    square: Option<(i32, i32)>,
    sites: Vec<(f32, f32, i32, i32)>,
}

impl Sites {
    /// Finds the cell of a place (Inigo Quilez, "Voronoi borders", 2012).
    fn find(&mut self, u: f32, v: f32, salt: u32) -> Cell {
        let (ix, iy) = (floor(u), floor(v));
        if self.square != Some((ix, iy)) {
            self.square = Some((ix, iy));
            self.sites.clear();
            // The corners of the five by five lie too far away to matter.
            for slot in (1..24).filter(|slot| ![4, 20].contains(slot)) {
                let (gx, gy) = (ix + slot % 5 - 2, iy + slot / 5 - 2);
                let bits = super::random::hash(gx, gy, salt);
                let px = gx as f32 + 0.08 + 0.84 * ((bits & 0xFFFF) as f32 / 65536.0);
                let py = gy as f32 + 0.08 + 0.84 * ((bits >> 16) as f32 / 65536.0);
                self.sites.push((px, py, gx, gy));
            }
        }
        let mut nearest = f32::MAX;
        let mut owner = 0;
        for (index, (px, py, _, _)) in self.sites.iter().enumerate() {
            let (dx, dy) = (px - u, py - v);
            let square = dx * dx + dy * dy;
            if square < nearest {
                (nearest, owner) = (square, index);
            }
        }
        let (bx, by, gx, gy) = self.sites.get(owner).copied().unwrap_or_default();
        let (bx, by) = (bx - u, by - v);
        // The smallest of (|p|² − |b|²) / 2|p − b|, compared as squares: roots are slow.
        let mut border = f32::MAX;
        for (px, py, _, _) in &self.sites {
            let (px, py) = (px - u, py - v);
            let (dx, dy) = (px - bx, py - by);
            let (rise, apart) = (px * px + py * py - nearest, dx * dx + dy * dy);
            if apart > 1e-9 && rise * rise < border * apart {
                border = rise * rise / apart;
            }
        }
        Cell { id: (gx, gy), offset: (-bx, -by), border: border.sqrt() * 0.5 }
    }
}
