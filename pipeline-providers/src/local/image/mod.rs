//! Pictures: strict decoding, steps of processing, encoding, and the provider that joins them.

mod bands;
mod decode;
mod embed;
mod encode;
mod exif_block;
mod inks;
mod keep;
mod limits;
mod orient;
mod paeth;
mod picture;
mod processor;
mod sniff;
mod steps;
mod tags;
mod thumbnail;

pub use bands::Threads;
pub use decode::{Decoded, decode, decode_as, decode_on, probe};
pub use embed::embed;
pub use encode::{encode, encode_as, target};
pub use keep::Keepsake;
pub use limits::Limits;
pub use orient::Orientation;
pub use picture::Picture;
pub use processor::{LocalImageProcessor, inspect, process, process_on};
pub use sniff::sniff;
pub use steps::{Log, Workbench, flatten, shrink_to};
pub use thumbnail::decode_rgb_thumbnail;
