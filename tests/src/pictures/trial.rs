//! What decoding and processing make of a file, and what they take for it.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use pipeline::core::error::chain;
use pipeline::core::model::MediaType;
use pipeline::core::provider::{
    Anchor, ColorProfile, EmbedMetadataRequest, Encoding, ImageFile, KeepExif, OutputFormat, ProcessRequest,
    ProcessStep, ResizeFit, ResizeKernel,
};
use pipeline::core::{Error, ErrorKind};
use pipeline::providers::local::image::{Limits, embed, inspect, probe, process};

use super::mutation::Mutator;

/// Most bytes that one file may take at once: what decoding may take, twelve bytes for each pixel of the largest
/// picture that is processed, and room for the tables of encoders.
const MOST_MEMORY: usize = (64 << 20) + 12 * 4_000_000 + (16 << 20);
/// The longest that one file may take.
const MOST_TIME: Duration = Duration::from_secs(10);

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was processed.
    Done,
    /// It was refused, with an error of this kind.
    Refused(ErrorKind),
    /// Something was broken by it: a panic, an error that is nobody's fault, or a bound that did not hold.
    Broken(String),
}

/// Runs damaged files through decoding and processing, and counts.
#[derive(Debug)]
pub struct Trial {
    seed: u64,
    mutator: Mutator,
    memory: &'static PeakAlloc,
    /// How often each outcome came for each format.
    counts: BTreeMap<(String, String), u64>,
    /// What was broken, with the number of the case.
    pub broken: Vec<(u64, String)>,
    slowest: (Duration, u64),
    largest: (usize, u64),
    tried: u64,
}

impl Trial {
    /// Makes one that reads the memory in use off the program's allocator.
    pub fn new(seed: u64, memory: &'static PeakAlloc) -> Self {
        let (slowest, largest) = ((Duration::ZERO, 0), (0, 0));
        let (mutator, counts, broken) = (Mutator::new(seed), BTreeMap::new(), Vec::new());
        Self { seed, mutator, memory, counts, broken, slowest, largest, tried: 0 }
    }

    /// Returns the file of a case.
    pub fn file(&self, number: u64) -> (&'static str, Vec<u8>) {
        self.mutator.case(number)
    }

    /// Tries one case.
    pub fn run(&mut self, number: u64) -> Outcome {
        let (name, bytes) = self.mutator.case(number);
        let request = request(bytes, number);
        let limits = Limits {
            max_side: 5_000,
            max_pixels: 4_000_000,
            max_memory: 64 << 20,
            ..Limits::DEFAULT.until(Instant::now().checked_add(MOST_TIME))
        };
        let before = self.memory.current_usage();
        self.memory.reset_peak_usage();
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let processed = process(&request, limits).map(|_| ());
            also(&request.image, limits).map_or(processed, Err)
        }));
        let (time, memory) = (start.elapsed(), self.memory.peak_usage().saturating_sub(before));
        self.slowest = self.slowest.max((time, number));
        self.largest = self.largest.max((memory, number));
        self.tried += 1;
        let outcome = match result {
            Err(_) => Outcome::Broken("a panic".to_owned()),
            Ok(_) if memory > MOST_MEMORY => Outcome::Broken(format!("{memory} bytes of memory")),
            Ok(_) if time > MOST_TIME * 2 => Outcome::Broken(format!("{time:?}")),
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => match error.kind() {
                kind @ (ErrorKind::Corrupt | ErrorKind::Unsupported) => Outcome::Refused(kind),
                _ => Outcome::Broken(chain(&error)),
            },
        };
        let word = match &outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Refused(kind) => kind.code().to_owned(),
            Outcome::Broken(what) => {
                self.broken.push((number, format!("{name}: {what}")));
                "BROKEN".to_owned()
            }
        };
        let format = name.rsplit('.').next().unwrap_or_default().to_owned();
        *self.counts.entry((format, word)).or_default() += 1;
        outcome
    }
}

/// What else reads such a file: looking at its headers and at its colours, and writing metadata into it. Returns what none of
/// them may answer.
fn also(image: &ImageFile, limits: Limits) -> Option<Error> {
    let texts = EmbedMetadataRequest {
        image: image.clone(),
        title: "Title".to_owned(),
        description: "Description".to_owned(),
        keywords: vec!["one".to_owned(), "two".to_owned()],
        creator: None,
        rights: None,
        source: None,
    };
    let answers = [probe(&image.bytes).map(|_| ()), inspect(image, limits).map(|_| ()), embed(&texts).map(|_| ())];
    let expected = |error: &Error| matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
    answers.into_iter().filter_map(Result::err).find(|error| !expected(error))
}

/// A request that does something of everything, and another one with another number.
fn request(bytes: Vec<u8>, number: u64) -> ProcessRequest {
    let resize = ProcessStep::Resize {
        width: Some(64),
        height: Some(64),
        fit: ResizeFit::Inside,
        position: Anchor::Center,
        kernel: ResizeKernel::Lanczos3,
        enlarge: false,
        fill: [255; 4],
    };
    let modulate = ProcessStep::Modulate { brightness: 1.0, saturation: 1.2, hue: 0.0 };
    let format = match number % 3 {
        0 => OutputFormat::Png,
        1 => OutputFormat::Jpeg,
        _ => OutputFormat::Webp,
    };
    let color = if number.is_multiple_of(2) { ColorProfile::Srgb } else { ColorProfile::Keep };
    let image = ImageFile { bytes: Bytes::from(bytes), media_type: MediaType::Png };
    let request = ProcessRequest::new(image)
        .steps([resize, ProcessStep::Sharpen { amount: 2.0 }, modulate])
        .encoding(Encoding::new(format).quality(80));
    let exif = if number.is_multiple_of(5) { KeepExif::All } else { KeepExif::Nothing };
    ProcessRequest { color, exif, ..request }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} files of seed {}", self.tried, self.seed)?;
        for ((format, outcome), count) in &self.counts {
            writeln!(f, "  {format:5} {outcome:12} {count}")?;
        }
        let ((time, slow), (memory, large)) = (self.slowest, self.largest);
        writeln!(f, "slowest: case {slow}, {:.1} ms", time.as_secs_f64() * 1e3)?;
        writeln!(f, "largest: case {large}, {:.1} MiB of {} MiB", memory as f64 / 1_048_576.0, MOST_MEMORY >> 20)?;
        for (number, what) in &self.broken {
            writeln!(f, "BROKEN: case {number}, {what}; again: --seed {} --first {number} --count 1", self.seed)?;
        }
        Ok(())
    }
}
