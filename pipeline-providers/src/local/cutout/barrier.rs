//! The minimum barrier distance: how much a colour must change on the best way to the background.
//!
//! Strand et al., "The minimum barrier distance", CVIU 117 (2013); approximated by raster scans as in Zhang et al.,
//! "Minimum Barrier Salient Object Detection at 80 FPS", ICCV 2015.

use super::plane::Plane;

/// Scans, alternately from the top left and from the bottom right.
const SCANS: usize = 4;

/// Returns for each pixel the least difference between the highest and the lowest value on a way to a seed.
pub(super) fn barrier(plane: &Plane, seeds: &[bool]) -> Plane {
    let (width, height, values) = (plane.width(), plane.height(), plane.values());
    let mut distance: Vec<f32> = seeds.iter().map(|seed| if *seed { 0.0 } else { f32::INFINITY }).collect();
    let mut high = values.to_vec();
    let mut low = values.to_vec();
    let mut take = |place: usize, from: usize| {
        let (top, bottom) = (high[from].max(values[place]), low[from].min(values[place]));
        if distance[from].is_finite() && top - bottom < distance[place] {
            distance[place] = top - bottom;
            high[place] = top;
            low[place] = bottom;
        }
    };
    for scan in 0..SCANS {
        for y in 0..height {
            for x in 0..width {
                if scan % 2 == 0 {
                    let place = y * width + x;
                    if x > 0 {
                        take(place, place - 1);
                    }
                    if y > 0 {
                        take(place, place - width);
                    }
                } else {
                    let (x, y) = (width - 1 - x, height - 1 - y);
                    let place = y * width + x;
                    if x + 1 < width {
                        take(place, place + 1);
                    }
                    if y + 1 < height {
                        take(place, place + width);
                    }
                }
            }
        }
    }
    Plane::of(width, height, |place| if distance[place].is_finite() { distance[place] } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_no_barrier_to_what_lies_on_it_and_an_island_is() {
        // A ground that rises from 0 to 30, with an island of 100 in it.
        let plane = Plane::of(30, 20, |place| {
            let (x, y) = (place % 30, place / 30);
            if (10..15).contains(&x) && (8..12).contains(&y) { 100.0 } else { x as f32 }
        });
        let seeds: Vec<bool> =
            (0..600).map(|place| place % 30 == 0 || place % 30 == 29 || !(30..570).contains(&place)).collect();
        let found = barrier(&plane, &seeds);
        assert!(found.row(10)[12] > 80.0, "{}", found.row(10)[12]);
        assert!(found.row(10)[20] < 12.0, "{}", found.row(10)[20]);
        assert!(found.row(0).iter().all(|distance| *distance == 0.0));
    }
}
