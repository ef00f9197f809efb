//! Calibrates the rules of `image.qc` on photographs and on what spoils them: `cargo run --release -p pipeline-testkit --bin
//! calibrate-qc -- --photos FOLDER [--others FOLDER]`. It prints Markdown; `docs/qc-calibration.md` explains and keeps it.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool talks to a person and stops at the first fault")]

mod report;
mod sample;
mod twins;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use pipeline::providers::local::measures::{fingerprint, measure};
use pipeline_testkit::calibration::made_table;

use report::Report;
use sample::Sample;

/// Calibrates the rules of `image.qc` on photographs and on what spoils them.
#[derive(Parser)]
struct Options {
    /// Folder of good photographs
    #[arg(long)]
    photos: Option<PathBuf>,
    /// Folder of other pictures that are not spoilt: drawings, textures, screens, documents
    #[arg(long)]
    others: Option<PathBuf>,
    /// Longest side that pictures are brought to before anything else, pixels
    #[arg(long, default_value_t = 1024)]
    side: u32,
    /// Print each good picture's measures, too
    #[arg(long)]
    each: bool,
}

fn main() {
    let options = Options::parse();
    println!("{}", made_table().unwrap());
    let Some(folder) = &options.photos else { return };
    let photos = sample::load(folder, options.side);
    let others = options.others.as_ref().map(|folder| sample::load(folder, options.side)).unwrap_or_default();
    sample::print_list("photographs", &photos);
    sample::print_list("others", &others);
    speed(&photos);
    let report = Report::measure(&photos, &others);
    if options.each {
        report.print_each(&photos, &others);
    }
    report.print_distributions();
    report.print_spoilt();
    report.print_curves();
    report.print_defaults(&photos, &others);
    twins::print(&photos);
}

/// What measuring a picture costs, on one thread.
fn speed(photos: &[Sample]) {
    let time = |work: &dyn Fn(&Sample)| {
        let mut each: Vec<f64> = photos
            .iter()
            .map(|photo| {
                let began = Instant::now();
                work(photo);
                let pixels = (photo.picture.width() * photo.picture.height()) as f64;
                began.elapsed().as_secs_f64() * 1e3 * (1024.0 * 1024.0) / pixels
            })
            .collect();
        each.sort_by(f64::total_cmp);
        each.get(each.len() / 2).copied().unwrap_or_default()
    };
    let all = time(&|photo| _ = measure(&photo.picture, None).unwrap());
    let print = time(&|photo| _ = fingerprint(&photo.picture));
    println!("\nper 1024 x 1024 pixels, median: all measures {all:.1} ms, fingerprint {print:.1} ms\n");
}
