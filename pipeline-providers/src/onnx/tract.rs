//! Models computed by tract, which is built in.

use std::fmt;

use pipeline_core::error::{Error, Result};
use tract_onnx::prelude::*;

use super::config::OnnxConfig;
use super::runtime::{Computing, Tensor as Numbers, shape, strange, unusable};

type Run = dyn Fn(Numbers) -> TractResult<TVec<TValue>> + Send + Sync;

/// A model that tract has read, checked for one shape of input, and optimised.
pub(super) struct TractModel {
    run: Box<Run>,
    output: usize,
}

impl fmt::Debug for TractModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TractModel(output {})", self.output)
    }
}

impl TractModel {
    /// Reads a model.
    ///
    /// # Errors
    /// `Unsupported` when it is no model, or has what tract cannot do.
    pub(super) fn load(config: &OnnxConfig) -> Result<Self> {
        let failed = |error: TractError| unusable(config, "tract").because(format!("{error:#}"));
        let model = onnx()
            .model_for_path(&config.file)
            .and_then(|model| model.with_input_fact(0, f32::fact(shape(config)).into()))
            .and_then(InferenceModelExt::into_optimized)
            .and_then(IntoRunnable::into_runnable)
            .map_err(failed)?;
        let run = move |input: Numbers| {
            let input = Tensor::from_shape(&input.shape, &input.values)?;
            model.run(tvec!(input.into()))
        };
        Ok(Self { run: Box::new(run), output: config.output })
    }
}

impl Computing for TractModel {
    fn run(&self, input: Numbers) -> Result<Numbers> {
        let failed = |error: TractError| strange("the model failed").because(format!("{error:#}"));
        let outputs = (self.run)(input).map_err(failed)?;
        let output = outputs.get(self.output).ok_or_else(|| no_output(self.output, outputs.len()))?;
        let view = output.to_plain_array_view::<f32>().map_err(failed)?;
        Ok(Numbers { shape: view.shape().to_vec(), values: view.iter().copied().collect() })
    }
}

/// The error for an output that the model does not have.
pub(super) fn no_output(output: usize, count: usize) -> Error {
    strange("the model has no such output").with("output", output).with("accepted", format!("below {count}"))
}
