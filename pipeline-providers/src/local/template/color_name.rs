//! The name a person would give a colour.

use crate::local::procedural::oklab::Lab;

/// Names and their colours.
#[expect(clippy::unreadable_literal, reason = "colours are written as in a style sheet")]
const NAMES: &[(&str, u32)] = &[
    ("black", 0x0A0A0A),
    ("charcoal", 0x36393E),
    ("grey", 0x808080),
    ("silver", 0xBFC1C2),
    ("light grey", 0xDADADA),
    ("white", 0xFCFCFC),
    ("ivory", 0xF6F0DC),
    ("cream", 0xF9E8C4),
    ("beige", 0xE0CFB1),
    ("tan", 0xCBA876),
    ("sand", 0xD8BE8C),
    ("taupe", 0x8A7A6D),
    ("brown", 0x7A4A24),
    ("chocolate", 0x472A19),
    ("chestnut", 0x8A3B28),
    ("rust", 0xA9441F),
    ("terracotta", 0xC7643F),
    ("burnt orange", 0xCC5A14),
    ("orange", 0xF7891E),
    ("apricot", 0xF8BE8B),
    ("peach", 0xFBD0B0),
    ("coral", 0xF77F66),
    ("salmon", 0xEE9480),
    ("red", 0xDB2222),
    ("crimson", 0xB3122F),
    ("burgundy", 0x6C1428),
    ("maroon", 0x5A1416),
    ("pink", 0xF49AB8),
    ("hot pink", 0xF53F93),
    ("blush", 0xEFCBCB),
    ("rose", 0xD9637F),
    ("magenta", 0xD926B5),
    ("plum", 0x7E3C72),
    ("purple", 0x76309F),
    ("violet", 0x8A4FE0),
    ("lavender", 0xC2B3E6),
    ("lilac", 0xCFA3D6),
    ("mauve", 0xA9849C),
    ("indigo", 0x3D2A85),
    ("navy", 0x0C1550),
    ("midnight blue", 0x0A0D26),
    ("royal blue", 0x2F56D0),
    ("blue", 0x2264E0),
    ("steel blue", 0x4C7CA8),
    ("slate", 0x5B6B7B),
    ("sky blue", 0x86C5EC),
    ("powder blue", 0xBBD8E6),
    ("cyan", 0x25CFE2),
    ("turquoise", 0x3CCBC0),
    ("teal", 0x0E7F80),
    ("dark teal", 0x0C4A50),
    ("aqua", 0x8BE2DE),
    ("mint", 0xB0E6CB),
    ("sea green", 0x379A76),
    ("emerald", 0x13985A),
    ("green", 0x2E9A37),
    ("dark green", 0x123F23),
    ("forest green", 0x256632),
    ("sage", 0xA3B391),
    ("olive", 0x74742A),
    ("moss", 0x5B6B3A),
    ("lime", 0xA7DA2C),
    ("chartreuse", 0xD3EA4A),
    ("yellow", 0xF9E32A),
    ("lemon", 0xFAF08C),
    ("mustard", 0xD2A421),
    ("gold", 0xE3B634),
    ("amber", 0xF4AE22),
    ("ochre", 0xB47C2B),
    ("bronze", 0x97702F),
];

/// Returns the name a person would give a colour, for example `teal`, `burnt orange` or `navy`.
///
/// ```
/// assert_eq!(pipeline_providers::local::template::color_name([0, 128, 128]), "teal");
/// ```
pub fn color_name(rgb: [u8; 3]) -> &'static str {
    let color = Lab::srgb(rgb);
    NAMES
        .iter()
        .map(|(name, hex)| (name, color.distance(Lab::hex(*hex))))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or("grey", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_a_person_would_use() {
        for (rgb, name) in [
            ([0, 0, 0], "black"),
            ([255, 255, 255], "white"),
            ([0, 128, 128], "teal"),
            ([204, 85, 0], "burnt orange"),
            ([0, 0, 80], "navy"),
            ([255, 0, 0], "red"),
            ([128, 128, 128], "grey"),
            ([255, 255, 0], "yellow"),
        ] {
            assert_eq!(color_name(rgb), name, "{rgb:?}");
        }
    }

    #[test]
    fn every_name_is_the_name_of_its_own_colour() {
        for (name, hex) in NAMES {
            assert_eq!(color_name([(hex >> 16) as u8, (hex >> 8) as u8, *hex as u8]), *name);
        }
    }
}
