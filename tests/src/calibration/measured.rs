//! The measures by name.

use pipeline::providers::local::measures::Measurements;

/// The measures that have a threshold, in the order of the tables.
pub const MEASURES: [&str; 12] = [
    "sharpness",
    "noise",
    "brightness",
    "contrast",
    "clipped_shadows",
    "clipped_highlights",
    "clipping",
    "entropy",
    "colorfulness",
    "blockiness",
    "letterbox",
    "brisque",
];

/// Returns a measure by its name; nothing when the picture lacks it or there is no such measure.
pub fn value(found: &Measurements, name: &str) -> Option<f64> {
    match name {
        "sharpness" => found.sharpness,
        "noise" => found.noise,
        "brightness" => found.brightness,
        "contrast" => found.contrast,
        "clipped_shadows" => found.clipped_shadows,
        "clipped_highlights" => found.clipped_highlights,
        "clipping" => found.clipping,
        "entropy" => found.entropy,
        "colorfulness" => found.colorfulness,
        "blockiness" => found.blockiness,
        "letterbox" => found.letterbox,
        "brisque" => found.brisque,
        _ => None,
    }
}
