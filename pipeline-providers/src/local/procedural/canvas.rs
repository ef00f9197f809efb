//! The picture while it is painted: linear light, the shorter side one unit long.

use super::math::{coverage, mix, mix3};
use super::random::hash;
use crate::local::srgb::from_linear;

/// Red, green and blue as linear light.
pub(super) type Light = [f32; 3];

/// A picture in the making.
#[derive(Debug)]
pub(super) struct Canvas {
    columns: usize,
    rows: usize,
    pixels: Vec<Light>,
}

/// A round brush pulled along a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    /// Where it begins and ends.
    pub(super) line: [(f32, f32); 2],
    /// Half its width.
    pub(super) radius: f32,
    /// Its colour on the left side and on the right side.
    pub(super) sides: [Light; 2],
    /// How much it covers, 0 to 1.
    pub(super) alpha: f32,
}

impl Canvas {
    /// Makes a picture of one colour.
    pub(super) fn new(columns: u32, rows: u32, ground: Light) -> Self {
        let (columns, rows) = (columns as usize, rows as usize);
        Self { columns, rows, pixels: vec![ground; columns * rows] }
    }

    /// Returns the size of a pixel.
    pub(super) fn pixel(&self) -> f32 {
        1.0 / self.columns.min(self.rows).max(1) as f32
    }

    /// Returns how wide it is; 1 or more.
    pub(super) fn width(&self) -> f32 {
        self.columns as f32 * self.pixel()
    }

    /// Returns how high it is; 1 or more.
    pub(super) fn height(&self) -> f32 {
        self.rows as f32 * self.pixel()
    }

    /// Gives every pixel the colour `paint` makes of its middle and its present colour.
    pub(super) fn shade(&mut self, mut paint: impl FnMut(f32, f32, Light) -> Light) {
        let pixel = self.pixel();
        for (row, line) in self.pixels.chunks_exact_mut(self.columns).enumerate() {
            let y = (row as f32 + 0.5) * pixel;
            for (column, value) in line.iter_mut().enumerate() {
                *value = paint((column as f32 + 0.5) * pixel, y, *value);
            }
        }
    }

    /// Draws a stroke with soft edges.
    pub(super) fn stroke(&mut self, stroke: &Stroke) {
        let pixel = self.pixel();
        let [(ax, ay), (bx, by)] = stroke.line;
        let reach = stroke.radius + pixel;
        let clip = |v: f32, count: usize| ((v / pixel).floor().max(0.0) as usize).min(count);
        let (left, right) = (clip(ax.min(bx) - reach, self.columns), clip(ax.max(bx) + reach + pixel, self.columns));
        let (top, bottom) = (clip(ay.min(by) - reach, self.rows), clip(ay.max(by) + reach + pixel, self.rows));
        let (dx, dy) = (bx - ax, by - ay);
        let square = (dx * dx + dy * dy).max(1e-12);
        let inverse = 1.0 / square;
        let across = 1.0 / (square.sqrt() * stroke.radius);
        let outside = (stroke.radius + pixel * 0.5) * (stroke.radius + pixel * 0.5);
        let lines = self.pixels.chunks_exact_mut(self.columns).enumerate().take(bottom).skip(top);
        for (row, line) in lines {
            let py = (row as f32 + 0.5) * pixel - ay;
            for (column, value) in line.iter_mut().enumerate().take(right).skip(left) {
                let px = (column as f32 + 0.5) * pixel - ax;
                let along = ((px * dx + py * dy) * inverse).clamp(0.0, 1.0);
                let (ox, oy) = (px - along * dx, py - along * dy);
                let apart = ox * ox + oy * oy;
                if apart > outside {
                    continue;
                }
                let away = apart.sqrt();
                let cover = coverage(away - stroke.radius, pixel) * stroke.alpha;
                if cover > 0.0 {
                    let side = ((px * dy - py * dx) * across).clamp(-1.0, 1.0) * 0.5 + 0.5;
                    let [a, b] = stroke.sides;
                    *value = mix3(*value, mix3(a, b, side), cover);
                }
            }
        }
    }

    /// Develops the picture: a slight vignette, film grain of `grain` levels, then 8-bit red, green, blue.
    pub(super) fn develop(self, grain: f32, salt: u32) -> Vec<u8> {
        let table: Vec<f32> = (0..=4096).map(|step| from_linear(tone(step as f32 / 4096.0)) * 255.0).collect();
        let level = |light: f32| {
            // Square roots spread the dark values, where steps are seen first.
            let place = light.clamp(0.0, 1.0).sqrt() * 4096.0;
            let step = place as usize;
            let low = table.get(step).copied().unwrap_or(255.0);
            mix(low, table.get(step + 1).copied().unwrap_or(low), place - step as f32)
        };
        let (cx, cy) = (self.columns as f32 * 0.5, self.rows as f32 * 0.5);
        let mut bytes = Vec::with_capacity(self.pixels.len() * 3);
        for (row, line) in self.pixels.chunks_exact(self.columns).enumerate() {
            let dy = (row as f32 - cy) / cy;
            for (column, pixel) in line.iter().enumerate() {
                let dx = (column as f32 - cx) / cx;
                let away = dx * dx + dy * dy;
                let vignette = 1.0 - 0.055 * away * away * 0.5;
                let bits = hash(column as i32, row as i32, salt);
                let speck = ((bits & 0xFF) + (bits >> 8 & 0xFF) + (bits >> 16 & 0xFF)) as f32 / 382.5 - 1.0;
                for channel in pixel {
                    let value = level(channel * vignette);
                    // Film shows most grain in the middle tones.
                    let strength = grain * (0.55 + 0.45 * (1.0 - (value / 127.5 - 1.0).abs()));
                    bytes.push((value + speck * strength + 0.5).clamp(0.0, 255.0) as u8);
                }
            }
        }
        bytes
    }
}

/// The table is read at square roots of light.
fn tone(root: f32) -> f32 {
    root * root
}
