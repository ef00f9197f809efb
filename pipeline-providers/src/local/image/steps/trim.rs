//! Trimming: borders that show nothing are cut away.
//!
//! | border | a line goes while |
//! |---|---|
//! | `alpha` | its alpha is nowhere above the tolerance |
//! | `corner` | each of its pixels is, on all channels, within the tolerance of the upper left corner |
//! | `sides` | each of its pixels is, on all channels, within the tolerance of the mean of that side's outermost line |
//! | `auto` | as `alpha` where some pixel is not opaque, else as `sides` |
//!
//! A picture that would vanish is left as it is.

mod corner;

use std::ops::Range;

use pipeline_core::error::Result;
use pipeline_core::provider::{Dimensions, TrimBorder};

use super::super::picture::Picture;

/// Returns what is left, when it is less, and the words for it.
pub(super) fn trim(picture: &Picture, border: TrimBorder, tolerance: u8) -> Result<Option<(Picture, String)>> {
    let (across, down) = match border {
        TrimBorder::Corner => corner::inside(picture, tolerance),
        TrimBorder::Alpha | TrimBorder::Auto if picture.has_alpha() => opaque_part(picture, tolerance),
        TrimBorder::Alpha => return Ok(None),
        TrimBorder::Sides if picture.has_alpha() => busy_part::<4>(picture, tolerance),
        TrimBorder::Auto | TrimBorder::Sides => busy_part::<3>(picture, tolerance),
    };
    let size = Dimensions { width: across.len() as u32, height: down.len() as u32 };
    if across.is_empty() || down.is_empty() || size == picture.size() {
        return Ok(None);
    }
    let done = format!("trim {},{} {size}", across.start, down.start);
    Ok(Some((picture.crop(across.start, down.start, size)?, done)))
}

/// The columns and rows that hold alpha above the tolerance.
fn opaque_part(picture: &Picture, tolerance: u8) -> (Range<usize>, Range<usize>) {
    let (mut across, mut down) = (picture.width()..0, picture.height()..0);
    for (y, row) in picture.rows().enumerate() {
        let mut seen = row.chunks_exact(4).map(|pixel| pixel[3] > tolerance);
        if let Some(first) = seen.clone().position(|visible| visible) {
            let last = seen.rposition(|visible| visible).unwrap_or(first);
            across = across.start.min(first)..across.end.max(last + 1);
            down = down.start.min(y)..y + 1;
        }
    }
    (across, down)
}

