//! What the pixels say without their places: light, contrast, clipping and colour.

use crate::local::image::Picture;

use super::plane::Plane;

/// Pixels are of one colour when no channel has a larger standard deviation, and alpha with as little has no shape.
const ONE: f64 = 1.0;
/// A pixel is black when no channel is brighter: lossy files keep pure black only nearly.
const BLACK: u8 = 2;
/// A pixel is white when no channel is darker.
const WHITE: u8 = 253;
/// Pixels added up in 32 bits: the largest square, 510², 16 000 times, just fits.
const RUN: usize = 16_000;

/// The statistics of the pixels that can be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// Mean brightness.
    pub(super) mean: f64,
    /// Standard deviation of the brightness.
    pub(super) deviation: f64,
    /// Share of black pixels.
    pub(super) shadows: f64,
    /// Share of white pixels.
    pub(super) highlights: f64,
    /// Shannon entropy of the brightness, bits.
    pub(super) entropy: f64,
    /// Hasler and Süsstrunk's colourfulness.
    pub(super) colorfulness: f64,
    /// Whether there is one colour.
    pub(super) one_colour: bool,
}

impl Levels {
    /// Looks at all pixels, or at those that `visible` tells. `None` when there are none.
    pub(super) fn of(picture: &Picture, plane: &Plane, visible: Option<&[bool]>) -> Option<Self> {
        let mut tally = Tally::default();
        let pixels = picture.pixels();
        match visible {
            Some(visible) => {
                let seen = pixels.as_chunks::<4>().0.iter().zip(visible).filter(|(_, seen)| **seen);
                let seen: Vec<[u8; 3]> = seen.map(|(&[red, green, blue, _], _)| [red, green, blue]).collect();
                let values = plane.values.iter().zip(visible).filter(|(_, seen)| **seen).map(|(value, _)| *value);
                tally.count(&values.collect::<Vec<u8>>());
                seen.chunks(RUN).for_each(|run| tally.add(run.iter().copied()));
            }
            None => {
                tally.count(&plane.values);
                if picture.has_alpha() {
                    let runs = pixels.as_chunks::<4>().0.chunks(RUN);
                    runs.for_each(|run| tally.add(run.iter().map(|&[red, green, blue, _]| [red, green, blue])));
                } else {
                    pixels.as_chunks::<3>().0.chunks(RUN).for_each(|run| tally.add(run.iter().copied()));
                }
            }
        }
        (tally.pixels > 0).then(|| tally.levels())
    }
}

/// Whether there is a shape in the alpha: it is not the same all over.
pub(super) fn has_shape(picture: &Picture) -> bool {
    let mut alpha = Moments::default();
    if picture.has_alpha() {
        for &[.., value] in picture.pixels().as_chunks::<4>().0 {
            alpha.add(i32::from(value), u32::from(value) * u32::from(value));
        }
    }
    alpha.variance((picture.pixels().len() / 4).max(1) as f64).sqrt() > ONE
}

/// Sums over pixels, exact.
#[derive(Default)]
struct Tally {
    brightness: Histogram,
    channels: [Moments; 3],
    /// Red less green.
    red_green: Moments,
    /// Twice "yellow less blue", which is the mean of red and green, less blue.
    yellow_blue: Moments,
    black: u64,
    white: u64,
    pixels: u64,
}

/// How often each brightness occurs.
struct Histogram([u64; 256]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 256])
    }
}

/// The sum of values and of their squares.
#[derive(Clone, Copy, Default)]
struct Moments {
    sum: i64,
    squares: u64,
}

impl Moments {
    fn add(&mut self, sum: i32, squares: u32) {
        self.sum += i64::from(sum);
        self.squares += u64::from(squares);
    }

    fn mean(self, count: f64) -> f64 {
        self.sum as f64 / count
    }

    fn variance(self, count: f64) -> f64 {
        let mean = self.mean(count);
        (self.squares as f64 / count - mean * mean).max(0.0)
    }
}

impl Tally {
    /// Counts brightness in four tables in turn: equal neighbours would else wait for each other.
    fn count(&mut self, values: &[u8]) {
        let mut tables = [[0_u64; 256]; 4];
        let (fours, rest) = values.as_chunks::<4>();
        for four in fours {
            for (table, value) in tables.iter_mut().zip(four) {
                table[usize::from(*value)] += 1;
            }
        }
        for (table, value) in tables.iter_mut().zip(rest) {
            table[usize::from(*value)] += 1;
        }
        for table in tables {
            self.brightness.0.iter_mut().zip(table).for_each(|(all, some)| *all += some);
        }
    }

