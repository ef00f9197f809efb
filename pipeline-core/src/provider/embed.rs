//! What is written into a picture file about the picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::ImageFile;

/// How a picture came about, in words of the IPTC's vocabulary "Digital Source Type".
///
/// Source: <https://cv.iptc.org/newscodes/digitalsourcetype/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DigitalSource {
    /// A trained model has made all of it.
    TrainedAlgorithmicMedia,
    /// A trained model has made or changed parts of it.
    CompositeWithTrainedAlgorithmicMedia,
    /// An algorithm that was not trained on anything has made all of it.
    AlgorithmicMedia,
    /// An algorithm has altered a picture that was there, without a model that makes pictures.
    AlgorithmicallyEnhanced,
    /// A camera has taken it.
    DigitalCapture,
}

impl DigitalSource {
    /// Every word.
    pub const ALL: &[Self] = &[
        Self::TrainedAlgorithmicMedia,
        Self::CompositeWithTrainedAlgorithmicMedia,
        Self::AlgorithmicMedia,
        Self::AlgorithmicallyEnhanced,
        Self::DigitalCapture,
    ];

    /// Returns the URI that stands in files.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::TrainedAlgorithmicMedia => "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
            Self::CompositeWithTrainedAlgorithmicMedia => {
                "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
            }
            Self::AlgorithmicMedia => "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",
            Self::AlgorithmicallyEnhanced => "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced",
            Self::DigitalCapture => "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        }
    }
}

/// What is to be written into a picture file. What is absent or empty leaves what stands in the file about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedMetadataRequest {
    /// The picture; its pixels stay as they are, byte for byte.
    pub image: ImageFile,
    /// One line.
    pub title: String,
    /// A few sentences.
    pub description: String,
    /// In the order of their weight.
    pub keywords: Vec<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// Who has which rights to it.
    pub rights: Option<String>,
    /// How it came about.
    pub source: Option<DigitalSource>,
}
