//! Metadata inside picture files: XMP and EXIF in JPEG, PNG and WebP, IPTC-IIM in JPEG.
//!
//! Only the blocks of metadata are touched: pixels, colour profile and every other part of a file stay byte for byte. In
//! the blocks, what is said by the request replaces what stood there, and the rest stays (orientation, place, camera, a
//! creator when the request names none); a thumbnail goes, because it shows the picture as it once was. A block that
//! cannot be read is replaced.
//!
//! Files are split by own code, in one pass and without recursion, because they come from outside: a file of a million
//! tiny parts takes no longer than its bytes, one of more is not read, and no depth is a stack.

mod exif;
mod facts;
mod file;
mod iptc;
mod jpeg;
mod photoshop;
mod png;
mod text;
mod webp;
mod xmp;

pub use file::embed;
pub(super) use file::{exif_block, has_profile};

#[cfg(test)]
mod tests;
