//! Taking the filters off rows (PNG third edition, section 9) of three or four bytes a pixel.
//!
//! Each pixel needs the one left of it, so a row alone keeps the processor waiting. Two rows that follow each other both
//! with Paeth's filter, as most rows of photographs do, are worked on at once: the lower one a pixel behind.

use wide::{i16x8, u8x16};

use super::super::super::paeth::paeth;

/// The rows of a picture, from the top.
#[derive(Debug)]
pub(super) struct Unfilter {
    pixels: Vec<u8>,
    /// Bytes of a row.
    length: usize,
    /// Bytes of a pixel: 3 or 4.
    pixel: usize,
    /// Bytes that are done.
    done: usize,
    /// What stands above the first row.
    nothing: Vec<u8>,
}

impl Unfilter {
    pub(super) fn new(width: usize, height: usize, pixel: usize) -> Self {
        let length = width * pixel;
        Self { pixels: vec![0; length * height], length, pixel, done: 0, nothing: vec![0; length] }
    }

    /// Bytes of a row with the number of its filter.
    pub(super) fn filtered_length(&self) -> usize {
        self.length + 1
    }

    pub(super) fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Takes the next rows, each with the number of its filter before it; `None` when one has no such filter.
    pub(super) fn take(&mut self, filtered: &[u8]) -> Option<()> {
        let mut lines = filtered.chunks_exact(self.length + 1).map(<[u8]>::split_first).peekable();
        while let Some(Some((filter, row))) = lines.next() {
            let (before, rest) = self.pixels.split_at_mut_checked(self.done)?;
            let above = before.rchunks_exact(self.length).next().unwrap_or(&self.nothing);
            let second = lines.next_if(|next| matches!((filter, next), (4, Some((4, _)))));
            if let Some(Some((_, second))) = second {
                let (upper, lower) = rest.get_mut(..2 * self.length)?.split_at_mut(self.length);
                match self.pixel {
                    3 => paeth_twice::<3>(above, [row, second], [upper, lower]),
                    _ => paeth_twice::<4>(above, [row, second], [upper, lower]),
                }
                self.done += 2 * self.length;
                continue;
            }
            let out = rest.get_mut(..self.length)?;
            match self.pixel {
                3 => single::<3>(*filter, above, row, out)?,
                _ => single::<4>(*filter, above, row, out)?,
            }
            self.done += self.length;
        }
        Some(())
    }
}

/// Takes the filter off one row.
fn single<const N: usize>(filter: u8, above: &[u8], row: &[u8], out: &mut [u8]) -> Option<()> {
    match filter {
        0 => out.copy_from_slice(row),
        1 => each::<N>(above, row, out, |left, _, _| left),
        2 => out.iter_mut().zip(row).zip(above).for_each(|((out, value), above)| *out = value.wrapping_add(*above)),
        3 => each::<N>(above, row, out, |left, above, _| (left & above) + ((left ^ above) >> 1)),
        4 => each::<N>(above, row, out, paeth),
        _ => return None,
    }
    Some(())
}

/// Adds to each byte what is expected from those left, above, and left above of it.
fn each<const N: usize>(above: &[u8], row: &[u8], out: &mut [u8], expected: impl Fn(u8, u8, u8) -> u8) {
    let (mut left, mut corner) = ([0; N], [0; N]);
    let pixels = out.as_chunks_mut::<N>().0.iter_mut().zip(row.as_chunks::<N>().0).zip(above.as_chunks::<N>().0);
    for ((out, value), above) in pixels {
        *out = std::array::from_fn(|n| value[n].wrapping_add(expected(left[n], above[n], corner[n])));
        (left, corner) = (*out, *above);
    }
}

/// Takes Paeth's filter off two rows.
fn paeth_twice<const N: usize>(above: &[u8], rows: [&[u8]; 2], [upper, lower]: [&mut [u8]; 2]) {
    let [first, second] = rows;
    let count = upper.len() / N;
    if count < 3 {
        each::<N>(above, first, upper, paeth);
        each::<N>(upper, second, lower, paeth);
        return;
    }
    each::<N>(&above[..N], &first[..N], &mut upper[..N], paeth);
    // In the lower half the upper row at `x`, in the upper half the lower row at `x - 1`.
    let mut left = widened(four(upper, 0), 0);
    let mut corner = widened(four(above, 0), 0);
    if N == 3 {
        let whole = i16x8::new([-1, -1, -1, 0, 0, 0, 0, 0]);
        (left, corner) = (left & whole, corner & whole);
    }
    // Four bytes at once; those beyond a pixel of three belong to the next one, which is written after it.
    for x in 1..count - 1 {
        let (at, behind) = (x * N, (x - 1) * N);
        let made = left.to_array();
        let from_above = i16x8::new([0, 0, 0, 0, made[0], made[1], made[2], made[3]]);
        let b = widened(four(above, at), 0) | from_above;
        let value = widened(four(first, at), four(second, behind));
        let threshold = corner + corner + corner - (left + b);
        let (low, high) = (left.min(b), left.max(b));
        let nearer = high.simd_gt(threshold).bitselect(corner, low);
        let expected = threshold.simd_gt(low).bitselect(nearer, high);
        let found = (expected + value) & i16x8::splat(255);
        let [a0, a1, a2, a3, b0, b1, b2, b3, ..] = u8x16::narrow_i16x8(found, found).to_array();
        put(upper, at, [a0, a1, a2, a3]);
        put(lower, behind, [b0, b1, b2, b3]);
        (left, corner) = (found, b);
    }
    rest::<N>(above, first, upper, count - 1);
    rest::<N>(upper, second, lower, count - 2);
}

