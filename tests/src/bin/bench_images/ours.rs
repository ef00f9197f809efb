//! This side: the same work in a process of its own, measured from inside.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Instant;

use pipeline::providers::local::image::{Limits, Threads, decode, decode_on, encode_as, process_on};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{ColorProfile, ImageFile, ProcessRequest};
use rustix::time::{ClockId, clock_gettime};

use super::job::{Job, Row};
use super::{Used, result};

/// Runs a row in a process of its own.
pub(crate) fn measure(row: &Row, repeats: u32, out: &Path, files: &[&Path]) -> Used {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--work").args([row.job.name(), &repeats.to_string(), &row.workers.to_string(), "0"]);
    let output = command.arg(out).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Milliseconds from starting a process to its end, for one picture: the best of some.
pub(crate) fn cold(out: &Path, file: &Path, rounds: u32) -> f64 {
    let once = || {
        let start = Instant::now();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--work", Job::ResizeHalf.name(), "1", "1", "cold"]);
        assert!(command.arg(out).arg(file).output().unwrap().status.success());
        start.elapsed().as_secs_f64() * 1000.0
    };
    (0..rounds.max(3)).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// The worker: JOB REPEATS WORKERS THREADS OUT FILE…
pub(crate) fn work(arguments: &[String]) -> Used {
    let ([job, repeats, workers, threads, out], files) =
        arguments.split_first_chunk().expect("clap has counted the arguments");
    let (job, out) = (Job::named(job), Path::new(out));
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let workers: usize = workers.parse().unwrap();
    let mut used = if workers > 1 { together(job, out, &files, workers) } else { best(job, out, &files, repeats) };
    used.peak = peak();
    if workers == 1 && threads != "cold" {
        used.floor = floor(job, &files[0]);
    }
    used
}

fn best(job: Job, out: &Path, files: &[PathBuf], repeats: &str) -> Used {
    let mut used = Used { wall: f64::INFINITY, cpu: f64::INFINITY, peak: 0.0, bytes: 0, floor: 0.0 };
    for _ in 0..repeats.parse::<u32>().unwrap() {
        for file in files {
            let (start, cpu) = (Instant::now(), processor());
            used.bytes = run(job, out, file, Threads::available());
            used.wall = used.wall.min(start.elapsed().as_secs_f64() * 1000.0);
            used.cpu = used.cpu.min(processor() - cpu);
        }
    }
    used
}

fn together(job: Job, out: &Path, files: &[PathBuf], workers: usize) -> Used {
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (start, cpu) = (Instant::now(), processor());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // As the provider shares them out.
                let threads = Threads::new(available_parallelism().map_or(1, usize::from) / workers);
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    bytes.fetch_add(run(job, out, file, threads), Ordering::Relaxed);
                }
            });
        }
    });
    let wall = start.elapsed().as_secs_f64() * 1000.0;
    Used { wall, cpu: processor() - cpu, peak: 0.0, bytes: bytes.into_inner(), floor: 0.0 }
}

/// Reads, does the job as the provider does, and writes.
fn run(job: Job, out: &Path, file: &Path, threads: Threads) -> u64 {
    let bytes = std::fs::read(file).unwrap().into();
    let image = ImageFile { bytes, media_type: MediaType::Binary };
    let request = ProcessRequest::new(image).steps(job.steps()).encoding(job.encoding());
    let made = process_on(&request, Limits::DEFAULT, threads).unwrap();
    std::fs::write(result(out, "ours", job, file), &made.image.bytes).unwrap();
    made.image.bytes.len() as u64
}

/// Milliseconds for decoding the input, and encoding what comes out of the steps: the best of three.
fn floor(job: Job, file: &Path) -> f64 {
    let bytes = std::fs::read(file).unwrap();
    let png = pipeline_core::provider::Encoding::default();
    let request = ProcessRequest::new(ImageFile { bytes: bytes.clone().into(), media_type: MediaType::Binary });
    let request = request.steps(job.steps()).encoding(png);
    let processed = process_on(&request, Limits::DEFAULT, Threads::available()).unwrap();
    let mut processed = decode(&processed.image.bytes, Limits::DEFAULT).unwrap().picture;
    let format = match job.encoding().format {
        pipeline_core::provider::OutputFormat::Webp => MediaType::WebP,
        pipeline_core::provider::OutputFormat::Png => MediaType::Png,
        pipeline_core::provider::OutputFormat::Avif => MediaType::Avif,
        _ => MediaType::Jpeg,
    };
    if format == MediaType::Jpeg {
        processed.flatten([255; 3]);
    }
    let once = || {
        let start = Instant::now();
        decode_on(&bytes, Limits::DEFAULT, ColorProfile::Srgb, Threads::available()).unwrap();
        encode_as(&processed, format, &job.encoding(), Threads::available()).unwrap();
        start.elapsed().as_secs_f64() * 1000.0
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// Milliseconds of processor time this process has used.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1e6
}

/// Megabytes this process has had at most. Linux only.
fn peak() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
