//! Filtering rows: what is packed is how pixels differ from those around them (PNG third edition, section 9).

use std::ops::Range;

use super::super::super::paeth::paeth;

/// Which filters rows get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// None.
    None,
    /// For each row the one with the least sum of absolute differences, as the specification advises (section 12.7).
    Adaptive,
}

/// The rows of a picture, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    length: usize,
    /// Bytes of a pixel: how far back its left neighbour is.
    pixel: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8], length: usize, pixel: usize) -> Self {
        Self { bytes, length: length.max(1), pixel }
    }

    pub(super) fn count(&self) -> usize {
        self.bytes.len() / self.length
    }

    /// Bytes of a row with the number of its filter.
    pub(super) fn filtered_length(&self) -> usize {
        self.length + 1
    }

    fn row(&self, y: usize) -> &'a [u8] {
        self.bytes.get(y * self.length..(y + 1) * self.length).unwrap_or_default()
    }

    /// Filters these rows; each has the number of its filter before it.
    pub(super) fn filtered(&self, range: Range<usize>, filter: Filter) -> Vec<u8> {
        let mut out = Vec::with_capacity(range.len() * self.filtered_length());
        match filter {
            Filter::None => {
                for y in range {
                    out.push(0);
                    out.extend_from_slice(self.row(y));
                }
            }
            Filter::Adaptive => self.adaptive(range, &mut out),
        }
        out
    }

    fn adaptive(&self, range: Range<usize>, out: &mut Vec<u8>) {
        // Rows with a pixel of nothing at their left.
        let blank = vec![0; self.pixel + self.length];
        let (mut above, mut current) = (blank.clone(), blank);
        let fill = |row: &mut Vec<u8>, y: usize| row.splice(self.pixel.., self.row(y).iter().copied()).for_each(drop);
        if let Some(before) = range.start.checked_sub(1) {
            fill(&mut above, before);
        }
        let mut tried: [Vec<u8>; 4] = std::array::from_fn(|_| vec![0; self.length]);
        for y in range {
            fill(&mut current, y);
            let row = self.row(y);
            let up = above.get(self.pixel..).unwrap_or_default();
            let (left, corner) = (&*current, &*above);
            let [sub, from_up, average, nearest] = &mut tried;
            for ((out, value), a) in sub.iter_mut().zip(row).zip(left) {
                *out = value.wrapping_sub(*a);
            }
            for ((out, value), b) in from_up.iter_mut().zip(row).zip(up) {
                *out = value.wrapping_sub(*b);
            }
            for (((out, value), a), b) in average.iter_mut().zip(row).zip(left).zip(up) {
                // The mean without a wider number.
                *out = value.wrapping_sub((a & b) + ((a ^ b) >> 1));
            }
            for ((((out, value), a), b), c) in nearest.iter_mut().zip(row).zip(left).zip(up).zip(corner) {
                *out = value.wrapping_sub(paeth(*a, *b, *c));
            }
            let tried = tried.iter().zip(1..).map(|(bytes, number)| (cost(bytes), number, &**bytes));
            let (_, number, bytes) =
                tried.fold((cost(row), 0, row), |best, other| if other.0 < best.0 { other } else { best });
            out.push(number);
            out.extend_from_slice(bytes);
            std::mem::swap(&mut above, &mut current);
        }
    }
}

/// The sum of the bytes as numbers with a sign, without it.
fn cost(bytes: &[u8]) -> u64 {
    // In parts whose sum fits into four bytes, which are added several at once.
    let sum = |part: &[u8]| part.iter().map(|byte| u32::from(byte.cast_signed().unsigned_abs())).sum::<u32>();
    bytes.chunks(1 << 13).map(|part| u64::from(sum(part))).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes the filters off again, word by word as the specification says it.
    fn plain(filtered: &[u8], length: usize, pixel: usize) -> Vec<u8> {
        let mut rows: Vec<Vec<u8>> = Vec::new();
        for line in filtered.chunks(length + 1) {
            let mut row: Vec<u8> = Vec::new();
            for (x, value) in line[1..].iter().enumerate() {
                let above = |x: usize| rows.last().map_or(0, |row| i32::from(row[x]));
                let a = x.checked_sub(pixel).map_or(0, |x| i32::from(row[x]));
                let (b, c) = (above(x), x.checked_sub(pixel).map_or(0, above));
                let expected = match line[0] {
                    0 => 0,
                    1 => a,
                    2 => b,
                    3 => i32::midpoint(a, b),
                    _ => {
                        let p = a + b - c;
                        *[a, b, c].iter().min_by_key(|near| (p - **near).abs()).unwrap()
                    }
                };
                row.push(value.wrapping_add(expected as u8));
            }
            rows.push(row);
        }
        rows.concat()
    }

    proptest! {
        #[test]
        fn what_is_filtered_can_be_read_again(
            pixel in 1_usize..=4, width in 1_usize..20, bytes in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let length = width * pixel;
            let bytes = &bytes[..bytes.len() / length * length];
            let rows = Rows::new(bytes, length, pixel);
            let all = 0..rows.count();
            for filter in [Filter::None, Filter::Adaptive] {
                let filtered = rows.filtered(all.clone(), filter);
                prop_assert_eq!(plain(&filtered, length, pixel), bytes);
                // A part of the rows is the part of the whole.
                let half = rows.count() / 2;
                let parts = [rows.filtered(0..half, filter), rows.filtered(half..rows.count(), filter)].concat();
                prop_assert_eq!(parts, filtered);
            }
        }
    }

    #[test]
    fn each_row_gets_the_filter_that_leaves_least() {
        let even = [[50; 40], [90; 40]].concat();
        let ramp: Vec<u8> = (0..40).map(|x| x * 3).collect();
        let number = |bytes: &[u8], y: usize| Rows::new(bytes, 40, 1).filtered(y..y + 1, Filter::Adaptive)[0];
        assert_eq!(number(&even, 0), 1); // from the left
        assert_eq!(number(&[ramp.clone(), ramp].concat(), 1), 2); // from above
        assert_eq!(number(&[0; 40], 0), 0); // nothing to gain
    }

    #[test]
    fn costs_are_absolute_and_do_not_overflow() {
        assert_eq!(cost(&[1, 255, 128, 0]), 1 + 1 + 128);
        assert_eq!(cost(&vec![128; 100_000]), 12_800_000);
    }
}
