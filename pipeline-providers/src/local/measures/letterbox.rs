//! Letterboxing: bars along the edges that are no part of the scene.
//!
//! Lines of one brightness at an edge are a bar only when the scene begins all along it (just inside, at least half of the
//! pixels differ clearly) and reaches both ends of it. What has an even background all around it is an object, however straight
//! its edges, so a print on white has no bars; only nearly black ones are bars on all four sides, those of a film in a frame
//! of another shape. A bright strip along the top or the bottom alone is taken for a sky, or the ground.

use super::plane::Plane;

/// How far from the mean of the outermost line a pixel of a bar may be.
const EVEN: u8 = 8;
/// How far from it a pixel of the scene is.
const CLEAR: u8 = 16;
/// The brightest mean of a bar that is nearly black: the black of video is 16.
const DARK: u8 = 24;
/// The scene reaches an end of a bar when so large a part of the lines differs there, as one in so many.
const REACHES: usize = 10;
/// An end of a bar is one in so many of its pixels.
const END: usize = 50;

/// Returns the larger of the shares of the height and of the width that bars take, 0 to 1.
pub(super) fn letterbox(plane: &Plane) -> f64 {
    let rows = Bars::of(Lines { plane, columns: false });
    let columns = Bars::of(Lines { plane, columns: true });
    let framed = [&rows.near, &rows.far, &columns.near, &columns.far].iter().all(|bar| bar.edge && bar.mean <= DARK);
    let rows = if framed || rows.reached() && !rows.is_bright_strip() { rows.share() } else { 0.0 };
    let columns = if framed || columns.reached() { columns.share() } else { 0.0 };
    rows.max(columns)
}

/// A picture as rows from the top, or as columns from the left.
#[derive(Clone, Copy)]
struct Lines<'a> {
    plane: &'a Plane,
    columns: bool,
}

impl<'a> Lines<'a> {
    fn count(self) -> usize {
        if self.columns { self.plane.width } else { self.plane.height }
    }

    fn length(self) -> usize {
        if self.columns { self.plane.height } else { self.plane.width }
    }

    /// The pixels of one line.
    fn line(self, at: usize) -> impl Iterator<Item = &'a u8> {
        let (from, step) = if self.columns { (at, self.plane.width) } else { (at * self.plane.width, 1) };
        self.plane.values.iter().skip(from).step_by(step).take(self.length())
    }

    fn differing(self, at: usize, mean: u8, by: u8) -> usize {
        self.line(at).filter(|value| value.abs_diff(mean) > by).count()
    }

    /// Whether all pixels are of this brightness. One in a hundred may be off: noise, and the smear of compression.
    fn is_even(self, at: usize, mean: u8) -> bool {
        self.differing(at, mean, EVEN) * 100 <= self.length()
    }
}

/// What one edge has.
struct Bar {
    /// The mean brightness of the outermost line.
    mean: u8,
    /// Whether the outermost line is even.
    edge: bool,
    /// How many lines the bar has; none when the scene does not begin all along it.
    lines: usize,
}

impl Bar {
    /// Looks from the outermost of all lines inwards.
    fn of(lines: Lines<'_>, from_the_end: bool) -> Self {
        let count = lines.count();
        let place = |at: usize| if from_the_end { count - 1 - at } else { at };
        let sum: u64 = lines.line(place(0)).map(|value| u64::from(*value)).sum();
        let length = lines.length() as u64;
        let mean = ((sum + length / 2) / length.max(1)) as u8;
        let even = (0..count).take_while(|at| lines.is_even(place(*at), mean)).count();
        let mut inside = even..count.min(even + 2 + count / 100);
        let begins = inside.any(|at| lines.differing(place(at), mean, CLEAR) * 2 >= lines.length());
        Self { mean, edge: even > 0, lines: if begins { even } else { 0 } }
    }
}

/// The bars at two opposite edges.
struct Bars<'a> {
    lines: Lines<'a>,
    near: Bar,
    far: Bar,
}

