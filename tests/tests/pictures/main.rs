//! Picture files of every format and kind, decoded: their pixels, their colours, their bounds.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed step is a failed test")]

mod caps;
mod formats;
mod profiles;

use pipeline::providers::local::image::{Decoded, Limits, Picture, decode};
use pipeline_testkit::pictures::corpus;

/// The bytes of a file of the corpus.
fn bytes(name: &str) -> Vec<u8> {
    let found = corpus().into_iter().find(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("the corpus has no {name}")).bytes
}

fn open(bytes: &[u8]) -> Decoded {
    decode(bytes, Limits::DEFAULT).unwrap()
}

/// The samples of one pixel.
fn pixel(picture: &Picture, x: usize, y: usize) -> &[u8] {
    let at = (y * picture.width() + x) * picture.channels();
    &picture.pixels()[at..at + picture.channels()]
}
