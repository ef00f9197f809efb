//! Pictures made by code, so that figures about them hold anywhere.

use std::fmt::Write as _;

use pipeline::providers::local::image::Picture;
use pipeline::providers::local::measures::measure;
use pipeline_core::Result;
use pipeline_core::provider::Dimensions;

use super::draws;
use super::measured::{MEASURES, value};
use super::spoil::SPOILS;

const SIZE: Dimensions = Dimensions { width: 480, height: 320 };
/// How many scenes the table is about.
const SCENES: u64 = 3;

/// Makes a scene with an even sky, a rough ground and things of all sizes in front, a little grainy.
///
/// # Errors
/// None.
pub fn scene(seed: u64) -> Result<Picture> {
    let mut draw = draws(seed + 1);
    let (across, down) = (f64::from(SIZE.width), f64::from(SIZE.height));
    let discs: Vec<[f64; 6]> = (0..40)
        .map(|_| {
            let low = 0.3 + 0.7 * draw();
            [draw() * across, low * down, 4.0 + draw() * 44.0 * low, draw(), draw(), draw()]
        })
        .collect();
    let rough: Vec<f64> = (0..SIZE.width * SIZE.height).map(|_| draw()).collect();
    let horizon = (0.35 + 0.2 * draw()) * down;
    let pixels = (0..SIZE.width * SIZE.height).zip(&rough).flat_map(|(n, rough)| {
        let (x, y) = (f64::from(n % SIZE.width), f64::from(n / SIZE.width));
        let disc = discs.iter().rev().find(|disc| (x - disc[0]).powi(2) + (y - disc[1]).powi(2) < disc[2].powi(2));
        let (colour, grain) = match disc {
            Some(disc) => {
                let light = 0.6 + 0.4 * ((disc[0] - x + disc[1] - y) / (2.0 * disc[2])).clamp(-1.0, 1.0);
                ([disc[3], disc[4], disc[5]].map(|part| (0.15 + 0.8 * part) * light), 0.02)
            }
            None if y < horizon => ([0.45, 0.6, 0.85].map(|part| part + 0.25 * y / down), 0.012),
            None => ([0.35, 0.42, 0.25].map(|part| part * (0.7 + 0.5 * y / down)), 0.16),
        };
        colour.map(|part| ((part + grain * (rough - 0.5)) * 255.0).round().clamp(0.0, 255.0) as u8)
    });
    Picture::rgb(SIZE, pixels.collect())
}

/// Measures the made scenes, and what spoils them at the strongest of each; a table in Markdown, means over the scenes.
///
/// # Errors
/// Those of making and measuring.
pub fn made_table() -> Result<String> {
    let scenes: Vec<Picture> = (0..SCENES).map(scene).collect::<Result<_>>()?;
    let mut table = format!("| made scenes | {} |\n|---|{}\n", MEASURES.join(" | "), "---|".repeat(MEASURES.len()));
    let mut row = |name: &str, pictures: &[Picture]| -> Result<()> {
        let found: Vec<_> = pictures.iter().map(|picture| measure(picture, None)).collect::<Result<_>>()?;
        let mean = |name: &str| {
            let values: Vec<f64> = found.iter().filter_map(|found| value(found, name)).collect();
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            if mean < 10.0 { format!("{mean:.3}") } else { format!("{mean:.1}") }
        };
        let cells: Vec<String> = MEASURES.iter().map(|name| mean(name)).collect();
        _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
        Ok(())
    };
    row("as made", &scenes)?;
    for spoil in SPOILS {
        let Some(strength) = spoil.strengths.last() else { continue };
        let spoilt: Vec<Picture> = scenes.iter().map(|scene| spoil.apply(scene, *strength)).collect::<Result<_>>()?;
        row(&format!("{} {strength}", spoil.name), &spoilt)?;
    }
    Ok(table)
}
