//! The pictures of a folder.

use std::fs;
use std::path::Path;

use pipeline::providers::local::image::{Limits, Picture, decode, shrink_to};

/// A picture of the set.
pub(crate) struct Sample {
    pub(crate) name: String,
    digest: String,
    bytes: usize,
    pub(crate) picture: Picture,
}

/// Reads every picture of a folder, by name, on white and at most `side` pixels long.
pub(crate) fn load(folder: &Path, side: u32) -> Vec<Sample> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sample = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).unwrap();
        let mut picture = decode(&bytes, Limits::DEFAULT).unwrap().upright().unwrap();
        picture.flatten([255; 3]);
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let digest = digest.as_ref().iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Sample { name, digest, bytes: bytes.len(), picture: shrink_to(&picture, side).unwrap() }
    };
    paths.iter().filter(|path| path.is_file()).map(sample).collect()
}

/// Prints names, digests and sizes.
pub(crate) fn print_list(title: &str, samples: &[Sample]) {
    println!(
        "\n### {} {title}\n\n| file | SHA-256, first 8 bytes | bytes | looked at as |\n|---|---|---|---|",
        samples.len()
    );
    for Sample { name, digest, bytes, picture } in samples {
        println!("| `{name}` | `{digest}` | {bytes} | {} |", picture.size());
    }
}
