//! A model that is loaded once, at its first run, and bounds how often it runs at once.

use std::sync::{Arc, Mutex, PoisonError};

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::ImageFile;
use tokio::sync::Semaphore;

use crate::local::image::{Limits, Picture, decode};
use crate::pool::CpuPool;

use super::config::OnnxConfig;
use super::input::input;
use super::runtime::{Computing, Tensor, load, strange};

/// One model of the configuration. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Model {
    shared: Arc<Shared>,
    pool: CpuPool,
}

#[derive(Debug)]
struct Shared {
    config: OnnxConfig,
    loaded: Mutex<Option<Arc<dyn Computing>>>,
    /// One permit a run: what a run takes is freed when it ends.
    runs: Arc<Semaphore>,
}

impl Model {
    pub(super) fn new(config: OnnxConfig, pool: CpuPool) -> Self {
        let runs = Arc::new(Semaphore::new(config.parallel.clamp(1, 64)));
        Self { shared: Arc::new(Shared { config, loaded: Mutex::new(None), runs }), pool }
    }

    /// Decodes a picture, runs the model on it, and lets `read` make the answer of both.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        image: ImageFile,
        read: impl FnOnce(Picture, Tensor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.runs)
            .acquire_owned()
            .await
            .map_err(|closed| Error::unexpected("the model is closed").because(closed))?;
        self.pool
            .run_until(move |end| {
                let _permit = permit;
                let limits = Limits::DEFAULT.until(end);
                let picture = decode(&image.bytes, limits)?.upright()?;
                let numbers = input(&picture, &shared.config)?;
                let model = shared.loaded()?;
                // Others may have waited for it to be read. The run itself cannot be stopped.
                limits.check_time()?;
                let answer = model.run(numbers)?;
                limits.check_time()?;
                let whole = answer.shape.iter().product::<usize>() == answer.values.len();
                if !whole || !answer.values.iter().all(|value| value.is_finite()) {
                    return Err(strange("the model's answer has what is no number"));
                }
                read(picture, answer)
            })
            .await
    }
}

impl Shared {
    /// Returns the model, read by the first that comes; the others wait for it. A file that cannot be read now is looked for
    /// again at the next call.
    fn loaded(&self) -> Result<Arc<dyn Computing>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = loaded.as_ref() {
            return Ok(Arc::clone(model));
        }
        let model: Arc<dyn Computing> = Arc::from(load(&self.config)?);
        *loaded = Some(Arc::clone(&model));
        Ok(model)
    }
}
