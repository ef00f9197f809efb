//! The jobs that are measured, and what is promised of them.

use pipeline_core::provider::{Anchor, Encoding, OutputFormat, ProcessStep, ResizeFit, ResizeKernel, TrimBorder};

/// What is done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Saturation 1.2, sharpening of sigma 1, JPEG 90.
    Enhance,
    /// The same as a PNG, to compare pixels.
    EnhancePng,
    /// WebP 85.
    Webp,
    /// To a width of 1024, JPEG 90.
    Resize,
    /// The same as a PNG, to compare pixels.
    ResizePng,
    /// To a width of 512, JPEG 90: from a JPEG.
    ResizeHalf,
    /// JPEG 90.
    Jpeg,
    /// PNG.
    Png,
    /// Transparent borders off, on white, JPEG 90.
    TrimAlpha,
    /// Borders of the corner's colour off, JPEG 90.
    TrimCorner,
    /// AVIF 50, in a build with the feature `avif`.
    Avif,
}

impl Job {
    const ALL: &[Self] = &[
        Self::Enhance,
        Self::EnhancePng,
        Self::Webp,
        Self::Resize,
        Self::ResizePng,
        Self::ResizeHalf,
        Self::Jpeg,
        Self::Png,
        Self::TrimAlpha,
        Self::TrimCorner,
        Self::Avif,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enhance => "enhance",
            Self::EnhancePng => "enhance_png",
            Self::Webp => "webp",
            Self::Resize => "resize",
            Self::ResizePng => "resize_png",
            Self::ResizeHalf => "resize_half",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::TrimAlpha => "trim_alpha",
            Self::TrimCorner => "trim_corner",
            Self::Avif => "avif",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.iter().copied().find(|job| job.name() == name).expect("a job of this bench")
    }

    pub(crate) fn steps(self) -> Vec<ProcessStep> {
        let trim = |border| vec![ProcessStep::Trim { border, tolerance: 10 }];
        match self {
            Self::Enhance | Self::EnhancePng => vec![
                ProcessStep::Modulate { brightness: 1.0, saturation: 1.2, hue: 0.0 },
                ProcessStep::Sharpen { amount: 5.0 },
            ],
            Self::Resize | Self::ResizePng => vec![to_width(1024)],
            Self::ResizeHalf => vec![to_width(512)],
            Self::TrimAlpha => trim(TrimBorder::Alpha),
            Self::TrimCorner => trim(TrimBorder::Corner),
            Self::Webp | Self::Jpeg | Self::Png | Self::Avif => Vec::new(),
        }
    }

    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::Webp => Encoding::new(OutputFormat::Webp).quality(85),
            Self::Png | Self::EnhancePng | Self::ResizePng => Encoding::new(OutputFormat::Png),
            Self::Avif => Encoding::new(OutputFormat::Avif).quality(50),
            _ => Encoding::new(OutputFormat::Jpeg).quality(90),
        }
    }
}

fn to_width(width: u32) -> ProcessStep {
    ProcessStep::Resize {
        width: Some(width),
        height: None,
        fit: ResizeFit::Inside,
        position: Anchor::Center,
        kernel: ResizeKernel::Lanczos3,
        enlarge: false,
        fill: [0; 4],
    }
}

/// Which pictures a row takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Opaque PNG.
    Plain,
    /// A cut-out on nothing.
    CutOut,
    /// On a white ground.
    Framed,
    /// A JPEG.
    Jpeg,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) job: Job,
    pub(crate) input: Input,
    pub(crate) side: u32,
    /// How many pictures, by how many workers; one is a single picture.
    pub(crate) batch: usize,
    pub(crate) workers: usize,
    /// Threads that are set for sharp; 0 is its own choice.
    pub(crate) threads: usize,
    /// How many times as fast as sharp it has to be.
    pub(crate) promised: Option<f64>,
    /// By which part the result has to be shorter.
    pub(crate) shorter: Option<f64>,
}

/// All rows up to this size.
pub(crate) fn rows(largest: u32) -> Vec<Row> {
    let single = |job: Job, input, side, promised| Row {
        name: format!("{} {side}", job.name()),
        job,
        input,
        side,
        batch: 1,
        workers: 1,
        threads: 0,
        promised,
        shorter: (job == Job::Png).then_some(0.25),
    };
    let batch = |job: Job, input, side, promised| Row {
        name: format!("{} {side} x 32", job.name()),
        batch: 32,
        workers: 2,
        ..single(job, input, side, promised)
    };
    let mut rows = Vec::new();
    for side in [1024, 2048, 4096] {
        rows.push(single(Job::Enhance, Input::Plain, side, Some(2.5)));
        if side == 4096 {
            let both = Row { threads: 2, ..single(Job::Enhance, Input::Plain, side, Some(1.7)) };
            rows.push(Row { name: "enhance 4096, sharp.concurrency(2)".to_owned(), ..both });
        }
        rows.push(single(Job::Webp, Input::Plain, side, Some(1.0)));
        if side > 1024 {
            rows.push(single(Job::Resize, Input::Plain, side, Some(1.3)));
        }
        rows.push(single(Job::Jpeg, Input::Plain, side, None));
        rows.push(single(Job::Png, Input::Plain, side, Some(2.0)));
        rows.push(single(Job::TrimAlpha, Input::CutOut, side, Some(5.0)));
        rows.push(single(Job::TrimCorner, Input::Framed, side, Some(1.5)));
        rows.push(single(Job::ResizeHalf, Input::Jpeg, side, None));
    }
    if cfg!(feature = "avif") {
        rows.push(single(Job::Avif, Input::Plain, 1024, None));
    }
    rows.push(batch(Job::Enhance, Input::Plain, 1024, Some(2.5)));
    rows.push(batch(Job::Webp, Input::Plain, 1024, Some(1.0)));
    rows.push(batch(Job::Enhance, Input::Plain, 2048, Some(2.5)));
    rows.push(batch(Job::Resize, Input::Plain, 2048, Some(1.3)));
    rows.push(batch(Job::TrimAlpha, Input::CutOut, 2048, Some(5.0)));
    rows.push(batch(Job::TrimCorner, Input::Framed, 2048, Some(1.5)));
    rows.retain(|row| row.side <= largest);
    rows
}
