//! Which model, and how it wants to be spoken to, as written in a configuration file.

use std::path::{Path, PathBuf};

use pipeline_core::error::{Error, Result};
use pipeline_core::model::Capability;
use pipeline_core::model::Limits;
use pipeline_core::provider::ProviderInfo;
use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnnxCapability {
    /// It cuts out subjects: its answer is a plane.
    RemoveBackground,
    /// It says what is in a picture: its answer is a number for each label.
    Vision,
}

/// How a picture becomes a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// By changing its aspect.
    Stretch,
    /// By cutting off both ends of its longer side.
    Crop,
}

/// In which order the numbers lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Colour by colour.
    #[default]
    Nchw,
    /// Pixel by pixel.
    Nhwc,
}

/// What is made of the numbers a model answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// They lie between 0 and 1 already.
    None,
    /// The least becomes 0 and the most 1.
    MinMax,
    /// Each by itself, from logarithms of odds.
    Sigmoid,
    /// All together, so that they add up to 1.
    Softmax,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Built in.
    #[default]
    Tract,
    /// A shared library that is loaded when the model is.
    Onnxruntime,
}

/// One model. Every key but `capability` and `file` may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnnxConfig {
    /// What the model is for.
    pub capability: OnnxCapability,
    /// The model file.
    pub file: PathBuf,
    /// Pixels a side of the square the model looks at.
    #[serde(default)]
    pub side: Option<u32>,
    /// What is taken from each channel, red, green and blue, of values from 0 to 1.
    #[serde(default = "mean")]
    pub mean: [f32; 3],
    /// What the rest is divided by.
    #[serde(default = "std")]
    pub std: [f32; 3],
    /// How a picture becomes a square.
    #[serde(default)]
    pub fit: Option<Fit>,
    /// In which order the numbers lie.
    #[serde(default)]
    pub layout: Layout,
    /// Which of the model's outputs is the answer, from 0.
    #[serde(default)]
    pub output: usize,
    /// What is made of the answer.
    #[serde(default)]
    pub normalise: Option<Normalise>,
    /// The file of labels, one a line.
    #[serde(default)]
    pub labels: Option<PathBuf>,
    /// How many runs there may be at once, from 1 to 64.
    #[serde(default = "one")]
    pub parallel: usize,
    /// Most millions of bytes the model file may have.
    #[serde(default = "file_size")]
    pub max_file_mb: u64,
    /// What computes.
    #[serde(default)]
    pub runtime: Runtime,
    /// The shared library of `onnxruntime`.
    #[serde(default)]
    pub library: Option<PathBuf>,
    /// Threads of one run, from 1 to 256; only `onnxruntime` takes more than one.
    #[serde(default = "one")]
    pub threads: usize,
}

const fn mean() -> [f32; 3] {
    [0.485, 0.456, 0.406]
}
const fn std() -> [f32; 3] {
    [0.229, 0.224, 0.225]
}
const fn one() -> usize {
    1
}
const fn file_size() -> u64 {
    1024
}

impl OnnxConfig {
    /// Makes the configuration of a model, everything else as if left out.
    pub fn new(capability: OnnxCapability, file: impl Into<PathBuf>) -> Self {
        Self {
            capability,
            file: file.into(),
            side: None,
            mean: mean(),
            std: std(),
            fit: None,
            layout: Layout::Nchw,
            output: 0,
            normalise: None,
            labels: None,
            parallel: one(),
            max_file_mb: file_size(),
            runtime: Runtime::Tract,
            library: None,
            threads: one(),
        }
    }

    /// Makes files that are named relatively relative to this folder.
    pub fn relative_to(mut self, folder: &Path) -> Self {
        self.file = folder.join(&self.file);
        self.labels = self.labels.map(|labels| folder.join(labels));
        // A library without a folder is looked for where the system looks.
        self.library =
            self.library.map(|library| if library.components().count() > 1 { folder.join(library) } else { library });
        self
    }