/// Goes on with a row from pixel `from`, which is not the first.
fn rest<const N: usize>(above: &[u8], row: &[u8], out: &mut [u8], from: usize) {
    for at in from * N..out.len() {
        let (Some(left), Some(b), Some(corner)) = (out.get(at - N), above.get(at), above.get(at - N)) else { return };
        let expected = paeth(*left, *b, *corner);
        if let (Some(out), Some(value)) = (out.get_mut(at), row.get(at)) {
            *out = value.wrapping_add(expected);
        }
    }
}

#[inline]
fn four(row: &[u8], at: usize) -> u32 {
    row.get(at..at + 4).and_then(|four| four.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}

#[inline]
fn put(row: &mut [u8], at: usize, bytes: [u8; 4]) {
    if let Some(four) = row.get_mut(at..at + 4).and_then(|four| four.first_chunk_mut()) {
        *four = bytes;
    }
}

#[inline]
fn widened(low: u32, high: u32) -> i16x8 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(u64::from(low) | u64::from(high) << 32).to_le_bytes());
    i16x8::from_u8x16_low(u8x16::new(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the specification says it, byte by byte.
    fn by_the_book(filtered: &[u8], length: usize, pixel: usize) -> Vec<u8> {
        let mut pixels: Vec<u8> = Vec::new();
        for (y, line) in filtered.chunks(length + 1).enumerate() {
            for (x, value) in line[1..].iter().enumerate() {
                let at = |x: Option<usize>, y: Option<usize>| -> i32 {
                    x.zip(y).map_or(0, |(x, y)| i32::from(pixels[y * length + x]))
                };
                let (here, left, up) = (Some(x), x.checked_sub(pixel), y.checked_sub(1));
                let (a, b, c) = (at(left, Some(y)), at(here, up), at(left, up));
                let p = a + b - c;
                let expected = match line[0] {
                    0 => 0,
                    1 => a,
                    2 => b,
                    3 => i32::midpoint(a, b),
                    _ if (p - a).abs() <= (p - b).abs() && (p - a).abs() <= (p - c).abs() => a,
                    _ if (p - b).abs() <= (p - c).abs() => b,
                    _ => c,
                };
                pixels.push(value.wrapping_add(expected as u8));
            }
        }
        pixels
    }

    proptest! {
        #[test]
        fn rows_are_as_by_the_book(
            pixel in 3_usize..=4,
            width in 1_usize..12,
            filters in prop::collection::vec(prop_oneof![3 => Just(4_u8), 2 => 0_u8..=4], 1..12),
            bytes in prop::collection::vec(any::<u8>(), 12 * 12 * 4),
            small: bool,
            cut in any::<prop::sample::Index>(),
        ) {
            let length = width * pixel;
            let value = |byte: &u8| if small { byte % 5 } else { *byte };
            let rows = filters.iter().zip(bytes.chunks_exact(length));
            let filtered: Vec<u8> =
                rows.flat_map(|(filter, row)| [vec![*filter], row.iter().map(value).collect()].concat()).collect();
            let mut unfilter = Unfilter::new(width, filters.len(), pixel);
            let cut = cut.index(filters.len() + 1) * (length + 1);
            prop_assert!(unfilter.take(&filtered[..cut]).is_some() && unfilter.take(&filtered[cut..]).is_some());
            prop_assert_eq!(unfilter.into_pixels(), by_the_book(&filtered, length, pixel));
        }
    }

    #[test]
    fn another_filter_and_more_rows_than_there_are_are_refused() {
        assert!(Unfilter::new(1, 1, 3).take(&[5, 1, 2, 3]).is_none());
        assert!(Unfilter::new(1, 1, 3).take(&[0, 1, 2, 3, 0, 1, 2, 3]).is_none());
        assert!(Unfilter::new(1, 1, 3).take(&[4, 1, 2, 3, 4, 1, 2, 3]).is_none());
    }
}
