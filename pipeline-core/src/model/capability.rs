//! What a provider can be asked to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of provider; each has a port in [`crate::provider`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Makes pictures from words.
    GenerateImage,
    /// Looks at a picture and answers.
    Vision,
    /// Writes text or structured answers.
    Text,
    /// Turns text or pictures into vectors.
    Embed,
    /// Cuts the background out of a picture.
    RemoveBackground,
    /// Transforms a picture.
    ProcessImage,
    /// Computes statistics of a dataset.
    AnalyzeDataset,
    /// Draws charts.
    RenderChart,
}

impl Capability {
    /// Returns the stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GenerateImage => "generate_image",
            Self::Vision => "vision",
            Self::Text => "text",
            Self::Embed => "embed",
            Self::RemoveBackground => "remove_background",
            Self::ProcessImage => "process_image",
            Self::AnalyzeDataset => "analyze_dataset",
            Self::RenderChart => "render_chart",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
