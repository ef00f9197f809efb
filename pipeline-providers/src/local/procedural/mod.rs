//! The generator `procedural`: abstract art and landscapes painted by arithmetic, free, offline and repeatable.
//!
//! The same prompt, seed, size and style give the same bytes on every platform: only IEEE-exact operations and one
//! implementation of the transcendental functions are used. The composition does not depend on the size.

mod canvas;
mod flow;
mod generator;
mod gradient;
mod math;
mod noise;
pub(crate) mod oklab;
mod palette;
mod picture;
pub(crate) mod random;
mod style;
mod terrain;
mod tiling;
mod voronoi;
mod waves;

pub use generator::Procedural;
