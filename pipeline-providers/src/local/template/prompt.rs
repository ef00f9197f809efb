//! An image prompt from a keyword.

use crate::local::procedural::random::Random;

const LOOKS: &[&str] = &[
    "serene",
    "luminous",
    "timeless",
    "dramatic",
    "intimate",
    "dreamlike",
    "bold",
    "delicate",
    "majestic",
    "playful",
    "weathered",
    "minimal",
];
const LIGHTS: &[&str] = &[
    "in soft morning light",
    "under a glowing sunset sky",
    "in crisp winter light",
    "lit from behind by a low sun",
    "in gentle overcast light",
    "beneath a clear night sky",
    "in warm golden light",
    "with deep shadows and bright edges",
];
const FRAMES: &[&str] = &[
    "a wide view with generous space around the subject",
    "a close view that fills the frame",
    "a balanced composition on the rule of thirds",
    "a symmetrical composition with a strong centre",
    "layers of foreground, middle ground and distance",
    "a low viewpoint that gives it height",
];
const PALETTES: &[&str] = &[
    "a restrained palette of two colours and one accent",
    "muted earth colours",
    "cool blues with a warm accent",
    "rich jewel colours",
    "soft pastel colours",
    "warm autumn colours",
    "deep greens and cream",
];
const FINISHES: &[&str] =
    &["fine texture and film grain", "clean edges and calm surfaces", "visible brushwork", "sharp detail throughout"];

/// Writes an image prompt: the instructions when there are some, else a sentence about the keyword.
pub(super) fn write(keyword: &str, instructions: &str, seed: u64) -> String {
    let base = instructions.split_whitespace().collect::<Vec<_>>().join(" ");
    if !base.is_empty() {
        return base;
    }
    let keyword = keyword.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chance = Random::new(seed);
    let look = chance.pick(LOOKS);
    let light = chance.pick(LIGHTS);
    let frame = chance.pick(FRAMES);
    let palette = chance.pick(PALETTES);
    let finish = chance.pick(FINISHES);
    let article = if look.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
    format!("{article} {look} picture of {keyword} {light}, {frame}, {palette}, {finish}.")
}
