//! The colours of a picture: a restrained family that follows the prompt's words, else its hash.

use super::math::mix3;
use super::oklab::Lab;
use super::random::Random;

/// Steps of the ready-mixed ramp.
const STEPS: usize = 512;

/// A family of colours that go together.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// Five or so colours, darkest first.
    pub(super) colors: Vec<Lab>,
    /// One that stands out, for a sun or a single shape.
    pub(super) accent: Lab,
    /// Whether a dark ground suits it.
    pub(super) dark: bool,
    ramp: Vec<[f32; 3]>,
}

/// Words and the colours, darkest first, that belong to them; the last is the accent.
type Family = (&'static [&'static str], &'static [u32], bool);

/// Moods, seasons, places and materials.
#[expect(clippy::unreadable_literal, reason = "colours are written as in a style sheet")]
const FAMILIES: &[Family] = &[
    (
        &["sunset", "dusk", "sunrise", "dawn", "evening"],
        &[0x2B1B3D, 0x6B2D5C, 0xC8553D, 0xF28F3B, 0xFFD5A0, 0xFF5E5B],
        false,
    ),
    (
        &["forest", "woods", "jungle", "tree", "leaf", "moss", "fern"],
        &[0x10231C, 0x1F4734, 0x4A7C59, 0x9DB17C, 0xECE5C8, 0xE0A458],
        false,
    ),
    (
        &["ocean", "sea", "underwater", "river", "lake", "water", "wave"],
        &[0x06203A, 0x0B4F6C, 0x1C8CA8, 0x7CC6C3, 0xEAF4EC, 0xF4A259],
        false,
    ),
    (
        &["autumn", "fall", "harvest", "october", "november"],
        &[0x33170F, 0x7A2E1D, 0xBF5A26, 0xE09F3E, 0xF4E3C1, 0x5B7553],
        false,
    ),
    (
        &["winter", "snow", "ice", "frozen", "arctic", "glacier"],
        &[0x1B2A41, 0x3D5A80, 0x7FA3C4, 0xC0D6E4, 0xF6F9FB, 0xEE8A6F],
        false,
    ),
    (
        &["spring", "blossom", "cherry", "sakura", "april"],
        &[0x3A3550, 0x7A6C8F, 0xE58FA8, 0xF7C8CE, 0xF7F0E6, 0x7FB685],
        false,
    ),
    (
        &["summer", "beach", "tropical", "island", "lagoon"],
        &[0x073B4C, 0x118AB2, 0x3FC1B0, 0xFFD98E, 0xFFF4DC, 0xEF6F6C],
        false,
    ),
    (
        &["night", "midnight", "moon", "star", "galaxy", "cosmos", "space"],
        &[0x070B1E, 0x131A3F, 0x2E3A78, 0x6C6FB5, 0xD8D4F2, 0xF6D98B],
        true,
    ),
    (
        &["desert", "dune", "sand", "canyon", "sahara", "terracotta"],
        &[0x3B1C14, 0x8C3B1F, 0xC96F3B, 0xE7AE73, 0xF8E4C8, 0x3E7C8C],
        false,
    ),
    (
        &["lavender", "lilac", "provence", "wisteria"],
        &[0x2A2145, 0x5A4A8C, 0x9582C1, 0xC9B9E3, 0xF4EEF7, 0xE9B872],
        false,
    ),
    (
        &["coffee", "chocolate", "cocoa", "wood", "vintage", "sepia"],
        &[0x20130D, 0x4B2E20, 0x86593D, 0xC29B74, 0xF1E4D1, 0xB5533C],
        false,
    ),
    (&["storm", "rain", "fog", "mist", "cloud"], &[0x172029, 0x34444F, 0x647A85, 0xA7B6BA, 0xE9ECE8, 0xD9A441], false),
    (
        &["fire", "lava", "ember", "volcano", "flame"],
        &[0x160607, 0x4A0D12, 0xA3201D, 0xEE5A24, 0xFFC15E, 0xFFE9B8],
        true,
    ),
    (&["aurora", "northern", "polar"], &[0x050E1F, 0x0E2F44, 0x11737A, 0x3FD0A0, 0xC9F5CF, 0xB388EB], true),
    (
        &["neon", "cyberpunk", "synthwave", "electric", "disco"],
        &[0x0C0721, 0x34116B, 0x8A1FC0, 0xF72C8E, 0x4DE5F5, 0xFFE14D],
        true,
    ),
    (
        &["pastel", "baby", "candy", "gentle", "tender"],
        &[0x8C86A8, 0xB7A9D0, 0xF2B5C4, 0xBFE0D2, 0xFBF3DF, 0xF6C98F],
        false,
    ),
    (
        &["monochrome", "noir", "ink", "charcoal", "grayscale", "greyscale"],
        &[0x141414, 0x3B3B3A, 0x777673, 0xB9B7B2, 0xF3F1EC, 0xC8442F],
        false,
    ),
    (
        &["bauhaus", "retro", "primary", "modernist"],
        &[0x1D1D24, 0x1F4E8C, 0xD1382C, 0xF0B429, 0xF3EAD7, 0x2C8C74],
        false,
    ),
    (
        &["stone", "marble", "concrete", "pebble", "rock"],
        &[0x22252A, 0x4C5259, 0x8B8B86, 0xC6BFB2, 0xF2EDE4, 0xB87A4B],
        false,
    ),
    (&["crystal", "amethyst", "gem", "quartz"], &[0x1A0F2E, 0x46277A, 0x8C5AC8, 0xC7A7EE, 0xF5EDFB, 0x52D1C6], true),
    (
        &["meadow", "garden", "grass", "field", "prairie"],
        &[0x1B3022, 0x3F7040, 0x86A94F, 0xD7CF6E, 0xF8F3D6, 0xE4717A],
        false,
    ),
    (&["city", "urban", "skyline", "street"], &[0x1A1F2B, 0x3A4A63, 0xC4604A, 0xE8B46B, 0xF3E9DA, 0x3F8C8C], false),
];