impl<'a> Bars<'a> {
    fn of(lines: Lines<'a>) -> Self {
        Self { lines, near: Bar::of(lines, false), far: Bar::of(lines, true) }
    }

    /// The share of the lines that bars take.
    fn share(&self) -> f64 {
        let (bars, all) = (self.near.lines + self.far.lines, self.lines.count());
        // All even: a blank picture, which has no scene for bars to surround.
        if bars >= all { 0.0 } else { bars as f64 / all as f64 }
    }

    /// Whether the scene between the bars reaches both ends of them.
    fn reached(&self) -> bool {
        let scene = self.near.lines..self.lines.count().saturating_sub(self.far.lines);
        let ends = (self.lines.length() / END).max(1);
        let reaches = |mean: u8, first: bool| {
            let from = if first { 0 } else { self.lines.length() - ends };
            let differs =
                |at: &usize| self.lines.line(*at).skip(from).take(ends).any(|value| value.abs_diff(mean) > CLEAR);
            scene.clone().filter(differs).count() * REACHES >= scene.len()
        };
        let bars = [&self.near, &self.far].into_iter().filter(|bar| bar.lines > 0);
        bars.flat_map(|bar| [(bar.mean, true), (bar.mean, false)]).all(|(mean, first)| reaches(mean, first))
    }

    /// Whether there is a bar at one edge alone, brighter than nearly black, and nothing of the kind at the other edge.
    fn is_bright_strip(&self) -> bool {
        let alone = |bar: &Bar, last: usize, other: &Bar| {
            bar.lines > 0 && other.lines == 0 && bar.mean > DARK && !self.lines.is_even(last, bar.mean)
        };
        let last = self.lines.count().saturating_sub(1);
        alone(&self.near, last, &self.far) || alone(&self.far, 0, &self.near)
    }
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

    /// A rectangle that takes these parts of the picture, on an even ground.
    fn rectangle(ground: u8, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> f64 {
        letterbox(&plane(|x, y| if columns.contains(&x) && rows.contains(&y) { scene(x, y) } else { ground }))
    }

    #[test]
    fn a_rectangular_object_on_an_even_background_has_no_bars() {
        for ground in [255, 240, 128, 40] {
            assert_eq!(rectangle(ground, 24..96, 10..90), 0.0, "upright, {ground}");
            assert_eq!(rectangle(ground, 15..105, 25..75), 0.0, "lying, {ground}");
            assert_eq!(rectangle(ground, 4..116, 3..97), 0.0, "large, {ground}");
            assert_eq!(rectangle(ground, 30..120, 20..100), 0.0, "cut off at a corner, {ground}");
        }
    }

    #[test]
    fn a_triangle_on_an_even_background_has_no_bar_below_its_base() {
        let inside = |x: usize, y: usize| (15..85).contains(&y) && 2 * x.abs_diff(60) < 20 + y;
        assert_eq!(letterbox(&plane(|x, y| if inside(x, y) { scene(x, y) } else { 255 })), 0.0);
    }

    #[test]
    fn nearly_black_bars_on_all_four_sides_are_bars() {
        for black in [0, 16] {
            assert_eq!(rectangle(black, 18..102, 10..90), 0.3);
        }
    }

    #[test]
    fn bars_around_a_scene_that_is_as_dark_along_a_side_are_bars() {
        let dim = |x: usize, y: usize| if x < 60 && y > 30 { 5 } else { scene(x, y) };
        assert_eq!(letterbox(&plane(|x, y| if (15..90).contains(&y) { dim(x, y) } else { 0 })), 0.25);
    }

    #[test]
    fn a_bright_sky_above_a_straight_horizon_is_no_bar_and_a_black_strip_is_one() {
        let strip = |value: u8| letterbox(&plane(|x, y| if y < 20 { value } else { scene(x, y) }));
        assert_eq!((strip(255), strip(0)), (0.0, 0.2));
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
