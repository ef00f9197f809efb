//! The provider that a section of the configuration asks for.

use pipeline_core::error::Result;

use crate::pool::CpuPool;

use super::config::{OnnxCapability, OnnxConfig};
use super::labels;
use super::model::Model;
use super::remover::OnnxRemover;
use super::runtime::missing;
use super::tagger::OnnxTagger;

/// One model, as what it is for.
#[derive(Clone, Debug)]
pub enum OnnxProvider {
    /// It cuts out subjects.
    Remover(OnnxRemover),
    /// It says what is in a picture.
    Tagger(OnnxTagger),
}

impl OnnxProvider {
    /// Makes the provider of a section, which computes on `pool`. The model itself is read at its first call.
    ///
    /// # Errors
    /// `Invalid` for a wrong value; `NotFound` when the model file or the file of labels is not there.
    pub fn from_config(name: &str, config: OnnxConfig, pool: CpuPool) -> Result<Self> {
        config.check()?;
        if !config.file.is_file() {
            return Err(missing(&config.file));
        }
        let labels = config.labels.as_deref().map(labels::read).transpose()?.unwrap_or_default();
        Ok(Self::with(name, config, pool, labels))
    }

    /// Makes the same provider without looking for its files, for programs that submit jobs and leave the work to others.
    ///
    /// # Errors
    /// `Invalid` for a wrong value.
    pub fn describe(name: &str, config: OnnxConfig, pool: CpuPool) -> Result<Self> {
        config.check()?;
        Ok(Self::with(name, config, pool, Vec::new()))
    }

    fn with(name: &str, config: OnnxConfig, pool: CpuPool, labels: Vec<String>) -> Self {
        let (info, normalise, capability) = (config.info(name), config.normalise(), config.capability);
        let model = Model::new(config, pool);
        match capability {
            OnnxCapability::RemoveBackground => Self::Remover(OnnxRemover { info, model, normalise }),
            OnnxCapability::Vision => Self::Tagger(OnnxTagger { info, model, normalise, labels }),
        }
    }
}
