//! Letterboxing: bars along the edges that are no part of the scene.
//!
//! Lines of one brightness at an edge are a bar only when the scene begins all along it: just inside, at least half of
//! the pixels differ clearly. An object on an even background, or a clear sky, so has no bars.

use super::plane::Plane;

/// How far from the mean of the outermost line a pixel of a bar may be.
const EVEN: u8 = 8;
/// How far from it a pixel of the scene is.
const CLEAR: u8 = 16;

/// Returns the larger of the shares of the height and of the width that bars take, 0 to 1.
pub(super) fn letterbox(plane: &Plane) -> f64 {
    let (width, height) = (plane.width, plane.height);
    let row = |y: usize| plane.values.iter().skip(y * width).take(width);
    let column = |x: usize| plane.values.iter().skip(x).step_by(width);
    let share = |near: usize, far: usize, length: usize| {
        // All even: a blank picture, which has no scene for bars to surround.
        if near + far >= length { 0.0 } else { (near + far) as f64 / length as f64 }
    };
    let rows = share(bar(height, row), bar(height, |y| row(height - 1 - y)), height);
    let columns = share(bar(width, column), bar(width, |x| column(width - 1 - x)), width);
    rows.max(columns)
}

/// How many lines the bar at one edge has.
fn bar<'a, P: Iterator<Item = &'a u8>>(lines: usize, line: impl Fn(usize) -> P) -> usize {
    let (sum, count) = line(0).fold((0_u64, 0_u64), |(sum, count), value| (sum + u64::from(*value), count + 1));
    let mean = ((sum + count / 2) / count.max(1)) as u8;
    let differing = |at: usize, by: u8| line(at).filter(|value| value.abs_diff(mean) > by).count() as u64;
    // One pixel in a hundred may be off: noise, and the smear of compression.
    let even = (0..lines).take_while(|at| differing(*at, EVEN) * 100 <= count).count();
    let inside = (even..lines.min(even + 2 + lines / 100)).any(|at| differing(at, CLEAR) * 2 >= count);
    if inside { even } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(value: impl Fn(usize, usize) -> u8) -> Plane {
        let (width, height) = (120, 100);
        Plane { width, height, values: (0..width * height).map(|n| value(n % width, n / width)).collect() }
    }

    fn scene(x: usize, y: usize) -> u8 {
        60 + ((x * 7 + y * 13) % 120) as u8
    }

    #[test]
    fn bars_above_and_below_are_counted_together() {
        let found = letterbox(&plane(|x, y| if (15..90).contains(&y) { scene(x, y) } else { 0 }));
        assert_eq!(found, 0.25);
    }

    #[test]
    fn bars_at_the_sides_and_of_other_colours_count_too() {
        let found = letterbox(&plane(|x, y| if x < 24 { 255 } else { scene(x, y) }));
        assert_eq!(found, 0.2);
    }

    #[test]
    fn a_scene_to_the_edges_has_no_bars() {
        assert_eq!(letterbox(&plane(scene)), 0.0);
    }

    #[test]
    fn an_object_on_an_even_background_has_no_bars() {
        let inside = |x: usize, y: usize| x.abs_diff(60).pow(2) + y.abs_diff(50).pow(2) < 30 * 30;
        assert_eq!(letterbox(&plane(|x, y| if inside(x, y) { scene(x, y) } else { 255 })), 0.0);
    }

    #[test]
    fn a_clear_sky_is_no_bar() {
        assert_eq!(letterbox(&plane(|x, y| if y < 60 { 120 + y as u8 / 2 } else { scene(x, y) })), 0.0);
    }

    #[test]
    fn a_blank_picture_has_no_bars() {
        assert_eq!(letterbox(&plane(|_, _| 0)), 0.0);
    }
}
