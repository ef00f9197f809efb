//! How close the results of both sides are, to the source and to each other.

use std::path::Path;

use pipeline::providers::local::image::{Limits, Picture, decode};

use super::job::{Input, Job, Row};
use super::peer::Sharp;
use super::{ours, result};

/// Prints what is promised about pixels and bytes.
pub(crate) fn compare(sharp: &Sharp, folder: &Path, file: &Path) {
    println!("\n{:<42} {:>30} {:>24}", "quality", "found", "promised");
    let both = |job: Job| {
        let row = Row {
            name: String::new(),
            job,
            input: Input::Plain,
            side: 1024,
            batch: 1,
            workers: 1,
            threads: 0,
            promised: None,
            shorter: None,
        };
        ours::measure(&row, 1, folder, &[file]);
        sharp.measure(&row, 1, folder, &[file]);
        let read = |side| std::fs::read(result(folder, side, job, file)).unwrap();
        (read("ours"), read("sharp"))
    };
    let open = |bytes: &[u8]| decode(bytes, Limits::DEFAULT).unwrap().picture;
    for (what, job) in [("saturation and sharpening", Job::EnhancePng), ("resizing", Job::ResizePng)] {
        let (ours, sharp) = both(job);
        let (ours, sharp) = (open(&ours), open(&sharp));
        let found = format!("SSIM {:.5}, {:.2} dB", similarity(&ours, &sharp), noise(&ours, &sharp));
        println!("{what:<42} {found:>30} {:>24}", "SSIM 0.99");
    }
    let source = open(&std::fs::read(file).unwrap());
    let (ours, sharp) = both(Job::Jpeg);
    let better = noise(&open(&ours), &source) - noise(&open(&sharp), &source);
    let longer = 100.0 * (ours.len() as f64 / sharp.len() as f64 - 1.0);
    let found = format!("{better:+.3} dB at {longer:+.2} % bytes");
    println!("{:<42} {found:>30} {:>24}", "JPEG 90 against the source", "0.05 dB at 1 %");
}

/// The peak signal to noise ratio in decibels.
fn noise(a: &Picture, b: &Picture) -> f64 {
    let pairs = a.pixels().iter().zip(b.pixels());
    let sum: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.pixels().len() as f64 / sum.max(1e-9)).log10()
}

/// The structural similarity of the brightness (Wang and others, 2004), over squares of 8 pixels every 4 pixels.
fn similarity(a: &Picture, b: &Picture) -> f64 {
    const C1: f64 = 6.5025; // (0.01 * 255)²
    const C2: f64 = 58.5225; // (0.03 * 255)²
    let brightness = |picture: &Picture| -> Vec<f64> {
        let pixels = picture.pixels().chunks_exact(picture.channels());
        pixels.map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2])).collect()
    };
    let (left, right, width) = (brightness(a), brightness(b), a.width());
    let (mut sum, mut count) = (0.0, 0.0);
    for y in (0..=a.height() - 8).step_by(4) {
        for x in (0..=width - 8).step_by(4) {
            let places = || (0..64).map(|n| (y + n / 8) * width + x + n % 8);
            let mean = |values: &[f64]| places().map(|at| values[at]).sum::<f64>() / 64.0;
            let (ma, mb) = (mean(&left), mean(&right));
            let covariance = |p: &[f64], mp: f64, q: &[f64], mq: f64| {
                places().map(|at| (p[at] - mp) * (q[at] - mq)).sum::<f64>() / 63.0
            };
            let (va, vb) = (covariance(&left, ma, &left, ma), covariance(&right, mb, &right, mb));
            let both = covariance(&left, ma, &right, mb);
            sum += (2.0 * ma * mb + C1) * (2.0 * both + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
            count += 1.0;
        }
    }
    sum / count
}
