//! Pictures: strict decoding, steps of processing, encoding, and the provider that joins them.

mod decode;
mod encode;
mod limits;
mod orient;
mod picture;
mod processor;
mod sniff;
mod steps;
mod thumbnail;

pub use decode::{Decoded, decode, decode_as, probe};
pub use encode::{encode, target};
pub use limits::Limits;
pub use orient::Orientation;
pub use picture::Picture;
pub use processor::{LocalImageProcessor, inspect, process};
pub use sniff::sniff;
pub use steps::{apply, flatten, shrink_to};
pub use thumbnail::decode_rgb_thumbnail;
