//! Background removal without a model, and the cleaning of mattes from anywhere.
//!
//! The provider `classical` looks at the border of the picture, takes what only the frame cuts off for subject, learns the
//! colours of background and subject in turn, and refines the edge at full size. It is meant for subjects on a background
//! that the border shows: products, portraits before a wall, generated pictures on a plain ground. What the border does not
//! tell is an error, and every answer has a confidence; see `docs/cutout.md`.

mod barrier;
mod border;
mod clean;
mod confidence;
mod decontaminate;
mod guided;
mod lab;
mod matte;
mod mixture;
mod palette;
mod pieces;
mod plane;
mod remover;
mod segment;

pub use clean::{MatteCleaning, clean};
pub use matte::Matte;
pub use remover::{Classical, Cutout, cut_out};

#[cfg(feature = "onnx")]
pub(crate) use plane::{Enlarger, Plane};
