//! `mutate-images`: damages picture files and runs them through decoding and processing.
#![expect(clippy::print_stdout, reason = "a program talks to a person")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peak_alloc::PeakAlloc;
use pipeline_testkit::pictures::{Trial, corpus};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Damages picture files and runs them through decoding and processing: nothing may panic, take more memory than the
/// limits say, or take long
#[derive(Parser)]
struct Arguments {
    /// How many files
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: u64,
    /// What the damage follows from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The first case
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Write the file of the first case here
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write the good files that the damaged ones are made of into this folder, and end: where `cargo fuzz` may begin
    #[arg(long, value_name = "DIR", conflicts_with_all = ["save", "first"])]
    corpus: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { count, seed, first, save, corpus } = Arguments::parse();
    if let Some(folder) = corpus {
        return match write_corpus(&folder) {
            Ok(count) => {
                println!("{count} files: {}", folder.display());
                ExitCode::SUCCESS
            }
            Err(error) => {
                println!("cannot write to {}: {error}", folder.display());
                ExitCode::FAILURE
            }
        };
    }
    let mut trial = Trial::new(seed, &MEMORY);
    if let Some(path) = save {
        let (name, bytes) = trial.file(first);
        match std::fs::write(&path, bytes) {
            Ok(()) => println!("case {first}, from {name}: {}", path.display()),
            Err(error) => {
                println!("cannot write {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    for number in first..first.saturating_add(count) {
        trial.run(number);
    }
    print!("{trial}");
    if trial.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the files of the corpus and returns how many there are.
fn write_corpus(folder: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let files = corpus();
    for file in &files {
        std::fs::write(folder.join(file.name), &file.bytes)?;
    }
    Ok(files.len())
}