    /// Checks every value; the files are not looked at.
    ///
    /// # Errors
    /// `Invalid`, naming every key that is wrong and what is accepted.
    pub fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        let mut expect = |good: bool, key: &'static str, accepted: &str| {
            if !good {
                wrong.push((key, accepted.to_owned()));
            }
        };
        expect(!self.file.as_os_str().is_empty(), "file", "the path of an ONNX file");
        expect((16..=4096).contains(&self.side()), "side", "16 to 4096 pixels");
        expect(self.mean.iter().all(|value| value.is_finite()), "mean", "three numbers");
        expect(self.std.iter().all(|value| value.is_finite() && *value > 0.0), "std", "three numbers above 0");
        expect((1..=64).contains(&self.parallel), "parallel", "1 to 64");
        expect((1..=65_536).contains(&self.max_file_mb), "max_file_mb", "1 to 65536");
        match self.capability {
            OnnxCapability::RemoveBackground => {
                expect(self.fit() == Fit::Stretch, "fit", "stretch, because the whole picture is to be cut");
                expect(self.normalise() != Normalise::Softmax, "normalise", "none, min_max or sigmoid");
                expect(self.labels.is_none(), "labels", "no labels, because the answer is a plane");
            }
            OnnxCapability::Vision => {
                expect(self.normalise() != Normalise::MinMax, "normalise", "none, sigmoid or softmax");
                expect(self.labels.is_some(), "labels", "the path of a text file with one label a line");
            }
        }
        match self.runtime {
            Runtime::Tract => {
                expect(self.library.is_none(), "library", "no library, or runtime = \"onnxruntime\"");
                expect(self.threads == 1, "threads", "1, or runtime = \"onnxruntime\"");
            }
            Runtime::Onnxruntime => {
                expect(self.library.is_some(), "library", "the path of the shared library of ONNX Runtime");
                expect((1..=256).contains(&self.threads), "threads", "1 to 256");
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let error = Error::invalid("the model's configuration is wrong");
        Err(wrong.into_iter().fold(error, |error, (key, accepted)| error.with(key, format!("expected {accepted}"))))
    }

    /// Pixels a side of the square the model looks at.
    pub fn side(&self) -> u32 {
        self.side.unwrap_or(match self.capability {
            OnnxCapability::RemoveBackground => 320,
            OnnxCapability::Vision => 224,
        })
    }

    /// How a picture becomes a square.
    pub fn fit(&self) -> Fit {
        self.fit.unwrap_or(match self.capability {
            OnnxCapability::RemoveBackground => Fit::Stretch,
            OnnxCapability::Vision => Fit::Crop,
        })
    }

    /// What is made of the answer.
    pub fn normalise(&self) -> Normalise {
        self.normalise.unwrap_or(match self.capability {
            OnnxCapability::RemoveBackground => Normalise::MinMax,
            OnnxCapability::Vision => Normalise::Softmax,
        })
    }

    /// Returns how hard the model may be pressed over all processes: as much as each of them likes.
    pub fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Says what the model is, under the name of its section.
    pub fn info(&self, name: &str) -> ProviderInfo {
        let (capability, summary) = match self.capability {
            OnnxCapability::RemoveBackground => {
                (Capability::RemoveBackground, "Cuts out subjects with a model on this machine.")
            }
            OnnxCapability::Vision => (Capability::Vision, "Says what is in a picture with a model on this machine."),
        };
        let model = self.file.file_name().map(|file| file.to_string_lossy().into_owned());
        ProviderInfo { model, ..ProviderInfo::local(name, capability, summary) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(config: &OnnxConfig) -> Vec<&'static str> {
        config.check().map_or_else(|error| error.context().iter().map(|(key, _)| *key).collect(), |()| Vec::new())
    }

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let matte = OnnxConfig::new(OnnxCapability::RemoveBackground, "u2net.onnx");
        assert_eq!(wrong(&matte), Vec::<&str>::new());
        assert_eq!((matte.side(), matte.fit(), matte.normalise()), (320, Fit::Stretch, Normalise::MinMax));
        let bad = OnnxConfig {
            side: Some(5000),
            std: [1.0, 0.0, 1.0],
            mean: [f32::NAN; 3],
            fit: Some(Fit::Crop),
            normalise: Some(Normalise::Softmax),
            labels: Some("labels.txt".into()),
            parallel: 0,
            max_file_mb: 0,
            threads: 4,
            ..matte
        };
        assert_eq!(
            wrong(&bad),
            ["side", "mean", "std", "parallel", "max_file_mb", "fit", "normalise", "labels", "threads"]
        );
    }

    #[test]
    fn a_classifier_needs_labels_and_a_library_its_path() {
        let tagger = OnnxConfig::new(OnnxCapability::Vision, "lite0.onnx");
        assert_eq!(wrong(&tagger), ["labels"]);
        let tagger = OnnxConfig { labels: Some("labels.txt".into()), ..tagger };
        assert_eq!(
            (tagger.side(), tagger.fit(), tagger.normalise(), wrong(&tagger)),
            (224, Fit::Crop, Normalise::Softmax, vec![])
        );
        let dynamic = OnnxConfig { runtime: Runtime::Onnxruntime, threads: 2, ..tagger };
        assert_eq!(wrong(&dynamic), ["library"]);
    }

    #[test]
    fn files_are_relative_to_the_configuration() {
        let config = OnnxConfig {
            labels: Some("/labels.txt".into()),
            library: Some("libonnxruntime.so".into()),
            ..OnnxConfig::new(OnnxCapability::Vision, "models/m.onnx")
        };
        let config = config.relative_to(Path::new("/etc/pipeline"));
        assert_eq!(config.file, Path::new("/etc/pipeline/models/m.onnx"));
        assert_eq!(config.labels.as_deref(), Some(Path::new("/labels.txt")));
        assert_eq!(config.library.as_deref(), Some(Path::new("libonnxruntime.so")));
    }
}