/// The columns and rows inside evenly coloured borders, of a picture with `N` channels.
fn busy_part<const N: usize>(picture: &Picture, tolerance: u8) -> (Range<usize>, Range<usize>) {
    let pixel = |x: usize, y: usize| -> [u8; N] {
        picture.row(y).get(x * N..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    };
    let row = |y: usize, across: &Range<usize>| across.clone().map(move |x| pixel(x, y));
    let column = |x: usize, down: &Range<usize>| down.clone().map(move |y| pixel(x, y));

    let all = 0..picture.width();
    let top = even(0..picture.height(), |y| row(y, &all), tolerance);
    let bottom = even((top..picture.height()).rev(), |y| row(y, &all), tolerance);
    let down = top..picture.height().saturating_sub(bottom);
    if down.is_empty() {
        return (0..0, 0..0);
    }
    let left = even(all.clone(), |x| column(x, &down), tolerance);
    let right = even((left..all.end).rev(), |x| column(x, &down), tolerance);
    (left..all.end.saturating_sub(right), down)
}

/// How many of the lines, from the first on, are of the mean colour of the first.
fn even<const N: usize, P: Iterator<Item = [u8; N]>>(
    mut lines: impl Iterator<Item = usize> + Clone,
    line: impl Fn(usize) -> P,
    tolerance: u8,
) -> usize {
    let Some(first) = lines.clone().next() else { return 0 };
    let (sums, count) = line(first).fold(([0_u64; N], 0_u64), |(mut sums, count), pixel| {
        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(value));
        (sums, count + 1)
    });
    let mean = sums.map(|sum| ((sum + count / 2) / count.max(1)) as u8);
    let close = |pixel: [u8; N]| pixel.iter().zip(mean).all(|(value, mean)| value.abs_diff(mean) <= tolerance);
    let total = lines.clone().count();
    lines.position(|at| !line(at).all(close)).unwrap_or(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `auto`.
    fn trim(picture: Picture, tolerance: u8) -> Result<(Picture, Option<String>)> {
        Ok(match super::trim(&picture, TrimBorder::Auto, tolerance)? {
            Some((part, done)) => (part, Some(done)),
            None => (picture, None),
        })
    }

    /// A picture of `border` with a rectangle of changing colours in it.
    fn framed(border: [u8; 3], size: Dimensions, across: Range<u32>, down: Range<u32>) -> Picture {
        let mut pixels = Vec::new();
        for y in 0..size.height {
            for x in 0..size.width {
                let inside = across.contains(&x) && down.contains(&y);
                pixels.extend(if inside { [(40 + 20 * x) as u8, (30 * y) as u8, 77] } else { border });
            }
        }
        Picture::rgb(size, pixels).unwrap()
    }

    const SIZE: Dimensions = Dimensions { width: 10, height: 8 };

    #[test]
    fn an_even_border_is_cut_away_on_all_sides() {
        let (picture, done) = trim(framed([255; 3], SIZE, 2..7, 1..5), 0).unwrap();
        assert_eq!(picture.size(), Dimensions { width: 5, height: 4 });
        assert_eq!(done.as_deref(), Some("trim 2,1 5x4"));
    }

    #[test]
    fn the_tolerance_decides_how_different_a_border_pixel_may_be() {
        let mut picture = framed([200; 3], SIZE, 2..7, 1..5);
        for (index, value) in picture.pixels_mut().iter_mut().enumerate() {
            *value = if *value == 200 { 198 + ((index + index / 30) % 5) as u8 } else { *value };
        }
        assert_eq!(trim(picture.clone(), 0).unwrap().1, None);
        assert_eq!(trim(picture, 4).unwrap().1.as_deref(), Some("trim 2,1 5x4"));
    }

    #[test]
    fn bars_of_different_colours_are_each_a_border() {
        let mut picture = framed([0; 3], SIZE, 0..10, 2..6);
        picture.pixels_mut()[6 * 30..].fill(255);
        assert_eq!(trim(picture, 0).unwrap().1.as_deref(), Some("trim 0,2 10x4"));
    }

    #[test]
    fn a_transparent_border_is_cut_away_by_alpha_alone() {
        let mut pixels = [9, 9, 9, 0].repeat(80);
        pixels[(3 * 10 + 4) * 4 + 3] = 255;
        pixels[(5 * 10 + 6) * 4 + 3] = 20;
        let picture = Picture::rgba(SIZE, pixels).unwrap();
        assert_eq!(trim(picture.clone(), 0).unwrap().1.as_deref(), Some("trim 4,3 3x3"));
        let (strict, done) = trim(picture, 20).unwrap();
        assert_eq!(done.as_deref(), Some("trim 4,3 1x1"));
        assert!(!strict.has_alpha());
    }

    #[test]
    fn a_picture_that_is_all_border_is_left_as_it_is() {
        let blank = framed([7; 3], SIZE, 0..0, 0..0);
        assert_eq!(trim(blank.clone(), 10).unwrap(), (blank, None));
        let clear = Picture::rgba(SIZE, vec![0; 320]).unwrap();
        assert_eq!(trim(clear.clone(), 0).unwrap(), (clear, None));
    }

    #[test]
    fn a_picture_without_a_border_is_left_as_it_is() {
        let full = framed([0; 3], SIZE, 0..10, 0..8);
        assert_eq!(trim(full.clone(), 3).unwrap(), (full, None));
    }

    #[test]
    fn sides_are_told_by_colour_and_alpha_where_something_is_transparent() {
        let cut = |picture: &Picture| super::trim(picture, TrimBorder::Sides, 0).unwrap().map(|(_, done)| done);
        let framed = |border: [u8; 4], inside: &dyn Fn(u32) -> [u8; 4]| {
            let pixels = (0..80_u32).flat_map(|n| {
                let (x, y) = (n % 10, n / 10);
                if (2..7).contains(&x) && (1..5).contains(&y) { inside(n) } else { border }
            });
            Picture::rgba(SIZE, pixels.collect()).unwrap()
        };
        // By colour, of a border that is half transparent.
        let coloured = framed([9, 200, 30, 128], &|n| [(3 * n) as u8, 10, 20, 128]);
        assert_eq!(cut(&coloured).as_deref(), Some("trim 2,1 5x4"));
        // By alpha alone.
        let clear = framed([7, 8, 9, 0], &|_| [7, 8, 9, 255]);
        assert_eq!(cut(&clear).as_deref(), Some("trim 2,1 5x4"));
    }

    #[test]
    fn each_kind_of_border_is_cut_away_by_its_own_rule() {
        let cut = |picture: &Picture, border| super::trim(picture, border, 0).unwrap().map(|(_, done)| done);
        // Bars of two colours: the corner is only of the upper one's.
        let mut bars = framed([0; 3], SIZE, 0..10, 2..6);
        bars.pixels_mut()[6 * 30..].fill(255);
        assert_eq!(cut(&bars, TrimBorder::Sides).as_deref(), Some("trim 0,2 10x4"));
        assert_eq!(cut(&bars, TrimBorder::Corner).as_deref(), Some("trim 0,2 10x6"));
        assert_eq!(cut(&bars, TrimBorder::Alpha), None);
        // A speck in a border stops `sides`; `corner` leaves it aside.
        let mut speck = framed([255; 3], SIZE, 3..8, 2..6);
        speck.pixels_mut()[31] = 0;
        assert_eq!(cut(&speck, TrimBorder::Sides).as_deref(), Some("trim 0,1 8x5"));
        assert_eq!(cut(&speck, TrimBorder::Corner).as_deref(), Some("trim 3,2 5x4"));
    }
}
