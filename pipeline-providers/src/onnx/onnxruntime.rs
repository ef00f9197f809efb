//! Models computed by ONNX Runtime, a shared library that is loaded when the model is.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::value::Tensor;
use pipeline_core::error::Result;

use super::config::OnnxConfig;
use super::runtime::{Computing, Tensor as Numbers, strange, unusable};
use super::tract::no_output;

/// A session of ONNX Runtime. It runs one picture at a time.
pub(super) struct OnnxruntimeModel {
    session: Mutex<Session>,
    output: usize,
    /// The session needs it for as long as it lives.
    _environment: Environment,
}

impl fmt::Debug for OnnxruntimeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnnxruntimeModel(output {})", self.output)
    }
}

impl OnnxruntimeModel {
    /// Loads the library and reads a model.
    ///
    /// # Errors
    /// `Unsupported` when the library cannot be loaded, or does not take the model.
    pub(super) fn load(config: &OnnxConfig) -> Result<Self> {
        let library = config.library.clone().unwrap_or_default();
        let failed = |error: &dyn fmt::Display| {
            unusable(config, "ONNX Runtime").with("library", library.display()).because(error.to_string())
        };
        let loading = ort::init_from(&library).map_err(|error| failed(&error))?;
        let environment = loading.build().map_err(|error| failed(&error))?;
        let builder = Session::builder(&environment).map_err(|error| failed(&error))?;
        let mut builder = builder.with_intra_threads(config.threads).map_err(|error| failed(&error))?;
        let session = builder.commit_from_file(&config.file).map_err(|error| failed(&error))?;
        Ok(Self { session: Mutex::new(session), output: config.output, _environment: environment })
    }
}

impl Computing for OnnxruntimeModel {
    fn run(&self, input: Numbers) -> Result<Numbers> {
        let failed = |error: ort::Error| strange("the model failed").because(error.to_string());
        let input = Tensor::from_array((input.shape, input.values)).map_err(failed)?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(ort::inputs![input]).map_err(failed)?;
        let count = outputs.len();
        let output = outputs.values().nth(self.output).ok_or_else(|| no_output(self.output, count))?;
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
        let shape = shape.iter().map(|length| usize::try_from(*length).unwrap_or_default()).collect();
        Ok(Numbers { shape, values: values.to_vec() })
    }
}
