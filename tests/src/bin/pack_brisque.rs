//! Packs the BRISQUE model of OpenCV's module `quality` into the file that the provider `measures` reads:
//! `cargo run -p pipeline-testkit --bin pack-brisque -- --model brisque_model_live.yml --range brisque_range_live.yml --out
//! pipeline-providers/src/local/measures/brisque/brisque.model`. Debian's package `opencv-doc` has both files.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool talks to a person and stops at the first fault")]

use std::fs;
use std::path::PathBuf;

use clap::Parser;

/// Features of a picture.
const FEATURES: usize = 36;
/// Support vectors of the model.
const VECTORS: usize = 774;

/// Packs OpenCV's BRISQUE model.
#[derive(Parser)]
struct Options {
    /// OpenCV's `brisque_model_live.yml`
    #[arg(long)]
    model: PathBuf,
    /// OpenCV's `brisque_range_live.yml`
    #[arg(long)]
    range: PathBuf,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

fn main() {
    let options = Options::parse();
    let model = fs::read_to_string(&options.model).unwrap();
    let range = fs::read_to_string(&options.range).unwrap();
    let ranges = numbers(&range, "data:", "]");
    let vectors = numbers(&model, "support_vectors:", "decision_functions:");
    let coefficients = numbers(&model, "alpha:", "]");
    assert_eq!((ranges.len(), vectors.len(), coefficients.len()), (2 * FEATURES, VECTORS * FEATURES, VECTORS));
    let mut packed = ranges;
    packed.extend(numbers(&model, "gamma:", "C:"));
    packed.extend(numbers(&model, "rho:", "alpha:"));
    for (coefficient, vector) in coefficients.iter().zip(vectors.chunks_exact(FEATURES)) {
        packed.push(*coefficient);
        packed.extend_from_slice(vector);
    }
    let bytes: Vec<u8> = packed.iter().flat_map(|number| number.to_le_bytes()).collect();
    fs::write(&options.out, &bytes).unwrap();
    println!("{} bytes", bytes.len());
}

/// All numbers between two words of a text.
fn numbers(text: &str, from: &str, to: &str) -> Vec<f32> {
    let part = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
    part.split([' ', '\n', ',', '[', ']']).filter_map(|word| word.parse().ok()).collect()
}