    /// Adds at most [`RUN`] pixels.
    fn add(&mut self, pixels: impl ExactSizeIterator<Item = [u8; 3]>) {
        self.pixels += pixels.len() as u64;
        let (mut sums, mut squares) = ([0_i32; 5], [0_u32; 5]);
        let (mut black, mut white) = (0_u32, 0_u32);
        for [red, green, blue] in pixels {
            let [r, g, b] = [red, green, blue].map(i32::from);
            for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip([r, g, b, r - g, r + g - 2 * b]) {
                *sum += value;
                *square += (value * value) as u32;
            }
            black += u32::from(red.max(green).max(blue) <= BLACK);
            white += u32::from(red.min(green).min(blue) >= WHITE);
        }
        let moments = self.channels.iter_mut().chain([&mut self.red_green, &mut self.yellow_blue]);
        moments.zip(sums.into_iter().zip(squares)).for_each(|(moments, (sum, square))| moments.add(sum, square));
        self.black += u64::from(black);
        self.white += u64::from(white);
    }

    fn levels(&self) -> Levels {
        let count = self.pixels.max(1) as f64;
        let each = || self.brightness.0.iter().enumerate().map(|(value, &times)| (value as u64, times));
        let brightness = Moments {
            sum: each().map(|(value, times)| (value * times) as i64).sum(),
            squares: each().map(|(value, times)| value * value * times).sum(),
        };
        let shares = each().map(|(_, times)| times as f64 / count).filter(|share| *share > 0.0);
        // Yellow less blue was counted twice over, its variance so four times.
        let (reds, yellows) = (self.red_green.mean(count), self.yellow_blue.mean(count) / 2.0);
        let spread = (self.red_green.variance(count) + self.yellow_blue.variance(count) / 4.0).sqrt();
        Levels {
            mean: brightness.mean(count),
            deviation: brightness.variance(count).sqrt(),
            shadows: self.black as f64 / count,
            highlights: self.white as f64 / count,
            entropy: shares.map(|share| -share * libm::log2(share)).sum::<f64>().max(0.0),
            colorfulness: spread + 0.3 * (reds * reds + yellows * yellows).sqrt(),
            one_colour: self.channels.iter().all(|channel| channel.variance(count).sqrt() <= ONE),
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    fn of(width: u32, height: u32, pixels: Vec<u8>) -> Levels {
        let picture = Picture::rgb(Dimensions { width, height }, pixels).unwrap();
        Levels::of(&picture, &Plane::of(&picture), None).unwrap()
    }

    #[test]
    fn black_and_white_pixels_are_counted_apart_and_nearly_so_ones_with_them() {
        let found =
            of(4, 2, [[0; 3], [2; 3], [3; 3], [255; 3], [253, 255, 254], [252; 3], [0, 0, 9], [255, 255, 0]].concat());
        assert_eq!((found.shadows, found.highlights), (0.25, 0.25));
    }

    #[test]
    fn two_to_the_n_equally_frequent_levels_have_n_bits_of_entropy() {
        for bits in 0..=8 {
            let pixels = (0..256_u32).flat_map(|n| [(n % (1 << bits)) as u8; 3]).collect();
            assert_eq!(of(16, 16, pixels).entropy, f64::from(bits));
        }
    }

    #[test]
    fn grey_has_no_colourfulness_and_red_beside_green_has_much() {
        assert_eq!(of(2, 1, vec![90, 90, 90, 200, 200, 200]).colorfulness, 0.0);
        // Red less green is 255 and -255, yellow less blue 127.5 in both: 255 of spread and 0.3 of 127.5.
        assert_eq!(of(2, 1, vec![255, 0, 0, 0, 255, 0]).colorfulness, 255.0 + 0.3 * 127.5);
    }

    #[test]
    fn the_sums_of_a_large_picture_do_not_overflow() {
        let found = of(4_000, 40, [255, 255, 0].repeat(160_000));
        assert!((found.colorfulness - 0.3 * 255.0).abs() < 1e-9, "{}", found.colorfulness);
        assert!((found.mean - 237.0).abs() < 1.0 && found.one_colour);
    }
}
