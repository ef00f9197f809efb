//! Measured quality: numbers about a picture, the verdict that rules draw from them, and a fingerprint.

mod blocks;
mod brisque;
mod detail;
mod fingerprint;
mod judge;
mod letterbox;
mod levels;
mod measure;
mod plane;
mod provider;
mod window;

pub use fingerprint::fingerprint;
pub use judge::judge;
pub use measure::{Measurements, measure};
pub use provider::Measures;
