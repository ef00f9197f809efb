//! Contact sheets: small pictures in a grid, with lines of text below each, written as a PNG row by row.

mod canvas;
mod ink;
mod layout;
mod writer;

pub use ink::{Ink, Line};
pub use layout::Layout;
pub use writer::SheetWriter;
