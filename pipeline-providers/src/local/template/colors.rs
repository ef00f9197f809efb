//! The colours a picture is made of.

use crate::local::procedural::oklab::Lab;

/// How many pixels are looked at, spread evenly.
const SAMPLE: usize = 16_384;

/// How far two colours lie apart before a person calls them two; squared.
const APART: f32 = 0.09 * 0.09;

/// Returns up to `max` colours a picture is made of, the most telling first: they cover the most, and colourful ones
/// count for more than greys.
///
/// `rgb_pixels` holds red, green, blue of one pixel after another; a last incomplete pixel is not looked at. The same
/// pixels always give the same colours.
pub fn dominant_colors(rgb_pixels: &[u8], max: usize) -> Vec<[u8; 3]> {
    let count = rgb_pixels.len() / 3;
    let step = count.div_ceil(SAMPLE).max(1);
    let sample: Vec<Lab> = rgb_pixels
        .chunks_exact(3)
        .step_by(step)
        .filter_map(|pixel| <[u8; 3]>::try_from(pixel).ok())
        .map(Lab::srgb)
        .collect();
    let mut centres = coarse(&sample, max.saturating_mul(2).clamp(1, 32));
    for _ in 0..6 {
        centres = settle(&sample, &centres);
    }
    let mut shares = count_each(&sample, &centres);
    let weight = |(color, share): &(Lab, usize)| *share as f32 * (0.35 + 4.0 * color.chroma());
    shares.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let mut chosen: Vec<Lab> = Vec::new();
    for (color, share) in shares {
        let enough = share * 100 >= sample.len();
        if chosen.len() < max && enough && chosen.iter().all(|other| other.distance(color) > APART) {
            chosen.push(color);
        }
    }
    chosen.into_iter().map(Lab::to_srgb).collect()
}

/// Starts with colours that lie far from each other: each is the one farthest from all before it.
fn coarse(sample: &[Lab], count: usize) -> Vec<Lab> {
    let Some(first) = sample.first().copied() else { return Vec::new() };
    let mut centres = vec![first];
    let mut away: Vec<f32> = sample.iter().map(|color| color.distance(first)).collect();
    while centres.len() < count {
        let farthest = away.iter().zip(sample).max_by(|a, b| a.0.total_cmp(b.0));
        let Some((distance, color)) = farthest.map(|(distance, color)| (*distance, *color)) else { break };
        if distance < APART * 0.25 {
            break;
        }
        centres.push(color);
        for (least, other) in away.iter_mut().zip(sample) {
            *least = least.min(other.distance(color));
        }
    }
    centres
}

/// Moves every centre to the middle of the colours nearest to it (k-means, Lloyd 1957).
fn settle(sample: &[Lab], centres: &[Lab]) -> Vec<Lab> {
    let mut sums = vec![(Lab::default(), 0_usize); centres.len()];
    for color in sample {
        if let Some((sum, count)) = sums.get_mut(nearest(*color, centres)) {
            *sum = Lab { l: sum.l + color.l, a: sum.a + color.a, b: sum.b + color.b };
            *count += 1;
        }
    }
    sums.into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(sum, count)| {
            let n = count as f32;
            Lab { l: sum.l / n, a: sum.a / n, b: sum.b / n }
        })
        .collect()
}

fn count_each(sample: &[Lab], centres: &[Lab]) -> Vec<(Lab, usize)> {
    let mut shares: Vec<_> = centres.iter().map(|color| (*color, 0)).collect();
    for color in sample {
        if let Some((_, count)) = shares.get_mut(nearest(*color, centres)) {
            *count += 1;
        }
    }
    shares
}

fn nearest(color: Lab, centres: &[Lab]) -> usize {
    let distances = centres.iter().map(|centre| centre.distance(color)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::super::color_name;
    use super::*;

    #[test]
    fn the_colours_that_cover_the_most_are_found() {
        let mut pixels = [0_u8, 128, 128].repeat(600);
        pixels.extend([204, 85, 0].repeat(300));
        pixels.extend([20, 32, 77].repeat(200));
        let names: Vec<_> = dominant_colors(&pixels, 3).into_iter().map(color_name).collect();
        assert_eq!(names.len(), 3);
        for name in ["teal", "burnt orange", "navy"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(dominant_colors(&pixels, 3), dominant_colors(&pixels, 3));
    }

    #[test]
    fn no_pixels_or_no_places_give_no_colours() {
        assert!(dominant_colors(&[], 5).is_empty());
        assert!(dominant_colors(&[1, 2], 5).is_empty());
        assert!(dominant_colors(&[1, 2, 3], 0).is_empty());
    }

    #[test]
    fn one_colour_is_named_once() {
        assert_eq!(dominant_colors(&[10, 200, 30].repeat(50), 5).len(), 1);
    }
}
