//! A few rows of one quantity around the row in work, and blurring them.

/// Rows of one quantity, reused as the window moves down.
pub(super) struct Window {
    rows: Vec<Vec<f32>>,
}

impl Window {
    /// Holds `rows` rows of `width` values.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        Self { rows: vec![vec![0.0; width]; rows.max(1)] }
    }

    /// Returns row `y` of the picture.
    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.rows[y % self.rows.len()]
    }

    /// Returns row `y` of the picture, to be filled.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let count = self.rows.len();
        &mut self.rows[y % count]
    }

    /// Blurs around row `y` of `height` with half a kernel, down into `padded` and then across into `out`.
    /// `padded` is longer than `out` by the kernel's reach at both ends. Edge values go on beyond the edges.
    pub(super) fn blur(&self, y: usize, height: usize, kernel: &[f32], padded: &mut [f32], out: &mut [f32]) {
        let Some((middle_weight, outer)) = kernel.split_first() else { return };
        let reach = outer.len();
        let width = out.len();
        let middle = &mut padded[reach..reach + width];
        for (sum, value) in middle.iter_mut().zip(self.row(y)) {
            *sum = middle_weight * value;
        }
        for (distance, weight) in (1..).zip(outer) {
            let (above, below) = (self.row(y.saturating_sub(distance)), self.row((y + distance).min(height - 1)));
            for ((sum, above), below) in middle.iter_mut().zip(above).zip(below) {
                *sum += weight * (above + below);
            }
        }
        let (first, last) = (padded[reach], padded[reach + width - 1]);
        padded[..reach].fill(first);
        padded[reach + width..].fill(last);
        for (sum, value) in out.iter_mut().zip(&padded[reach..]) {
            *sum = middle_weight * value;
        }
        for (distance, weight) in (1..).zip(outer) {
            let (left, right) = (&padded[reach - distance..], &padded[reach + distance..]);
            for ((sum, left), right) in out.iter_mut().zip(left).zip(right) {
                *sum += weight * (left + right);
            }
        }
    }
}
