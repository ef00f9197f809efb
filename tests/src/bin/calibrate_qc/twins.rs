//! Near-duplicates: which pictures are taken for the same, and which are not.

use pipeline::providers::local::measures::fingerprint;
use pipeline_testkit::calibration::CHANGES;

use crate::report::percent;
use crate::sample::Sample;

/// Distances that are tried.
const DISTANCES: [u32; 8] = [0, 2, 4, 6, 8, 10, 12, 16];

/// Prints false matches among different photographs, and misses among changed ones.
pub(crate) fn print(photos: &[Sample]) {
    let prints: Vec<u64> = photos.iter().map(|photo| fingerprint(&photo.picture)).collect();
    let mut pairs = Vec::new();
    for (index, one) in prints.iter().enumerate() {
        pairs.extend(
            prints[index + 1..]
                .iter()
                .enumerate()
                .map(|(step, other)| ((one ^ other).count_ones(), index, index + 1 + step)),
        );
    }
    pairs.sort_unstable();
    let heads = DISTANCES.map(|distance| distance.to_string()).join(" | ");
    println!(
        "\n### Near-duplicates: at a distance of at most\n\n| pictures | {heads} |\n|---|{}",
        "---|".repeat(DISTANCES.len())
    );
    let matches = DISTANCES.map(|distance| pairs.iter().filter(|(apart, ..)| *apart <= distance).count());
    println!(
        "| matches among {} pairs of different photographs | {} |",
        pairs.len(),
        matches.map(|count| count.to_string()).join(" | ")
    );
    for (name, change) in CHANGES {
        let apart: Vec<u32> = photos
            .iter()
            .zip(&prints)
            .map(|(photo, print)| (fingerprint(&change(&photo.picture).unwrap()) ^ print).count_ones())
            .collect();
        let missed =
            DISTANCES.map(|distance| percent(apart.iter().filter(|apart| **apart > distance).count(), apart.len()));
        println!("| missed: {name} | {} |", missed.join(" | "));
    }
    println!("\nNearest different photographs:\n");
    for (apart, one, other) in pairs.iter().take(8) {
        println!("- {apart} bits: `{}`, `{}`", photos[*one].name, photos[*other].name);
    }
}
