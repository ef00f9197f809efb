//! Measures background removal against known masks. Run it with
//! `cargo run --release -p pipeline-testkit --bin bench-cutout [-- --stamps DIR --grounds DIR --pairs DIR --model FILE …]`.
//!
//! Without options it measures `classical` on composites made here. `--stamps` is a folder of cut-out photos (PNG with alpha,
//! as the Debian package `tuxpaint-stamps-default` has them), which are put on plain grounds and, with `--grounds`, on the
//! photos of that folder; `--pairs` a folder of `NAME.jpg` or `.png` and `NAME.mask.png`. See `docs/cutout.md`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench talks to a person and stops at the first fault"
)]

mod case;
mod photos;
mod score;
mod synthetic;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use pipeline::core::error::ErrorKind;
use pipeline::providers::local::cutout::{MatteCleaning, clean, cut_out};
use pipeline::providers::local::image::{Picture, encode};
use pipeline_core::model::MediaType;

use case::Case;
use score::{Row, Score};

/// Measures background removal against known masks.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Folder of cut-out photos: PNG files with alpha, also in folders below
    #[arg(long, value_name = "DIR")]
    stamps: Option<PathBuf>,
    /// Folder of photos to put them on
    #[arg(long, value_name = "DIR")]
    grounds: Option<PathBuf>,
    /// Folder of photos with masks
    #[arg(long, value_name = "DIR")]
    pairs: Option<PathBuf>,
    /// How many of the cut-out photos are taken
    #[arg(long, default_value_t = 60)]
    most: usize,
    /// Longest side of a composite
    #[arg(long, default_value_t = 640)]
    side: u32,
    /// A model to measure instead of `classical`, in a build with the feature `onnx`: the name of a section of `--providers`
    #[arg(long, value_name = "NAME", requires = "providers")]
    model: Option<String>,
    /// The providers file that describes it
    #[arg(long, value_name = "FILE")]
    providers: Option<PathBuf>,
    /// Folder for what was cut out, on grey, to look at
    #[arg(long, value_name = "DIR")]
    show: Option<PathBuf>,
    /// Print every case
    #[arg(long)]
    each: bool,
    /// Only the groups whose name begins so
    #[arg(long, default_value = "")]
    group: String,
}

/// What cuts.
enum Cutter {
    Classical,
    #[cfg(feature = "onnx")]
    Model(Box<model::Model>),
}

#[cfg(feature = "onnx")]
mod model;

impl Cutter {
    fn new(options: &Options) -> Self {
        match (&options.model, &options.providers) {
            #[cfg(feature = "onnx")]
            (Some(name), Some(file)) => Self::Model(Box::new(model::Model::load(name, file))),
            #[cfg(not(feature = "onnx"))]
            (Some(_), _) => panic!("build with --features onnx"),
            _ => Self::Classical,
        }
    }

    /// The picture and the confidence; nothing when it cannot decide.
    fn cut(&self, picture: &Picture) -> Option<(Picture, f32)> {
        let answer = match self {
            Self::Classical => cut_out(picture.clone()).map(|cutout| (cutout.picture, cutout.confidence)),
            #[cfg(feature = "onnx")]
            Self::Model(model) => model.cut(picture),
        };
        match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.kind() == ErrorKind::Unsupported => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The defaults of the stage.
const CLEANING: MatteCleaning = MatteCleaning { specks: 0.02, holes: 0.005, feather: 0, decontaminate: true };

fn main() {
    let options = Options::parse();
    let cutter = Cutter::new(&options);
    let mut cases = synthetic::cases();
    cases.extend(photos::cases(&options));
    cases.retain(|case| case.group.starts_with(&options.group));
    let mut scores: Vec<(Case, Option<Score>)> = Vec::new();
    for case in cases {
        let began = Instant::now();
        let found = cutter.cut(&case.picture);
        let time = began.elapsed();
        let score = found.map(|(picture, confidence)| {
            let clean = clean(picture, &CLEANING).unwrap().0;
            show(&options, &case, &clean);
            Score::of(&case, &clean, confidence, time)
        });
        if options.each {
            match &score {
                Some(score) => {
                    println!("{:<44} IoU {:.3}  confidence {:.2}", case.name(), score.overlap, score.confidence);
                }
                None => println!("{:<44} not decided", case.name()),
            }
        }
        scores.push((case, score));
    }
    println!("{}", Row::HEAD);
    let mut groups: Vec<&str> = Vec::new();
    for (case, _) in &scores {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
    }
    for group in groups {
        println!("{}", Row::of(group, scores.iter().filter(|(case, _)| case.group == group).map(|(_, score)| score)));
    }
    println!("{}", Row::of("all", scores.iter().map(|(_, score)| score)));
    println!("\n{}", score::thresholds(scores.iter().map(|(_, score)| score)));
    speed(&cutter, &options);
}

/// How long pictures of one and two megapixels take, decoded already.
fn speed(cutter: &Cutter, options: &Options) {
    if options.model.is_some() {
        return;
    }
    for side in [1024, 1448] {
        let picture = synthetic::large(side);
        let mut times: Vec<u128> = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            cutter.cut(&picture);
            times.push(began.elapsed().as_millis());
        }
        times.sort_unstable();
        let began = Instant::now();
        let (cut, _) = cutter.cut(&picture).unwrap();
        let cutting = began.elapsed();
        clean(cut.clone(), &CLEANING).unwrap();
        let cleaning = began.elapsed().saturating_sub(cutting);
        println!("{side} x {side}: {} ms at best of 5, cleaning {} ms", times[0], cleaning.as_millis());
    }
}

fn show(options: &Options, case: &Case, cutout: &Picture) {
    let Some(folder) = &options.show else { return };
    std::fs::create_dir_all(folder).unwrap();
    let mut flat = cutout.clone();
    flat.flatten([128; 3]);
    // Before and after, side by side.
    let rows =
        case.picture.pixels().chunks_exact(case.picture.width() * 3).zip(flat.pixels().chunks_exact(flat.width() * 3));
    let pixels: Vec<u8> = rows.flat_map(|(before, after)| [before, after].concat()).collect();
    let mut size = flat.size();
    size.width *= 2;
    let both = Picture::rgb(size, pixels).unwrap();
    let name = case.name().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    std::fs::write(folder.join(format!("{name}.jpg")), encode(&both, MediaType::Jpeg, 88).unwrap().bytes).unwrap();
}
