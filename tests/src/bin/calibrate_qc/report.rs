//! What was measured, and the tables made of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pipeline::providers::local::measures::{Measurements, judge, measure};
use pipeline_core::model::Verdict;
use pipeline_core::provider::QualityRules;
use pipeline_testkit::calibration::{MEASURES, SPOILS, value};

use crate::sample::Sample;

/// Shares of the good photographs that a threshold may refuse, in the curves.
const REFUSED: [f64; 6] = [0.0, 0.01, 0.025, 0.05, 0.1, 0.2];

/// Measurements of all pictures.
pub(crate) struct Report {
    photos: Vec<Measurements>,
    others: Vec<Measurements>,
    /// By fault and strength, as they stand in `SPOILS`.
    spoilt: BTreeMap<(usize, usize), Vec<Measurements>>,
}

impl Report {
    /// Measures the pictures as they are and spoilt, on two threads.
    pub(crate) fn measure(photos: &[Sample], others: &[Sample]) -> Self {
        let next = AtomicUsize::new(0);
        let spoilt = Mutex::new(BTreeMap::new());
        let work = || {
            while let Some(photo) = photos.get(next.fetch_add(1, Ordering::Relaxed)) {
                for (fault, spoil) in SPOILS.iter().enumerate() {
                    for (at, strength) in spoil.strengths.iter().enumerate() {
                        let found = measure(&spoil.apply(&photo.picture, *strength).unwrap(), None).unwrap();
                        spoilt.lock().unwrap().entry((fault, at)).or_insert_with(Vec::new).push(found);
                    }
                }
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
        let measured = |samples: &[Sample]| samples.iter().map(|one| measure(&one.picture, None).unwrap()).collect();
        Self { photos: measured(photos), others: measured(others), spoilt: spoilt.into_inner().unwrap() }
    }

    pub(crate) fn print_each(&self, photos: &[Sample], others: &[Sample]) {
        println!("\n### Each picture\n\n| file | {} |\n|---|{}", MEASURES.join(" | "), "---|".repeat(MEASURES.len()));
        for (sample, found) in photos.iter().zip(&self.photos).chain(others.iter().zip(&self.others)) {
            let cells = MEASURES.map(|name| value(found, name).map_or_else(|| "-".to_owned(), plain));
            println!("| {} | {} |", sample.name, cells.join(" | "));
        }
    }

    pub(crate) fn print_distributions(&self) {
        const SHARES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];
        println!(
            "\n### Distributions\n\n| measure | of | least | 1 % | 5 % | 25 % | median | 75 % | 95 % | 99 % | most |"
        );
        println!("|---|---|{}", "---|".repeat(SHARES.len()));
        for name in MEASURES {
            for (group, found) in [("photographs", &self.photos), ("others", &self.others)] {
                let values = sorted(found, name);
                let cells = SHARES.map(|share| quantile(&values, share).map_or_else(String::new, plain));
                println!("| {name} | {group} | {} |", cells.join(" | "));
            }
        }
    }

    pub(crate) fn print_spoilt(&self) {
        println!("\n### Spoilt photographs: median (10 % to 90 %)\n\n| fault | strength | {} |", MEASURES.join(" | "));
        println!("|---|---|{}", "---|".repeat(MEASURES.len()));
        for ((fault, at), found) in &self.spoilt {
            let spoil = &SPOILS[*fault];
            let cells = MEASURES.map(|name| {
                let values = sorted(found, name);
                let [low, middle, high] =
                    [0.1, 0.5, 0.9].map(|share| quantile(&values, share).map_or_else(String::new, plain));
                format!("{middle} ({low} to {high})")
            });
            println!("| {} | {} | {} |", spoil.name, spoil.strengths[*at], cells.join(" | "));
        }
    }

    /// For each fault and measure that should find it: thresholds by the share of good photographs they refuse, and the
    /// share of spoilt ones they catch.
    pub(crate) fn print_curves(&self) {
        println!("\n### Curves: share caught at the threshold that refuses a share of the good photographs");
        for (fault, spoil) in SPOILS.iter().enumerate() {
            for name in spoil.found_by {
                let good = sorted(&self.photos, name);
                let least = finds_least(name, spoil.name);
                let strengths: Vec<String> = spoil.strengths.iter().map(f64::to_string).collect();
                println!(
                    "\n{} ({}) by {name}, {}\n",
                    spoil.name,
                    spoil.unit,
                    if least { "at least" } else { "at most" }
                );
                println!(
                    "| good refused | threshold | {} |\n|---|---|{}",
                    strengths.join(" | "),
                    "---|".repeat(strengths.len())
                );
                for refused in REFUSED {
                    let Some(threshold) = quantile(&good, if least { refused } else { 1.0 - refused }) else {
                        continue;
                    };
                    let cells: Vec<String> = (0..spoil.strengths.len())
                        .map(|at| {
                            let found = &self.spoilt[&(fault, at)];
                            let caught = found.iter().filter_map(|found| value(found, name));
                            let caught =
                                caught.filter(|found| if least { *found < threshold } else { *found > threshold });
                            percent(caught.count(), found.len())
                        })
                        .collect();
                    println!(
                        "| {} | {} | {} |",
                        percent((refused * 1e3) as usize, 1000),
                        plain(threshold),
                        cells.join(" | ")
                    );
                }
            }
        }
    }

    /// What the rules do at their defaults.
    pub(crate) fn print_defaults(&self, photos: &[Sample], others: &[Sample]) {
        // Small pictures of the set are not what is asked about.
        let rules = QualityRules { min_side: None, ..QualityRules::default() };
        let codes = |found: &Measurements| match judge(found, &rules, None).unwrap() {
            Verdict::Fail { reasons } => reasons.into_iter().map(|reason| reason.code).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        println!("\n### At the defaults\n\n{rules:?}\n\n| pictures | refused | for |\n|---|---|---|");
        let row = |name: &str, found: &[Measurements]| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let refused = found.iter().filter(|found| {
                let codes = codes(found);
                for code in &codes {
                    *counts.entry(code.clone()).or_default() += 1;
                }
                !codes.is_empty()
            });
            let refused = refused.count();
            let causes: Vec<String> =
                counts.iter().map(|(code, count)| format!("{code} {}", percent(*count, found.len()))).collect();
            println!("| {name} | {} | {} |", percent(refused, found.len()), causes.join(", "));
        };
        row("photographs", &self.photos);
        row("others", &self.others);
        for ((fault, at), found) in &self.spoilt {
            row(&format!("{} {}", SPOILS[*fault].name, SPOILS[*fault].strengths[*at]), found);
        }
        println!("\nRefused though not spoilt:\n");
        for (sample, found) in photos.iter().zip(&self.photos).chain(others.iter().zip(&self.others)) {
            let codes = codes(found);
            if !codes.is_empty() {
                println!("- `{}`: {}", sample.name, codes.join(", "));
            }
        }
    }
}

/// Whether too little of the measure is the fault.
fn finds_least(measure: &str, fault: &str) -> bool {
    match measure {
        "sharpness" | "contrast" | "entropy" | "colorfulness" => true,
        "brightness" => fault == "underexposure",
        _ => false,
    }
}

fn sorted(found: &[Measurements], name: &str) -> Vec<f64> {
    let mut values: Vec<f64> = found.iter().filter_map(|found| value(found, name)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that this share of the sorted values stays below.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    values.get((share * last as f64).round() as usize).copied()
}

pub(crate) fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn plain(value: f64) -> String {
    match value.abs() {
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
