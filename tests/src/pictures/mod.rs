//! Picture files made by code: small ones of every format and kind, bombs, and what becomes of them when they are damaged.

mod bombs;
mod corpus;
pub mod fuzz;
mod icc;
mod mutation;
mod png;
mod tiff;
mod trial;
mod webp;

pub use bombs::{Bomb, bombs, exif_bombs};
pub use corpus::{Sample, corpus, scene};
pub use icc::{cmyk_profile, grey_profile, pale_cmyk_profile, rgb_profile, swapped_profile};
pub use mutation::Mutator;
pub use png::Png;
pub use tiff::{Tiff, Values};
pub use trial::{Outcome, Trial};
pub use webp::{riff, webp_chunks};
