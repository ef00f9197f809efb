//! Sharpness and noise: how much the brightness bends from pixel to pixel.

use super::plane::Plane;

/// Side of the blocks in which noise is estimated, pixels.
const BLOCK: usize = 32;
/// Blocks whose mean brightness lies outside are not looked at for noise: clipping has cut it off there.
const UNCLIPPED: std::ops::RangeInclusive<u32> = 8..=247;

/// The variance of the 4-neighbour Laplacian. `None` when no pixel can be seen with all around it.
pub(super) fn laplacian(plane: &Plane, visible: Option<&[bool]>) -> Option<f64> {
    let (mut sum, mut squares, mut count) = (0_i64, 0_i64, 0_u64);
    for (y, [above, middle, below]) in plane.triples() {
        let seen = Seen::at(plane, visible, y);
        let lines = above.iter().skip(1).zip(middle.array_windows::<3>()).zip(below.iter().skip(1));
        for (x, ((above, [left, here, right]), below)) in lines.enumerate() {
            if seen.whole(x) {
                let sides = i32::from(*above) + i32::from(*left) + i32::from(*right) + i32::from(*below);
                let value = i64::from(sides - 4 * i32::from(*here));
                sum += value;
                squares += value * value;
                count += 1;
            }
        }
    }
    (count > 0).then(|| {
        let count = count as f64;
        let mean = sum as f64 / count;
        squares as f64 / count - mean * mean
    })
}

/// The standard deviation of the noise, brightness levels: Immerkær's estimate in each block of 32 by 32 pixels, and of
/// these the one that a quarter of the blocks stay below.
///
/// Texture answers as noise does, so a busy picture would look noisy as a whole; noise is what is also there where the
/// picture is quiet. Blocks that are nearly black or white, or mostly out of sight, do not count unless all are so.
/// `None` when no pixel can be seen with all around it.
pub(super) fn noise(plane: &Plane, visible: Option<&[bool]>) -> Option<f64> {
    let across = plane.width.saturating_sub(2).div_ceil(BLOCK);
    let down = plane.height.saturating_sub(2).div_ceil(BLOCK);
    let mut blocks = vec![Block::default(); across * down];
    let mut bends = vec![0_i16; plane.width];
    for (y, [above, middle, below]) in plane.triples() {
        let seen = Seen::at(plane, visible, y);
        for (bend, ((above, middle), below)) in bends.iter_mut().zip(above.iter().zip(middle).zip(below)) {
            *bend = i16::from(*above) - 2 * i16::from(*middle) + i16::from(*below);
        }
        let row = blocks.chunks_exact_mut(across.max(1)).nth(y / BLOCK).unwrap_or_default();
        for (index, block) in row.iter_mut().enumerate() {
            let from = index * BLOCK;
            let to = (from + BLOCK + 2).min(plane.width);
            let (bends, middle) = (bends.get(from..to).unwrap_or_default(), middle.get(from..to).unwrap_or_default());
            block.add(bends, middle, |x| seen.whole(from + x), visible.is_none());
        }
    }
    let full = (BLOCK * BLOCK / 2) as u32;
    let good = |block: &&Block| block.count >= full && UNCLIPPED.contains(&(block.brightness / block.count.max(1)));
    let mut estimates: Vec<f64> = blocks.iter().filter(good).map(Block::estimate).collect();
    if estimates.is_empty() {
        let all = blocks.iter().fold(Block::default(), Block::with);
        return (all.count > 0).then(|| all.estimate());
    }
    estimates.sort_by(f64::total_cmp);
    estimates.get(estimates.len() / 4).copied()
}

/// What was added up in one block.
#[derive(Clone, Copy, Default)]
struct Block {
    bends: u64,
    brightness: u32,
    count: u32,
}

impl Block {
    /// Adds the places of one line, `bends` being its vertical second differences.
    fn add(&mut self, bends: &[i16], middle: &[u8], seen: impl Fn(usize) -> bool, all: bool) {
        let bend = |[left, here, right]: &[i16; 3]| u32::from((left - 2 * here + right).unsigned_abs());
        let places = bends.array_windows::<3>().zip(middle.iter().skip(1));
        if all {
            let (mut sum, mut light) = (0_u32, 0_u32);
            self.count += places.len() as u32;
            for (bends, value) in places {
                sum += bend(bends);
                light += u32::from(*value);
            }
            self.bends += u64::from(sum);
            self.brightness += light;
            return;
        }
        for (_, (bends, value)) in places.enumerate().filter(|(x, _)| seen(*x)) {
            self.bends += u64::from(bend(bends));
            self.brightness += u32::from(*value);
            self.count += 1;
        }
    }

    fn with(self, other: &Self) -> Self {
        Self { bends: self.bends + other.bends, brightness: 0, count: self.count + other.count }
    }

    /// Immerkær, "Fast noise variance estimation", 1996: the difference of two Laplacians answers to noise and hardly to
    /// edges.
    fn estimate(&self) -> f64 {
        let mean = self.bends as f64 / f64::from(self.count.max(1));
        (std::f64::consts::PI / 2.0).sqrt() * mean / 6.0
    }
}

/// What can be seen of the three lines around a place.
struct Seen<'a>(Option<[&'a [bool]; 3]>);

impl<'a> Seen<'a> {
    fn at(plane: &Plane, visible: Option<&'a [bool]>, y: usize) -> Self {
        let line =
            |visible: &'a [bool], y: usize| visible.get(y * plane.width..(y + 1) * plane.width).unwrap_or_default();
        Self(visible.map(|visible| [0, 1, 2].map(|down| line(visible, y + down))))
    }

    /// Whether all nine pixels can be seen of the window that begins at `x`.
    fn whole(&self, x: usize) -> bool {
        self.0.is_none_or(|lines| {
            lines.iter().all(|line| line.get(x..x + 3).is_some_and(|line| line.iter().all(|seen| *seen)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(value: impl Fn(usize, usize) -> u8) -> Plane {
        let (width, height) = (256, 256);
        Plane { width, height, values: (0..width * height).map(|n| value(n % width, n / width)).collect() }
    }

    /// A number that looks drawn, from -12 to 12.
    fn drawn(x: usize, y: usize) -> i32 {
        let mixed = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x2c1b_3c6d);
        ((mixed ^ mixed >> 13) % 25) as i32 - 12
    }

    #[test]
    fn texture_in_half_of_the_picture_is_no_noise_and_noise_in_all_of_it_is() {
        let half = plane(|x, y| (128 + if x < 128 { drawn(x, y) } else { 0 }) as u8);
        let whole = plane(|x, y| (128 + drawn(x, y)) as u8);
        assert_eq!(noise(&half, None), Some(0.0));
        // The standard deviation of 25 equally frequent levels is the root of (25² - 1) / 12.
        let found = noise(&whole, None).unwrap();
        assert!((found / 7.21 - 1.0).abs() < 0.1, "{found}");
    }

    #[test]
    fn noise_is_not_looked_for_where_clipping_has_cut_it_off() {
        let found = noise(&plane(|x, y| if x < 160 { 255 } else { (128 + drawn(x, y)) as u8 }), None).unwrap();
        assert!((found / 7.21 - 1.0).abs() < 0.15, "{found}");
        assert_eq!(noise(&plane(|_, _| 255), None), Some(0.0));
    }

    #[test]
    fn a_ramp_bends_nowhere() {
        let ramp = plane(|x, _| x as u8);
        assert_eq!((laplacian(&ramp, None), noise(&ramp, None)), (Some(0.0), Some(0.0)));
    }
}
