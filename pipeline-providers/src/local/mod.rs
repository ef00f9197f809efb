//! Providers that run on this machine, without network and keys.

pub mod cutout;
pub mod image;
pub mod measures;
pub mod procedural;
pub mod sheet;
mod srgb;
pub mod template;
