//! Measures pictures beside sharp: the same files, the same jobs, one after the other in the same run. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-images [-- OPTION…]`.
//!
//! It installs sharp itself (`npm ci` in `tests/bench/images`), and takes photos out of the wheel of scikit-image, which
//! pip downloads; without them it paints pictures, and says so. Every row stands beside what is promised and beside the
//! floor of the job: decoding its input and encoding its result, and nothing else.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench talks to a person and stops at the first fault"
)]

mod job;
mod ours;
mod peer;
mod photos;
mod quality;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;
use mimalloc::MiMalloc;
use serde::{Deserialize, Serialize};

use job::Job;

/// As in the command.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures pictures beside sharp.
#[derive(Parser)]
struct Options {
    /// How often both sides are measured in turns; the best of each counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
    /// How often a job is done in one process
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeats: u32,
    /// Only the rows whose name has this in it
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// No picture is larger
    #[arg(long, value_name = "PIXELS", default_value_t = 4096)]
    largest: u32,
    /// Where pictures and results go [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Be the worker of another of these processes: JOB REPEATS WORKERS THREADS OUT FILE…
    #[arg(long, num_args = 6.., hide = true)]
    work: Option<Vec<String>>,
}

/// What one side used for a job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Used {
    /// Milliseconds.
    wall: f64,
    /// Milliseconds of processor time.
    cpu: f64,
    /// Megabytes at most.
    peak: f64,
    /// Bytes of the result.
    bytes: u64,
    /// Milliseconds for decoding and encoding alone.
    floor: f64,
}

impl Used {
    /// The best of both: the least times, the most memory.
    fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            peak: self.peak.max(other.peak),
            bytes: other.bytes,
            floor: if self.floor > 0.0 { self.floor.min(other.floor) } else { other.floor },
        }
    }
}

fn main() {
    let options = Options::parse();
    if let Some(work) = &options.work {
        println!("{}", serde_json::to_string(&ours::work(work)).unwrap());
        return;
    }
    let scratch = tempfile::tempdir_in(shared_memory()).unwrap();
    let folder = options.folder.clone().unwrap_or_else(|| scratch.path().to_path_buf());
    std::fs::create_dir_all(&folder).unwrap();
    let peer = peer::install();
    let photos = photos::make(&folder, options.largest);
    println!("{}", photos.origin);
    println!("{}", peer.as_ref().map_or("sharp cannot be installed: npm is missing".to_owned(), peer::Sharp::version));
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    table::head();
    for row in job::rows(options.largest).into_iter().filter(|row| wanted(&row.name)) {
        let files: Vec<&Path> = photos.files(&row);
        let (mut own, mut other): (Option<Used>, Option<Used>) = (None, None);
        for _ in 0..options.rounds {
            let used = ours::measure(&row, options.repeats, &folder, &files);
            own = Some(own.map_or(used, |best| best.best(used)));
            if let Some(peer) = &peer {
                let used = peer.measure(&row, options.repeats, &folder, &files);
                other = Some(other.map_or(used, |best| best.best(used)));
            }
        }
        table::row(&row, own.unwrap(), other);
    }
    if wanted("cold") {
        table::cold(ours::cold(&folder, photos.first(), options.rounds), peer.as_ref(), &folder, photos.first());
    }
    if let Some(peer) = peer.filter(|_| wanted("quality")) {
        quality::compare(&peer, &folder, photos.first());
    }
}

/// A folder that no disk slows down, where there is one.
fn shared_memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}

/// The file a side writes for a job and an input.
fn result(folder: &Path, side: &str, job: Job, input: &Path) -> PathBuf {
    folder.join(format!("{side}_{}_{}", job.name(), input.file_stem().unwrap().to_string_lossy()))
}
