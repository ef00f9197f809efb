//! What is asked of an image processor, and its answer.

use super::encoding::{ColorProfile, Encoding, KeepExif};
use super::part::{FailedPart, ProcessPart};
use super::step::ProcessStep;
use crate::provider::image::{Dimensions, ImageFile};

/// A further file made from the processed picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendition {
    /// What it is called.
    pub name: String,
    /// What else is done to the processed picture.
    pub steps: Vec<ProcessStep>,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// A picture to be transformed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRequest {
    /// The picture; its EXIF orientation is applied first.
    pub image: ImageFile,
    /// Pictures that [`ProcessStep::Watermark`] puts over it.
    pub overlays: Vec<ImageFile>,
    /// What to do, in order.
    pub steps: Vec<ProcessStep>,
    /// The parts that may fail: what they should have done is left out then, and told.
    pub soft: Vec<ProcessPart>,
    /// How to encode.
    pub encoding: Encoding,
    /// What lies behind transparent pixels when the format has no transparency.
    pub background: [u8; 3],
    /// What becomes of its colour profile.
    pub color: ColorProfile,
    /// How much of its EXIF metadata the files keep.
    pub exif: KeepExif,
    /// Further files made from the processed picture.
    pub renditions: Vec<Rendition>,
}

impl ProcessRequest {
    /// A request for this picture as a PNG, on white where it has to be opaque.
    pub fn new(image: ImageFile) -> Self {
        Self {
            image,
            overlays: Vec::new(),
            steps: Vec::new(),
            soft: Vec::new(),
            encoding: Encoding::default(),
            background: [255; 3],
            color: ColorProfile::default(),
            exif: KeepExif::default(),
            renditions: Vec::new(),
        }
    }

    /// Sets the steps.
    pub fn steps(mut self, steps: impl Into<Vec<ProcessStep>>) -> Self {
        self.steps = steps.into();
        self
    }

    /// Sets how to encode.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }
}

/// A rendition that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct RenditionFile {
    /// What it is called.
    pub name: String,
    /// The encoded picture.
    pub image: ImageFile,
    /// Its size in pixels.
    pub size: Dimensions,
}

/// A transformed picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessResponse {
    /// The encoded picture.
    pub image: ImageFile,
    /// Its size in pixels.
    pub size: Dimensions,
    /// What was done, for the record, for example `["orient 6", "trim 40,0 820x900", "sharpen 5"]`.
    pub applied: Vec<String>,
    /// What failed softly.
    pub failed: Vec<FailedPart>,
    /// The renditions, in the order of the request.
    pub renditions: Vec<RenditionFile>,
}