/// Colours by name: hue in degrees, chroma, lightness of the middle.
const HUES: &[(&[&str], f32, f32, f32)] = &[
    (&["red", "crimson", "scarlet", "ruby"], 27.0, 0.19, 0.55),
    (&["orange", "tangerine", "apricot"], 55.0, 0.16, 0.68),
    (&["gold", "golden", "amber", "honey"], 80.0, 0.14, 0.72),
    (&["yellow", "lemon", "mustard"], 100.0, 0.15, 0.80),
    (&["lime", "olive"], 120.0, 0.13, 0.65),
    (&["green", "emerald", "sage", "jade"], 150.0, 0.12, 0.58),
    (&["mint", "turquoise", "aqua"], 180.0, 0.10, 0.72),
    (&["teal", "cyan"], 200.0, 0.10, 0.60),
    (&["blue", "azure", "cobalt", "sapphire"], 255.0, 0.15, 0.52),
    (&["navy", "indigo"], 270.0, 0.12, 0.38),
    (&["purple", "violet", "plum"], 305.0, 0.15, 0.50),
    (&["magenta", "fuchsia"], 335.0, 0.19, 0.58),
    (&["pink", "rose", "blush", "coral"], 5.0, 0.12, 0.72),
    (&["brown", "bronze", "copper", "rust"], 50.0, 0.09, 0.48),
    (&["black", "dark"], 270.0, 0.015, 0.30),
    (&["white", "ivory", "cream"], 85.0, 0.03, 0.85),
    (&["grey", "gray", "silver"], 250.0, 0.012, 0.62),
];

impl Palette {
    /// Finds the colours of a prompt: colour words first, then moods and places, else a harmony from `key`.
    ///
    /// `chance` varies them a little, so that siblings are a family and not copies.
    pub(super) fn of(words: &[String], key: u64, chance: &mut Random) -> Self {
        let named: Vec<_> = words
            .iter()
            .filter_map(|word| HUES.iter().find(|(names, ..)| names.iter().any(|name| is(word, name))))
            .collect();
        let family =
            words.iter().find_map(|word| FAMILIES.iter().find(|(names, ..)| names.iter().any(|name| is(word, name))));
        let (colors, dark) = match (named.as_slice(), family) {
            ([], Some((_, hexes, dark))) => (hexes.iter().map(|hex| Lab::hex(*hex)).collect(), *dark),
            ([], None) => from_key(key),
            ([(_, hue, chroma, middle), rest @ ..], _) => {
                let partner = rest.first().map_or((hue + 165.0, 0.11), |(_, other, chroma, _)| (*other, *chroma));
                (around(*hue, *chroma, *middle, 24.0, partner), *middle < 0.42)
            }
        };
        Self::mixed(colors, dark, chance)
    }

