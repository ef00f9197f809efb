//! The styles by name, and the style a prompt asks for with its words.

use super::canvas::Canvas;
use super::palette::{Palette, is};
use super::random::Random;
use super::{flow, gradient, terrain, tiling, voronoi, waves};

/// A way of painting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Flow,
    Voronoi,
    Gradient,
    Tiling,
    Terrain,
    Waves,
}

/// Words that ask for a style.
const WORDS: &[(Style, &[&str])] = &[
    (
        Style::Terrain,
        &[
            "mountain",
            "desert",
            "landscape",
            "valley",
            "hill",
            "canyon",
            "forest",
            "lake",
            "dune",
            "alps",
            "horizon",
            "wilderness",
            "volcano",
        ],
    ),
    (
        Style::Voronoi,
        &["glass", "stone", "crystal", "cell", "pebble", "gem", "diamond", "giraffe", "leather", "rock", "quartz"],
    ),
    (
        Style::Tiling,
        &[
            "pattern",
            "geometric",
            "mosaic",
            "tile",
            "city",
            "hexagon",
            "cube",
            "weave",
            "kaleidoscope",
            "bauhaus",
            "grid",
        ],
    ),
    (Style::Waves, &["music", "sound", "signal", "radio", "rhythm", "pulse", "tide"]),
    (
        Style::Flow,
        &["ocean", "water", "wind", "hair", "sea", "river", "silk", "smoke", "fur", "grass", "flow", "wave", "ribbon"],
    ),
    (
        Style::Gradient,
        &[
            "sunset", "sky", "soft", "abstract", "aurora", "dream", "calm", "minimal", "gradient", "planet", "light",
            "sunrise",
        ],
    ),
];

impl Style {
    /// Every style.
    pub(super) const ALL: [Self; 6] =
        [Self::Flow, Self::Voronoi, Self::Gradient, Self::Tiling, Self::Terrain, Self::Waves];

    /// Returns the name it is asked for by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Voronoi => "voronoi",
            Self::Gradient => "gradient",
            Self::Tiling => "tiling",
            Self::Terrain => "terrain",
            Self::Waves => "waves",
        }
    }

    /// Finds a style by name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.name() == name)
    }

    /// Finds the style of a prompt: that of its first telling word, else one by `key`.
    pub(super) fn of(words: &[String], key: u64) -> Self {
        let told = words
            .iter()
            .find_map(|word| WORDS.iter().find(|(_, names)| names.iter().any(|name| is(word, name))))
            .map(|(style, _)| *style);
        told.or_else(|| Self::ALL.get(Random::new(key).below(Self::ALL.len())).copied()).unwrap_or(Self::Flow)
    }

    /// Paints a picture.
    pub(super) fn paint(self, canvas: &mut Canvas, palette: &Palette, words: &[String], chance: &mut Random) {
        match self {
            Self::Flow => flow::paint(canvas, palette, words, chance),
            Self::Voronoi => voronoi::paint(canvas, palette, words, chance),
            Self::Gradient => gradient::paint(canvas, palette, words, chance),
            Self::Tiling => tiling::paint(canvas, palette, words, chance),
            Self::Terrain => terrain::paint(canvas, palette, words, chance),
            Self::Waves => waves::paint(canvas, palette, words, chance),
        }
    }
}
