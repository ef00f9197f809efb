//! One number a pixel, with means over windows and enlarging.

/// One number a pixel, in rows from the top left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Plane {
    /// Makes a plane of the values a function gives for each place; places count on from row to row.
    pub(crate) fn of(width: usize, height: usize, value: impl FnMut(usize) -> f32) -> Self {
        Self { width, height, values: (0..width * height).map(value).collect() }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// Returns the plane whose values a function makes of these.
    pub(super) fn map(&self, change: impl Fn(f32) -> f32) -> Self {
        Self {
            width: self.width,
            height: self.height,
            values: self.values.iter().map(|value| change(*value)).collect(),
        }
    }

    /// Returns the plane whose values a function makes of these and those of another plane of the same size.
    pub(super) fn with(&self, other: &Self, join: impl Fn(f32, f32) -> f32) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(one, two)| join(*one, *two)).collect();
        Self { width: self.width, height: self.height, values }
    }

    /// Returns the mean over the square window that reaches `radius` to each side; at the edges over what there is of it.
    pub(super) fn blurred(&self, radius: usize) -> Self {
        let mut across = vec![0.0; self.values.len()];
        for (row, out) in self.values.chunks_exact(self.width).zip(across.chunks_exact_mut(self.width)) {
            // In double precision, so that what has left the window leaves nothing behind.
            let mut sum: f64 = row.iter().take(radius).map(|value| f64::from(*value)).sum();
            for x in 0..self.width {
                sum += row.get(x + radius).copied().map_or(0.0, f64::from);
                if x > radius {
                    sum -= f64::from(row[x - radius - 1]);
                }
                let count = (x + radius).min(self.width - 1) + 1 - x.saturating_sub(radius);
                out[x] = (sum / count as f64) as f32;
            }
        }
        let mut sums = vec![0.0_f64; self.width];
        let mut values = Vec::with_capacity(across.len());
        let row = |y: usize| across.get(y * self.width..(y + 1) * self.width);
        for y in 0..radius.min(self.height) {
            sums.iter_mut().zip(row(y).unwrap_or_default()).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        for y in 0..self.height {
            if y + radius < self.height {
                sums.iter_mut()
                    .zip(row(y + radius).unwrap_or_default())
                    .for_each(|(sum, value)| *sum += f64::from(*value));
            }
            if let Some(gone) = y.checked_sub(radius + 1) {
                sums.iter_mut().zip(row(gone).unwrap_or_default()).for_each(|(sum, value)| *sum -= f64::from(*value));
            }
            let count = ((y + radius).min(self.height - 1) + 1 - y.saturating_sub(radius)) as f64;
            values.extend(sums.iter().map(|sum| (sum / count) as f32));
        }
        Self { width: self.width, height: self.height, values }
    }
}

/// Enlarges planes of one size to another row by row, so that no large plane is ever held.
#[derive(Debug)]
pub(crate) struct Enlarger {
    /// For each column the one to its left in the small plane, and the weight of the next.
    columns: Vec<(usize, f32)>,
    height: usize,
}

impl Enlarger {
    /// Makes one for planes as wide as `from`, to a size of `width` by `height`.
    pub(crate) fn new(from: &Plane, width: usize, height: usize) -> Self {
        Self { columns: (0..width).map(|x| between(x, width, from.width)).collect(), height }
    }

    /// Writes row `y` of the enlarged plane, with weights by distance in both directions.
    pub(crate) fn row(&self, plane: &Plane, y: usize, out: &mut [f32]) {
        let (above, down) = between(y, self.height, plane.height);
        let (upper, lower) = (plane.row(above), plane.row((above + 1).min(plane.height - 1)));
        for (value, (left, right)) in out.iter_mut().zip(&self.columns) {
            let next = (left + 1).min(plane.width - 1);
            let at = |row: &[f32]| row[*left] + (row[next] - row[*left]) * right;
            let top = at(upper);
            *value = top + (at(lower) - top) * down;
        }
    }
}

/// The small plane's place before the middle of a large one's place, and how far behind it that middle lies.
fn between(place: usize, large: usize, small: usize) -> (usize, f32) {
    let middle = ((place as f64 + 0.5) * small as f64 / large as f64 - 0.5).clamp(0.0, (small - 1) as f64);
    let before = middle.floor();
    (before as usize, (middle - before) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_is_the_mean_of_what_lies_in_the_window() {
        let plane = Plane::of(7, 5, |place| ((place * 37) % 11) as f32);
        for radius in [0, 1, 2, 9] {
            let blurred = plane.blurred(radius);
            for y in 0..5_usize {
                for x in 0..7_usize {
                    let rows = y.saturating_sub(radius)..=(y + radius).min(4);
                    let columns = x.saturating_sub(radius)..=(x + radius).min(6);
                    let inside: Vec<f32> = rows.flat_map(|y| plane.row(y)[columns.clone()].to_vec()).collect();
                    let mean = inside.iter().sum::<f32>() / inside.len() as f32;
                    assert!((blurred.row(y)[x] - mean).abs() < 1e-4, "{radius} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn enlarging_goes_evenly_from_value_to_value() {
        let plane = Plane::of(2, 2, |place| [0.0, 1.0, 2.0, 3.0][place]);
        let enlarger = Enlarger::new(&plane, 4, 4);
        let mut row = [0.0; 4];
        enlarger.row(&plane, 0, &mut row);
        assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
        enlarger.row(&plane, 1, &mut row);
        assert_eq!(row, [0.5, 0.75, 1.25, 1.5]);
        let same = Enlarger::new(&plane, 2, 2);
        let mut row = [0.0; 2];
        same.row(&plane, 1, &mut row);
        assert_eq!(row, [2.0, 3.0]);
    }
}
