//! Blockiness: the grid that strong JPEG compression leaves, wherever it lies.
//!
//! A step between two neighbours stands out when it is larger than the steps on both sides of it. In a scene that happens
//! as often at every eighth place as at any other; between blocks of eight pixels that were rounded each on its own it
//! happens far more often. Only small steps count: a large one is an edge of the scene.

use super::plane::Plane;

/// Pixels across a block of JPEG.
const GRID: usize = 8;
/// The largest step that compression leaves, brightness levels; larger ones are edges.
const SMALL: u8 = 24;
/// Fewer lines or columns of blocks than this say nothing.
const BLOCKS: usize = 4;

/// Returns how much more often a step stands out at one of the eight places of a grid than at the others, 0 to 1: the
/// smaller of the two directions, since stripes of the scene lie in one. `None` for a picture of few blocks.
pub(super) fn blockiness(plane: &Plane) -> Option<f64> {
    if plane.width.min(plane.height) < BLOCKS * GRID {
        return None;
    }
    Some(excess(&across(plane)).min(excess(&down(plane))))
}

/// How often a step stood out, and how many there were, at one of the eight places.
type Phases = [(u64, u64); GRID];

/// The most frequent place against the mean of the others.
fn excess(phases: &Phases) -> f64 {
    let shares = phases.map(|(out, all)| out as f64 / all.max(1) as f64);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let others = (shares.iter().sum::<f64>() - most) / (GRID - 1) as f64;
    (most - others).max(0.0)
}

fn stands_out(before: u8, step: u8, after: u8) -> bool {
    step > before && step > after && step <= SMALL
}

/// Steps from column to column.
fn across(plane: &Plane) -> Phases {
    let mut counts = vec![0_u32; plane.width.saturating_sub(3)];
    let mut steps = vec![0_u8; plane.width - 1];
    for row in plane.rows() {
        for (step, [left, right]) in steps.iter_mut().zip(row.array_windows::<2>()) {
            *step = left.abs_diff(*right);
        }
        for (count, [before, step, after]) in counts.iter_mut().zip(steps.array_windows::<3>()) {
            *count += u32::from(stands_out(*before, *step, *after));
        }
    }
    phases(counts.iter().map(|count| u64::from(*count)), plane.height as u64)
}

/// Steps from row to row.
fn down(plane: &Plane) -> Phases {
    let steps_of = |above: &[u8], below: &[u8], steps: &mut Vec<u8>| {
        steps.clear();
        steps.extend(above.iter().zip(below).map(|(above, below)| above.abs_diff(*below)));
    };
    let rows: Vec<&[u8]> = plane.rows().collect();
    let mut lines = rows.array_windows::<2>();
    let (mut before, mut step, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for steps in [&mut before, &mut step] {
        if let Some([above, below]) = lines.next() {
            steps_of(above, below, steps);
        }
    }
    let mut counts = Vec::with_capacity(plane.height);
    for [above, below] in lines {
        steps_of(above, below, &mut after);
        let places = before.iter().zip(&step).zip(&after);
        counts.push(places.map(|((before, step), after)| u32::from(stands_out(*before, *step, *after))).sum::<u32>());
        (before, step, after) = (step, after, before);
    }
    phases(counts.iter().map(|count| u64::from(*count)), plane.width as u64)
}

/// Adds up lines that lie at the same place of a grid.
fn phases(counts: impl Iterator<Item = u64>, each: u64) -> Phases {
    let mut phases = [(0, 0); GRID];
    for (index, count) in counts.enumerate() {
        if let Some((out, all)) = phases.get_mut(index % GRID) {
            *out += count;
            *all += each;
        }
    }
    phases
}

#[cfg(test)]
mod tests {
    use pipeline_core::model::MediaType;

    use super::*;
    use crate::local::image::{Limits, Picture, decode, encode};
    use crate::local::measures::measure::tests::{noisy, photo};

    fn of(picture: &Picture) -> f64 {
        blockiness(&Plane::of(picture)).unwrap()
    }

    fn compressed(picture: &Picture, quality: u8) -> Picture {
        decode(&encode(picture, MediaType::Jpeg, quality).unwrap().bytes, Limits::DEFAULT).unwrap().picture
    }

    #[test]
    fn strong_compression_raises_it_also_when_the_grid_was_shifted_by_a_crop() {
        let clean = noisy(&photo(1), 3.0);
        let blocky = compressed(&clean, 5);
        let shifted = blocky.crop(3, 5, pipeline_core::provider::Dimensions { width: 560, height: 380 }).unwrap();
        let (clean, blocky, shifted) = (of(&clean), of(&blocky), of(&shifted));
        assert!(clean < 0.02, "{clean}");
        assert!(blocky > 0.1 && (shifted / blocky - 1.0).abs() < 0.1, "{blocky} {shifted}");
    }

    fn plane(value: impl Fn(usize, usize) -> u8) -> Plane {
        let (width, height) = (160, 160);
        Plane { width, height, values: (0..width * height).map(|n| value(n % width, n / width)).collect() }
    }

    #[test]
    fn steps_at_every_eighth_place_in_both_directions_are_counted_whole() {
        assert_eq!(blockiness(&plane(|x, y| (100 + 10 * ((x / 8 + y / 8) % 2)) as u8)), Some(1.0));
    }

    #[test]
    fn stripes_in_one_direction_and_a_board_of_strong_contrast_are_no_blocks() {
        assert_eq!(blockiness(&plane(|x, _| (100 + 10 * (x / 8 % 2)) as u8)), Some(0.0));
        assert_eq!(blockiness(&plane(|x, y| (60 + 100 * ((x / 8 + y / 8) % 2)) as u8)), Some(0.0));
    }

    #[test]
    fn a_picture_of_few_blocks_has_no_blockiness() {
        let small = Plane { width: 31, height: 160, values: (0..31 * 160).map(|n| (n % 31 / 8 * 9) as u8).collect() };
        assert_eq!(blockiness(&small), None);
    }
}
