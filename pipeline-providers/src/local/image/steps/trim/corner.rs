//! The border of the corner's colour, as libvips and sharp find it.
//!
//! `vips_find_trim` takes the median of each pixel and its eight neighbours (edges go on beyond the edges), puts it on
//! the corner's colour, and looks for pixels that differ by more than the tolerance on some channel. sharp looks at
//! alpha in the same way. A median lies above a bound when five of the nine values do, so no median is worked out: each
//! pixel becomes a word of counters, one above and one below for each channel, and nine words are added. Only lines up
//! to the first that differs are looked at.

use std::ops::Range;

use super::super::super::picture::Picture;

/// Added to counters of four bits, it makes the top bit of each that has reached five.
const THREE: u32 = 0x3333_3333;
const TOP_BITS: u32 = 0x8888_8888;

/// Counts, for each channel, one for a value above the bound and one for a value below.
struct Bounds {
    low: [i32; 4],
    high: [i32; 4],
    corner: [u8; 4],
}

impl Bounds {
    fn around(corner: [u8; 4], tolerance: u8) -> Self {
        let tolerance = i32::from(tolerance);
        let side = |sign: i32| corner.map(|value| i32::from(value) + sign * tolerance);
        Self { low: side(-1), high: side(1), corner }
    }

    fn opaque(&self, pixel: [u8; 3]) -> u32 {
        let [red, green, blue] = pixel;
        self.counters([red, green, blue, self.corner[3]])
    }

    fn blended(&self, pixel: [u8; 4]) -> u32 {
        let alpha = u32::from(pixel[3]);
        let blend = |channel: usize| {
            let sum = u32::from(pixel[channel]) * alpha + u32::from(self.corner[channel]) * (255 - alpha);
            (sum / 255) as u8
        };
        self.counters([blend(0), blend(1), blend(2), pixel[3]])
    }

    #[inline]
    fn counters(&self, values: [u8; 4]) -> u32 {
        let mut word = 0;
        for ((value, low), high) in values.into_iter().zip(self.low).zip(self.high) {
            let value = i32::from(value);
            word = word << 8 | u32::from(value > high) << 4 | u32::from(value < low);
        }
        word
    }
}

/// The columns and rows that differ from the corner; empty when none does.
pub(super) fn inside(picture: &Picture, tolerance: u8) -> (Range<usize>, Range<usize>) {
    let mut corner = [255; 4];
    corner.iter_mut().zip(picture.row(0)).take(picture.channels()).for_each(|(corner, value)| *corner = *value);
    let bounds = Bounds::around(corner, tolerance);
    let height = picture.height();
    let line = |y: usize| -> Vec<u32> { counters(picture, y, &bounds) };
    // The three rows around the one in question; they are moved on, so each row is counted once.
    let busy =
        |rows: &mut dyn Iterator<Item = usize>, ahead: &dyn Fn(usize) -> usize| -> Option<(usize, Range<usize>)> {
            let first = rows.next()?;
            let (mut before, mut middle, mut after) = (line(first), line(first), line(ahead(first)));
            let mut y = first;
            loop {
                if let Some(found) = extent(&before, &middle, &after) {
                    return Some((y, found));
                }
                y = rows.next()?;
                (before, middle, after) = (middle, after, line(ahead(y)));
            }
        };
    let down = busy(&mut (0..height), &|y| (y + 1).min(height - 1));
    let Some((top, first)) = down else { return (0..0, 0..0) };
    let up = busy(&mut (top..height).rev(), &|y| y.saturating_sub(1));
    let Some((bottom, last)) = up else { return (0..0, 0..0) };
    let mut across = first.start.min(last.start)..first.end.max(last.end);
    // Inside, only what could widen the box is looked at.
    for y in top..=bottom {
        across = widen(picture, y, &bounds, across);
    }
    (across, top..bottom + 1)
}

fn counters(picture: &Picture, y: usize, bounds: &Bounds) -> Vec<u32> {
    match picture.channels() {
        3 => picture.row(y).as_chunks::<3>().0.iter().map(|pixel| bounds.opaque(*pixel)).collect(),
        _ => picture.row(y).as_chunks::<4>().0.iter().map(|pixel| bounds.blended(*pixel)).collect(),
    }
}

