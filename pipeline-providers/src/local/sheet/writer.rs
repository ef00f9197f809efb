//! Writes a sheet as a PNG, a row of cells at a time: no more than one row is in memory.

use std::io::Write;

use pipeline_core::error::{Error, ErrorKind, Result};
use png::{BitDepth, ColorType, Compression, Encoder, StreamWriter};

use super::canvas::Canvas;
use super::ink::{Ink, Line};
use super::layout::{BAND, GAP, LINE, LINES, Layout};
use crate::local::image::decode_rgb_thumbnail;

/// What lies behind a picture that does not fill its place.
const MAT: [u8; 3] = [242, 242, 245];

/// A sheet that is being written.
pub struct SheetWriter<W: Write + 'static> {
    stream: StreamWriter<'static, W>,
    layout: Layout,
    row: Canvas,
    drawn: usize,
}

impl<W: Write + 'static> std::fmt::Debug for SheetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SheetWriter").field("layout", &self.layout).field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl<W: Write + 'static> SheetWriter<W> {
    /// Begins a sheet with a band that holds its title.
    ///
    /// # Errors
    /// `Exhausted` or `Unavailable` when it cannot be written.
    pub fn new(out: W, layout: Layout, title: &str, below: &str) -> Result<Self> {
        let size = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let mut encoder = Encoder::new(out, size(layout.width()), size(layout.height()));
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let stream = encoder.write_header().and_then(png::Writer::into_stream_writer);
        let mut stream = stream.map_err(|error| failed(&error))?;
        let mut band = Canvas::new(layout.width(), BAND);
        let room = layout.width().saturating_sub(2 * GAP);
        band.text((GAP, 12), room, &Line::new(title, Ink::Plain).bold());
        band.text((GAP, 12 + LINE), room, &Line::new(below, Ink::Faint));
        stream.write_all(band.pixels()).map_err(|error| unwritten(&error))?;
        Ok(Self { stream, layout, row: Canvas::new(layout.width(), layout.row_height()), drawn: 0 })
    }

    /// Adds a cell: an encoded picture, or an empty place where there is none or it cannot be read, and lines below it.
    ///
    /// # Errors
    /// As [`SheetWriter::new`]; `Invalid` for more cells than were laid out.
    pub fn push(&mut self, picture: Option<&[u8]>, lines: &[Line]) -> Result<()> {
        if self.drawn == self.layout.cells {
            return Err(Error::invalid("the sheet is full").with("cells", self.layout.cells));
        }
        let side = self.layout.side;
        let left = GAP + self.drawn % self.layout.columns * (side + GAP);
        self.row.fill((left, 0), (side, side), MAT);
        let decoded = picture.and_then(|bytes| decode_rgb_thumbnail(bytes, u32::try_from(side).ok()?).ok());
        match decoded {
            Some((width, height, pixels)) => {
                let (width, height) = (width as usize, height as usize);
                let corner = (left + side.saturating_sub(width) / 2, side.saturating_sub(height) / 2);
                self.row.picture(corner, width, &pixels);
            }
            None => self.row.text((left + 12, side / 2 - 8), side - 24, &Line::new("no picture", Ink::Faint)),
        }
        for (n, line) in lines.iter().take(LINES).enumerate() {
            self.row.text((left, side + 8 + n * LINE), side, line);
        }
        self.drawn += 1;
        if self.drawn.is_multiple_of(self.layout.columns) { self.flush() } else { Ok(()) }
    }

    /// Ends the sheet; places that were laid out and not filled stay white.
    ///
    /// # Errors
    /// As [`SheetWriter::new`].
    pub fn finish(mut self) -> Result<()> {
        let mut rows = self.drawn.div_ceil(self.layout.columns);
        if !self.drawn.is_multiple_of(self.layout.columns) {
            self.flush()?;
        }
        while rows < self.layout.rows() {
            self.flush()?;
            rows += 1;
        }
        self.stream.finish().map_err(|error| failed(&error))
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.write_all(self.row.pixels()).map_err(|error| unwritten(&error))?;
        self.row.clear();
        Ok(())
    }
}

fn failed(error: &png::EncodingError) -> Error {
    match error {
        png::EncodingError::IoError(error) => unwritten(error),
        other => Error::unexpected(format!("cannot write the sheet: {other}")),
    }
}

fn unwritten(error: &std::io::Error) -> Error {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let kind = if full { ErrorKind::Exhausted } else { ErrorKind::Unavailable };
    Error::new(kind, format!("cannot write the sheet: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::image::{Limits, Picture, decode, encode};
    use pipeline_core::model::MediaType;
    use pipeline_core::provider::Dimensions;
    use std::sync::{Arc, Mutex};

    /// Bytes that can be looked at after the writer is gone.
    #[derive(Clone, Debug, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn sheet(cells: usize, pushed: usize) -> Picture {
        let shared = Shared::default();
        let layout = Layout::new(cells, 96, Some(3)).unwrap();
        let mut sheet = SheetWriter::new(shared.clone(), layout, "A job", "3 items").unwrap();
        let size = Dimensions { width: 300, height: 150 };
        let red = Picture::rgb(size, [200, 0, 0].repeat(300 * 150)).unwrap();
        let red = encode(&red, MediaType::Png, 90).unwrap().bytes;
        for n in 0..pushed {
            let lines = [Line::new("name", Ink::Plain).bold(), Line::new("failed", Ink::Bad)];
            sheet.push(Some(&red[..]).filter(|_| n != 1), &lines).unwrap();
        }
        sheet.finish().unwrap();
        let bytes = shared.0.lock().unwrap();
        let picture = decode(&bytes, Limits::DEFAULT).unwrap().picture;
        assert_eq!((picture.width(), picture.height()), (layout.width(), layout.height()));
        picture
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let at = (y * picture.width() + x) * 3;
        picture.pixels()[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn pictures_stand_in_their_places_on_a_mat_and_an_empty_place_says_so() {
        let sheet = sheet(5, 5);
        let (middle, row) = (BAND + 48, 96 + 8 + LINES * LINE + GAP);
        assert_eq!(pixel(&sheet, GAP + 48, middle), [200, 0, 0]);
        assert_eq!(pixel(&sheet, GAP + 48, BAND + 2), MAT, "a wide picture leaves room above");
        assert_eq!(pixel(&sheet, 2 * GAP + 96 + 2, BAND + 2), MAT, "no picture");
        assert_eq!(pixel(&sheet, GAP + 48, middle + row), [200, 0, 0], "the second row");
        assert_eq!(pixel(&sheet, 3 * GAP + 2 * 96 + 48, middle + row), [255; 3], "no sixth cell");
    }

    #[test]
    fn a_sheet_that_is_not_filled_is_whole_and_one_that_is_full_takes_no_more() {
        sheet(9, 4);
        sheet(0, 0);
        let mut full = SheetWriter::new(Shared::default(), Layout::new(1, 96, None).unwrap(), "", "").unwrap();
        full.push(None, &[]).unwrap();
        assert_eq!(full.push(None, &[]).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn the_same_cells_give_the_same_pixels() {
        assert_eq!(sheet(4, 4), sheet(4, 4));
    }
}
