//! The part of a picture that a fingerprint is of: what stands on an even ground, or all.
//!
//! Nearly all of an object on white is white, so that any two of them are alike as pictures. The part is found by its
//! centre and spread, not by its edges: noise, compression and scaling move an edge by a line, and these hardly at all.

use std::ops::Range;

use super::plane::Plane;

/// Cells along a side in which the ground is looked for.
const GRID: usize = 64;
/// How far from the ground a cell of the border may be, brightness levels.
const EVEN: f64 = 8.0;
/// One in so many cells of the border may be further.
const STRAYS: usize = 50;
/// How far from the ground a cell is that begins to count, and how many levels on it counts no more than there.
const BEGINS: f64 = 4.0;
const REACHES: f64 = 32.0;
/// Half the side of the part, in standard deviations of what differs: the radius of a disc.
const SPREAD: f64 = 2.0;

/// A part of a picture, in pixels, edges within pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    down: Range<f64>,
    across: Range<f64>,
}

impl Window {
    /// The part of a picture that differs from an even ground, a square as far as the picture reaches; all of it when the
    /// border is not even, or nothing differs.
    pub(super) fn of(plane: &Plane) -> Self {
        let (height, width) = (plane.height as f64, plane.width as f64);
        let all = Self { down: 0.0..height, across: 0.0..width };
        let cells = all.means::<GRID>(plane);
        let Some(ground) = ground(&cells) else { return all };
        let differs = cells.map(|row| row.map(|value| ((value - ground).abs() - BEGINS).clamp(0.0, REACHES)));
        let rows = differs.map(|row| row.iter().sum::<f64>());
        let columns = differs.iter().fold([0.0; GRID], |mut sums, row| {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            sums
        });
        let (Some((middle, high)), Some((centre, wide))) = (spread(&rows, height), spread(&columns, width)) else {
            return all;
        };
        let half = SPREAD * high.max(wide);
        let part = |at: f64, length: f64| (at - half).max(0.0)..(at + half).min(length);
        Self { down: part(middle, height), across: part(centre, width) }
    }

    /// The mean brightness in `N` by `N` cells of equal size.
    pub(super) fn means<const N: usize>(&self, plane: &Plane) -> [[f64; N]; N] {
        let (high, wide) = (length(&self.down) / N as f64, length(&self.across) / N as f64);
        let edge = |range: &Range<f64>, step: f64, at: usize| range.start + step * at as f64;
        let mut cells = [[0.0; N]; N];
        let mut sums = Vec::with_capacity(plane.width + 1);
        for (y, row) in plane.rows().enumerate() {
            let line = y as f64..(y + 1) as f64;
            if line.end <= self.down.start || line.start >= self.down.end {
                continue;
            }
            sums.clear();
            sums.push(0_u64);
            sums.extend(row.iter().scan(0, |sum, value| {
                *sum += u64::from(*value);
                Some(*sum)
            }));
            // What is left of a place within a pixel.
            let left = |place: f64| {
                let pixel = (place as usize).min(plane.width - 1);
                let value = row.get(pixel).copied().unwrap_or_default();
                sums.get(pixel).copied().unwrap_or_default() as f64 + (place - pixel as f64) * f64::from(value)
            };
            let mut parts = [0.0; N];
            for (at, part) in parts.iter_mut().enumerate() {
                *part = left(edge(&self.across, wide, at + 1)) - left(edge(&self.across, wide, at));
            }
            for (at, cells) in cells.iter_mut().enumerate() {
                let (top, bottom) = (edge(&self.down, high, at), edge(&self.down, high, at + 1));
                let share = bottom.min(line.end) - top.max(line.start);
                if share > 0.0 {
                    cells.iter_mut().zip(parts).for_each(|(cell, part)| *cell += share * part);
                }
            }
        }
        cells.map(|row| row.map(|sum| sum / (high * wide)))
    }
}

fn length(range: &Range<f64>) -> f64 {
    range.end - range.start
}

/// The brightness of the border, when it is even.
fn ground(cells: &[[f64; GRID]; GRID]) -> Option<f64> {
    let rows = cells.iter().enumerate();
    let mut border: Vec<f64> = rows
        .flat_map(|(y, row)| row.iter().enumerate().map(move |(x, value)| (x, y, *value)))
        .filter(|(x, y, _)| [0, GRID - 1].contains(x) || [0, GRID - 1].contains(y))
        .map(|(.., value)| value)
        .collect();
    border.sort_by(f64::total_cmp);
    let ground = border.get(border.len() / 2).copied()?;
    let strays = border.iter().filter(|value| (*value - ground).abs() > EVEN).count();
    (strays * STRAYS <= border.len()).then_some(ground)
}

/// The mean place and the standard deviation of weights along a side of this length; `None` when there are none.
fn spread(weights: &[f64; GRID], length: f64) -> Option<(f64, f64)> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let places = || weights.iter().enumerate().map(|(at, weight)| ((at as f64 + 0.5) / GRID as f64, weight / total));
    let mean: f64 = places().map(|(place, weight)| place * weight).sum();
    let variance: f64 = places().map(|(place, weight)| (place - mean) * (place - mean) * weight).sum();
    // A cell is spread itself.
    let variance = variance + 1.0 / (12 * GRID * GRID) as f64;
    Some((mean * length, variance.sqrt() * length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(value: impl Fn(usize, usize) -> u8) -> Plane {
        let (width, height) = (200, 100);
        Plane { width, height, values: (0..width * height).map(|n| value(n % width, n / width)).collect() }
    }

    #[test]
    fn the_part_is_around_what_stands_on_an_even_ground_as_far_as_the_picture_reaches() {
        let found = Window::of(&plane(|x, y| if x.abs_diff(60) <= 20 && y.abs_diff(50) <= 20 { 0 } else { 255 }));
        // The standard deviation of a square is its side over the root of twelve.
        let half = 2.0 * 41.0 / 12.0_f64.sqrt();
        for (found, expected) in [
            (found.across.start, 60.5 - half),
            (found.across.end, 60.5 + half),
            (found.down.start, 50.5 - half),
            (found.down.end, 50.5 + half),
        ] {
            // Within a cell.
            assert!((found - expected).abs() < 200.0 / GRID as f64, "{found} {expected}");
        }
    }

    #[test]
    fn a_scene_to_the_edges_and_a_picture_of_one_colour_are_taken_whole() {
        let all = Window { down: 0.0..100.0, across: 0.0..200.0 };
        assert_eq!(Window::of(&plane(|x, y| ((x * 7 + y * 13) % 200) as u8)), all);
        assert_eq!(Window::of(&plane(|_, y| if y < 60 { 250 } else { 90 })), all);
        assert_eq!(Window::of(&plane(|_, _| 250)), all);
    }

    #[test]
    fn means_weigh_pixels_by_what_is_inside_of_a_cell() {
        let window = Window { down: 0.0..100.0, across: 0.5..2.5 };
        let found = window.means::<2>(&plane(|x, _| [0, 100, 200, 0][x % 4]));
        assert_eq!(found, [[50.0, 150.0]; 2]);
    }
}