/// The columns of the first and the last pixel that differ, when one does.
fn extent(before: &[u32], middle: &[u32], after: &[u32]) -> Option<Range<usize>> {
    let sums: Vec<u32> = before.iter().zip(middle).zip(after).map(|((a, b), c)| a + b + c).collect();
    let first = (0..sums.len()).find(|x| differs(&sums, *x))?;
    let last = (first..sums.len()).rev().find(|x| differs(&sums, *x)).unwrap_or(first);
    Some(first..last + 1)
}

/// Whether the median around column `x` differs; `sums` holds the counters of three rows.
#[inline]
fn differs(sums: &[u32], x: usize) -> bool {
    let at = |x: usize| sums.get(x.min(sums.len() - 1)).copied().unwrap_or_default();
    let nine = at(x.saturating_sub(1)) + at(x) + at(x + 1);
    (nine + THREE) & TOP_BITS != 0
}

/// Widens `across` by the pixels of a row that differ outside of it.
fn widen(picture: &Picture, y: usize, bounds: &Bounds, across: Range<usize>) -> Range<usize> {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels());
    let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)].map(|y| picture.row(y));
    let counter = |row: &[u8], x: usize| {
        let pixel = row.get(x * channels..).unwrap_or_default();
        match channels {
            3 => pixel.first_chunk().map_or(0, |pixel| bounds.opaque(*pixel)),
            _ => pixel.first_chunk().map_or(0, |pixel| bounds.blended(*pixel)),
        }
    };
    let column = |x: usize| rows.iter().map(|row| counter(row, x)).sum::<u32>();
    let busy = |x: &usize| {
        let nine = column(x.saturating_sub(1)) + column(*x) + column((x + 1).min(width - 1));
        (nine + THREE) & TOP_BITS != 0
    };
    let start = (0..across.start).find(busy).unwrap_or(across.start);
    let end = (across.end..width).rev().find(busy).map_or(across.end, |x| x + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;
    use proptest::prelude::*;

    use super::*;

    /// The median of nine, worked out.
    fn reference(picture: &Picture, tolerance: u8) -> (Range<usize>, Range<usize>) {
        let (width, height, channels) = (picture.width() as i64, picture.height() as i64, picture.channels());
        let raw = |x: i64, y: i64| -> Vec<u8> {
            let (x, y) = (x.clamp(0, width - 1) as usize, y.clamp(0, height - 1) as usize);
            picture.row(y)[x * channels..][..channels].to_vec()
        };
        let corner = raw(0, 0);
        let flat = |x: i64, y: i64| -> Vec<u8> {
            let mut pixel = raw(x, y);
            if channels == 4 {
                let alpha = u32::from(pixel[3]);
                for channel in 0..3 {
                    let behind = u32::from(corner[channel]);
                    pixel[channel] = ((u32::from(pixel[channel]) * alpha + behind * (255 - alpha)) / 255) as u8;
                }
            }
            pixel
        };
        let nothing = || Range { start: usize::MAX, end: 0 };
        let (mut across, mut down) = (nothing(), nothing());
        for y in 0..height {
            for x in 0..width {
                let differs = (0..channels).any(|channel| {
                    let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
                    let mut nine: Vec<u8> = around.map(|(dx, dy)| flat(x + dx, y + dy)[channel]).collect();
                    nine.sort_unstable();
                    nine[4].abs_diff(corner[channel]) > tolerance
                });
                if differs {
                    across = across.start.min(x as usize)..across.end.max(x as usize + 1);
                    down = down.start.min(y as usize)..y as usize + 1;
                }
            }
        }
        if down.start == usize::MAX { (0..0, 0..0) } else { (across, down) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_box_is_that_of_the_medians(
            (width, height) in (1_u32..16, 1_u32..16), alpha: bool, tolerance in 0_u8..60,
            noise in prop::collection::vec(any::<u8>(), 16 * 16), density in 0_u8..255,
        ) {
            let size = Dimensions { width, height };
            let pixels = noise.iter().take((width * height) as usize).flat_map(|value| {
                let on = *value < density / 3;
                let colour = [if on { *value } else { 200 }, 100, if on { 90 } else { 30 }];
                colour.into_iter().chain(alpha.then_some(if on { 255 } else { value / 8 })).collect::<Vec<_>>()
            });
            let pixels: Vec<u8> = pixels.collect();
            let picture = if alpha { Picture::rgba(size, pixels) } else { Picture::rgb(size, pixels) }.unwrap();
            prop_assert_eq!(inside(&picture, tolerance), reference(&picture, tolerance));
        }
    }
}
