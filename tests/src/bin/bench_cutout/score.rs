//! How close a cut-out comes to what is known, and what many come to.

use std::time::Duration;

use pipeline::providers::local::image::Picture;

use crate::case::Case;

/// How close one cut-out came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    /// Intersection over union of what is at least half opaque.
    pub(crate) overlap: f64,
    /// Mean difference of the opacity, 0 to 255.
    pub(crate) error: f64,
    /// What the cutter thought of it.
    pub(crate) confidence: f32,
    /// How long it took.
    pub(crate) time: Duration,
}

impl Score {
    pub(crate) fn of(case: &Case, cutout: &Picture, confidence: f32, time: Duration) -> Self {
        let channels = cutout.channels();
        let found = cutout.pixels().chunks_exact(channels).map(|pixel| pixel.get(3).copied().unwrap_or(255));
        let (mut both, mut either, mut error) = (0_u64, 0_u64, 0_u64);
        for (found, truth) in found.zip(&case.truth) {
            both += u64::from(found >= 128 && *truth >= 128);
            either += u64::from(found >= 128 || *truth >= 128);
            error += u64::from(found.abs_diff(*truth));
        }
        Self {
            overlap: both as f64 / either.max(1) as f64,
            error: error as f64 / case.truth.len() as f64,
            confidence,
            time,
        }
    }
}

/// What a group of cases came to.
pub(crate) struct Row(String);

impl Row {
    pub(crate) const HEAD: &str =
        "group                     cases  not decided  mean IoU  median  at least 0.9  alpha error  confidence     ms";

    pub(crate) fn of<'a>(group: &str, scores: impl Iterator<Item = &'a Option<Score>>) -> Self {
        let scores: Vec<&Option<Score>> = scores.collect();
        let mut found: Vec<Score> = scores.iter().filter_map(|score| **score).collect();
        found.sort_by(|one, two| one.overlap.total_cmp(&two.overlap));
        let count = found.len().max(1) as f64;
        let mean = |of: fn(&Score) -> f64| found.iter().map(of).sum::<f64>() / count;
        let good = found.iter().filter(|score| score.overlap >= 0.9).count() as f64 / count;
        Self(format!(
            "{group:<25} {:>5} {:>12} {:>9.3} {:>7.3} {:>11.0} % {:>12.1} {:>11.2} {:>6.0}",
            scores.len(),
            scores.len() - found.len(),
            mean(|score| score.overlap),
            found.get(found.len() / 2).map_or(0.0, |score| score.overlap),
            100.0 * good,
            mean(|score| score.error),
            mean(|score| f64::from(score.confidence)),
            mean(|score| score.time.as_secs_f64() * 1e3),
        ))
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a least confidence lets pass, and how good that is.
pub(crate) fn thresholds<'a>(scores: impl Iterator<Item = &'a Option<Score>>) -> String {
    let scores: Vec<&Option<Score>> = scores.collect();
    let mut lines =
        vec!["least confidence  passes  mean IoU  below 0.7 of those that pass  good ones (0.9) refused".to_owned()];
    for step in 0..10 {
        let least = step as f32 / 10.0;
        let found = || scores.iter().filter_map(|score| **score);
        let passed: Vec<Score> = found().filter(|score| score.confidence >= least).collect();
        let count = passed.len().max(1) as f64;
        let bad = passed.iter().filter(|score| score.overlap < 0.7).count() as f64;
        let good = found().filter(|score| score.overlap >= 0.9).count().max(1) as f64;
        let lost = found().filter(|score| score.overlap >= 0.9 && score.confidence < least).count() as f64;
        lines.push(format!(
            "{least:>16.1} {:>5.0} % {:>9.3} {:>27.0} % {:>22.0} %",
            100.0 * passed.len() as f64 / scores.len().max(1) as f64,
            passed.iter().map(|score| score.overlap).sum::<f64>() / count,
            100.0 * bad / count,
            100.0 * lost / good,
        ));
    }
    lines.join("\n")
}
