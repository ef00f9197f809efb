//! Where everything lies on a sheet.

use pipeline_core::error::{Error, ErrorKind, Result};

/// Longest side of a sheet in pixels: what common viewers and printers still take.
const LONGEST: u64 = 65_500;
/// Narrowest sheet in pixels: one that has room for its title.
const NARROWEST: usize = 720;
/// White space around cells.
pub(super) const GAP: usize = 16;
/// Height of a line of text.
pub(super) const LINE: usize = 20;
/// Height of the band with the title.
pub(super) const BAND: usize = 56;
/// Lines below a picture.
pub(super) const LINES: usize = 4;

/// The grid of a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) cells: usize,
    pub(super) columns: usize,
    pub(super) side: usize,
}

impl Layout {
    /// Lays out so many cells, each with a picture of at most `side` pixels; without `columns` the sheet has about the shape
    /// of a page.
    ///
    /// # Errors
    /// `Invalid` for a side below 96 or above 512, or no column; `Unsupported` when the sheet would be too large.
    pub fn new(cells: usize, side: u32, columns: Option<u32>) -> Result<Self> {
        if !(96..=512).contains(&side) {
            return Err(Error::invalid("pictures of a sheet cannot have this side")
                .with("side", side)
                .with("accepted", "96 to 512 pixels"));
        }
        if columns == Some(0) {
            return Err(Error::invalid("a sheet needs columns").with("columns", 0).with("accepted", "1 or more"));
        }
        let side = side as usize;
        let columns =
            columns.map_or_else(|| usual(cells.min(1 << 32), side), |columns| columns as usize).min(cells.max(1));
        let layout = Self { cells, columns, side };
        let (width, height) = (layout.width() as u64, layout.height() as u64);
        if width.max(height) > LONGEST {
            return Err(Error::new(ErrorKind::Unsupported, "the sheet would be too large")
                .with("cells", cells)
                .with("size", format!("{width}x{height}"))
                .with("accepted", format!("at most {LONGEST} pixels a side: fewer items, or smaller pictures")));
        }
        Ok(layout)
    }

    /// Returns how many pictures lie beside each other.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        GAP.saturating_add(self.columns.saturating_mul(self.side + GAP)).max(NARROWEST)
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        BAND.saturating_add(self.rows().saturating_mul(self.row_height()))
    }

    pub(super) fn rows(&self) -> usize {
        self.cells.div_ceil(self.columns)
    }

    pub(super) fn row_height(&self) -> usize {
        self.side + 8 + LINES * LINE + GAP
    }
}

/// So many columns that the sheet is about as wide as 1 to 1.4 of its height.
fn usual(cells: usize, side: usize) -> usize {
    let (cell_width, cell_height) = (side + GAP, side + 8 + LINES * LINE + GAP);
    let fits = |columns: usize| {
        let rows = cells.div_ceil(columns);
        columns * cell_width * 14 >= rows * cell_height * 10
    };
    (1..=cells.max(1)).find(|columns| fits(*columns)).unwrap_or(1).max(4).min(cells.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_about_the_shape_of_a_page_and_as_many_columns_as_asked_for() {
        let layout = Layout::new(500, 240, None).unwrap();
        let shape = layout.height() as f64 / layout.width() as f64;
        assert!((1.2..1.5).contains(&shape), "{layout:?} {shape}");
        assert_eq!(Layout::new(500, 240, Some(10)).unwrap().rows(), 50);
        assert_eq!(Layout::new(3, 240, None).unwrap().columns(), 3);
        assert_eq!(Layout::new(0, 240, None).unwrap().rows(), 0);
    }

    #[test]
    fn what_is_too_large_or_too_small_is_refused_with_what_is_accepted() {
        let error = Layout::new(100_000, 240, Some(1)).unwrap_err();
        assert!(error.to_string().contains("at most 65500 pixels a side"), "{error}");
        assert!(Layout::new(5, 95, None).unwrap_err().to_string().contains("96 to 512"));
        assert!(Layout::new(5, 96, Some(0)).is_err());
    }
}
