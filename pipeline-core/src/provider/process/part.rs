//! The parts of processing that may fail by themselves, and one that did.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of processing that may fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessPart {
    /// Cutting out a region.
    Extract,
    /// Cutting away borders.
    Trim,
    /// Rotating and mirroring.
    Rotate,
    /// Scaling.
    Resize,
    /// Gamma and normalising.
    Levels,
    /// Brightness, saturation and hue.
    Modulate,
    /// Blurring.
    Blur,
    /// Sharpening.
    Sharpen,
    /// Adding area around the picture.
    Pad,
    /// Putting another picture over it.
    Watermark,
    /// Putting it on a background.
    Flatten,
    /// Cleaning a cut-out. The stage that processes pictures has no such part.
    #[schemars(skip)]
    Matte,
    /// Writing the file. When that may fail softly, a PNG is written instead, and a rendition is left out.
    Encode,
}

impl ProcessPart {
    /// Every part of the stage that processes pictures, in the order in which a stage does them.
    pub const ALL: &[Self] = &[
        Self::Extract,
        Self::Trim,
        Self::Rotate,
        Self::Resize,
        Self::Levels,
        Self::Modulate,
        Self::Blur,
        Self::Sharpen,
        Self::Pad,
        Self::Watermark,
        Self::Flatten,
        Self::Encode,
    ];

    /// Returns the word it is written with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Trim => "trim",
            Self::Rotate => "rotate",
            Self::Resize => "resize",
            Self::Levels => "levels",
            Self::Modulate => "modulate",
            Self::Blur => "blur",
            Self::Sharpen => "sharpen",
            Self::Pad => "pad",
            Self::Watermark => "watermark",
            Self::Flatten => "flatten",
            Self::Matte => "matte",
            Self::Encode => "encode",
        }
    }
}

impl fmt::Display for ProcessPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A part that failed softly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPart {
    /// Which part.
    pub part: ProcessPart,
    /// Of which rendition; `None` is the picture itself.
    pub rendition: Option<String>,
    /// Why.
    pub message: String,
}

impl fmt::Display for FailedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rendition {
            Some(name) => write!(f, "{} of {name}: {}", self.part, self.message),
            None => write!(f, "{}: {}", self.part, self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Anchor;
    use super::*;

    #[test]
    fn words_of_parts_and_anchors_are_those_of_the_settings() {
        for part in ProcessPart::ALL {
            assert_eq!(serde_json::to_value(part).unwrap(), part.as_str());
        }
        for anchor in Anchor::ALL {
            assert_eq!(serde_json::to_value(anchor).unwrap(), anchor.as_str());
        }
    }

    #[test]
    fn a_soft_failure_says_what_failed_and_of_which_file() {
        let mut failed = FailedPart { part: ProcessPart::Trim, rendition: None, message: "no".to_owned() };
        assert_eq!(failed.to_string(), "trim: no");
        failed.rendition = Some("small".to_owned());
        assert_eq!(failed.to_string(), "trim of small: no");
    }
}
