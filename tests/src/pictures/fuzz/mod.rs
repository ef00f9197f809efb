//! What a fuzzer runs on bytes it makes up: `tests/fuzz` hands them over.

mod drawn;
mod targets;

pub use targets::{TARGETS, Target, encoders, metadata, png_beside, read, steps};
