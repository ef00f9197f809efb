//! What computes a model: numbers in, numbers out.

use std::fmt;
use std::path::Path;

use pipeline_core::error::{Error, ErrorKind, Result};

use super::config::{Layout, OnnxConfig, Runtime};

/// Numbers in rows, with how many there are in each dimension.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// A loaded model.
pub(super) trait Computing: fmt::Debug + Send + Sync {
    /// Runs the model once on this thread.
    ///
    /// # Errors
    /// `Corrupt` when the model fails, or its answer is none of numbers.
    fn run(&self, input: Tensor) -> Result<Tensor>;
}

/// The shape of what a model is given.
pub(super) fn shape(config: &OnnxConfig) -> [usize; 4] {
    let side = config.side() as usize;
    match config.layout {
        Layout::Nchw => [1, 3, side, side],
        Layout::Nhwc => [1, side, side, 3],
    }
}

/// Reads a model file.
///
/// # Errors
/// `NotFound` when it is not there; `Unsupported` when it is too large, is no model, or one that cannot be computed here.
pub(super) fn load(config: &OnnxConfig) -> Result<Box<dyn Computing>> {
    let length = std::fs::metadata(&config.file).map_err(|error| missing(&config.file).because(error))?.len();
    if length > config.max_file_mb.saturating_mul(1_000_000) {
        return Err(Error::new(ErrorKind::Unsupported, "the model file is too large")
            .with("file", config.file.display())
            .with("bytes", length)
            .with("accepted", format!("at most max_file_mb = {}", config.max_file_mb)));
    }
    match config.runtime {
        Runtime::Tract => Ok(Box::new(super::tract::TractModel::load(config)?)),
        #[cfg(feature = "onnx-dynamic")]
        Runtime::Onnxruntime => Ok(Box::new(super::onnxruntime::OnnxruntimeModel::load(config)?)),
        #[cfg(not(feature = "onnx-dynamic"))]
        Runtime::Onnxruntime => Err(Error::new(ErrorKind::Unsupported, "this build cannot load a runtime")
            .with("runtime", "onnxruntime")
            .with("accepted", "tract, or a build with the feature `onnx-dynamic`")),
    }
}

/// The error for a file that is not there, with what to do.
pub(super) fn missing(file: &Path) -> Error {
    Error::not_found("the model file is not there")
        .with("file", file.display())
        .with("accepted", "the path of an ONNX file that you have brought; nothing is downloaded")
}

/// The error for a file that is no model, or one that cannot be computed.
pub(super) fn unusable(config: &OnnxConfig, runtime: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "the model cannot be loaded")
        .with("file", config.file.display())
        .with("input", format!("{:?}", shape(config)))
        .with("accepted", format!("an ONNX model of this input that {runtime} can compute"))
}

/// The error for a model that fails, or answers otherwise than was agreed.
pub(super) fn strange(message: &str) -> Error {
    Error::corrupt(message)
}
