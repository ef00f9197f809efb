//! What is said of a picture, in a form that every block can hold.

use pipeline_core::provider::{Dimensions, EmbedMetadataRequest};

/// The texts of a request, without what no block can hold, and what its file says by itself.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) keywords: Vec<String>,
    pub(super) creator: Option<String>,
    pub(super) rights: Option<String>,
    /// The URI of the digital source type.
    pub(super) source: Option<&'static str>,
}

impl Facts {
    pub(super) fn of(request: &EmbedMetadataRequest) -> Self {
        let some = |text: &Option<String>| text.as_deref().map(plain).filter(|text| !text.is_empty());
        Self {
            title: plain(&request.title),
            description: plain(&request.description),
            keywords: request.keywords.iter().map(|word| plain(word)).filter(|word| !word.is_empty()).collect(),
            creator: some(&request.creator),
            rights: some(&request.rights),
            source: request.source.map(pipeline_core::provider::DigitalSource::uri),
        }
    }
}

/// Where a block of metadata goes, and what it must agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// As stored, before any turning.
    pub(super) size: Dimensions,
    /// Whether the file is a JPEG.
    pub(super) jpeg: bool,
    /// Whether it has a colour profile.
    pub(super) profile: bool,
    /// Pixels an inch or a centimetre, where the file says so.
    pub(super) density: Option<Density>,
}

/// How close the pixels lie in print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Density {
    /// Across, as a fraction.
    pub(super) x: (u32, u32),
    /// Down, as a fraction.
    pub(super) y: (u32, u32),
    /// As in EXIF: 2 is an inch, 3 a centimetre.
    pub(super) unit: u16,
}

/// One line without control characters and without what XML cannot hold; white space at the ends and in a row goes.
fn plain(text: &str) -> String {
    let kept = |c: char| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c };
    let spaced: String = text.chars().map(kept).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text in at most so many bytes; no character is cut.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_line_that_xml_can_hold() {
        assert_eq!(plain("  two\nlines\t and\u{0} a \u{1b}null\u{ffff} "), "two lines and a null");
        assert_eq!(plain("京都 – naïve & <b>"), "京都 – naïve & <b>");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("früh", 3), "fr");
        assert_eq!(cut("früh", 4), "frü");
        assert_eq!(cut("a 🦊", 5), "a");
        assert_eq!(cut("short", 64), "short");
    }
}