    fn mixed(mut colors: Vec<Lab>, dark: bool, chance: &mut Random) -> Self {
        let (turn, lift) = (chance.range(-7.0_f32, 7.0).to_radians(), chance.range(-0.018, 0.018));
        let (sin, cos) = (libm::sinf(turn), libm::cosf(turn));
        for color in &mut colors {
            *color = Lab { l: color.l + lift, a: color.a * cos - color.b * sin, b: color.a * sin + color.b * cos };
        }
        let accent = colors.pop().unwrap_or_default();
        colors.sort_by(|a, b| a.l.total_cmp(&b.l));
        let last = colors.len().saturating_sub(1);
        let ramp = (0..=STEPS)
            .map(|step| {
                let place = step as f32 / STEPS as f32 * last as f32;
                let index = (place as usize).min(last.saturating_sub(1));
                let low = colors.get(index).copied().unwrap_or_default();
                let high = colors.get(index + 1).copied().unwrap_or(low);
                low.mix(high, place - index as f32).linear().map(|v| v.clamp(0.0, 1.0))
            })
            .collect();
        Self { colors, accent, dark, ramp }
    }

    /// Returns the light of a place from the darkest colour, 0, to the lightest, 1.
    pub(super) fn ramp(&self, t: f32) -> [f32; 3] {
        let place = t.clamp(0.0, 1.0) * STEPS as f32;
        let index = place as usize;
        let low = self.ramp.get(index).copied().unwrap_or_default();
        let high = self.ramp.get(index + 1).copied().unwrap_or(low);
        mix3(low, high, place - index as f32)
    }

    /// Returns the light of one of the colours, counted round and round.
    pub(super) fn color(&self, index: usize) -> [f32; 3] {
        self.colors.get(index % self.colors.len().max(1)).copied().unwrap_or_default().linear().map(|v| v.max(0.0))
    }

    /// Returns the light of the accent.
    pub(super) fn accent(&self) -> [f32; 3] {
        self.accent.linear().map(|v| v.clamp(0.0, 1.0))
    }
}

/// Tells whether a word is a name or its plural.
pub(super) fn is(word: &str, name: &str) -> bool {
    word.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | "s" | "es"))
}

/// Mixes a family round one hue; the accent lies at the partner's.
fn around(hue: f32, chroma: f32, middle: f32, spread: f32, (partner, strength): (f32, f32)) -> Vec<Lab> {
    vec![
        Lab::lch(middle * 0.40, chroma * 0.55, hue - spread),
        Lab::lch(middle * 0.70, chroma * 0.95, hue - spread * 0.4),
        Lab::lch(middle, chroma, hue),
        Lab::lch(middle + (0.93 - middle) * 0.5, chroma * 0.75, hue + spread),
        Lab::lch(0.945, chroma.min(0.03), hue + spread * 1.6),
        Lab::lch(0.72, strength, partner),
    ]
}

/// Mixes a family from a hash: near hues, or two that face each other.
fn from_key(key: u64) -> (Vec<Lab>, bool) {
    let mut chance = Random::new(key);
    // Dark yellows look muddy: the base hue stays out of them.
    let hue = chance.range(135.0, 425.0);
    let chroma = chance.range(0.085, 0.15);
    let middle = chance.range(0.50, 0.66);
    let spread = chance.range(18.0, 55.0) * if chance.chance(0.5) { 1.0 } else { -1.0 };
    let facing = chance.pick(&[150.0, 180.0, 210.0, 120.0]);
    let mut colors = around(hue, chroma, middle, spread, (hue + facing, 0.14));
    if chance.chance(0.5) {
        // Two families: the light half leans to the partner.
        if let Some(color) = colors.get_mut(3) {
            *color = Lab::lch(0.80, chroma * 0.8, hue + facing * 0.9);
        }
    }
    (colors, chance.chance(0.35))
}
