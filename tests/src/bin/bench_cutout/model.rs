//! A model of a providers file, asked as the engine asks it.

use std::path::Path;

use pipeline::core::provider::{BackgroundRemover as _, CallContext, RemoveBackgroundRequest};
use pipeline::providers::config::{ProviderConfig, ProvidersConfig};
use pipeline::providers::local::image::{Limits, Picture, decode, encode};
use pipeline::providers::onnx::{OnnxProvider, OnnxRemover};
use pipeline::providers::pool::CpuPool;
use pipeline_core::Result;
use pipeline_core::id::CallId;
use pipeline_core::model::MediaType;
use tokio::runtime::Runtime;

/// A remover and the threads it runs on.
pub(crate) struct Model {
    remover: OnnxRemover,
    runtime: Runtime,
}

impl Model {
    pub(crate) fn load(name: &str, file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let config =
            ProvidersConfig::from_toml(&text, &file.to_string_lossy()).unwrap_or_else(|error| panic!("{error}"));
        let Some(ProviderConfig::Onnx(config)) = config.providers.get(name) else { panic!("no model {name}") };
        let provider = OnnxProvider::from_config(name, config.clone(), CpuPool::new(1));
        let Ok(OnnxProvider::Remover(remover)) = provider else { panic!("{provider:?}") };
        Self { remover, runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap() }
    }

    pub(crate) fn cut(&self, picture: &Picture) -> Result<(Picture, f32)> {
        let image = encode(picture, MediaType::Png, 100)?;
        let context = CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap());
        let asked = self.remover.remove_background(RemoveBackgroundRequest { image, context });
        let answer = self.runtime.block_on(asked)?;
        let picture = decode(&answer.image.bytes, Limits::DEFAULT)?.picture;
        Ok((picture, answer.confidence.unwrap_or_default()))
    }
}
