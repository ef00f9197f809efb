//! The provider: decode, measure, judge.

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::Capability;
use pipeline_core::provider::{ProviderInfo, Question, Usage, VisionModel, VisionRequest, VisionResponse};

use crate::local::image::{Limits, decode};
use crate::pool::CpuPool;

use super::fingerprint::fingerprint;
use super::judge::judge;
use super::measure::measure;

/// Answers [`Question::Quality`] by measuring, on this machine. It understands no prompts.
#[derive(Clone, Debug)]
pub struct Measures {
    info: ProviderInfo,
    pool: CpuPool,
    limits: Limits,
}

impl Measures {
    /// Makes one that works on `pool`.
    pub fn new(pool: CpuPool) -> Self {
        let summary = "Measures sharpness, light, noise, bars and size, and fingerprints pictures.";
        Self { info: ProviderInfo::local("measures", Capability::Vision, summary), pool, limits: Limits::DEFAULT }
    }

    /// Sets the largest picture it reads.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for Measures {
    fn default() -> Self {
        Self::new(CpuPool::default())
    }
}

#[async_trait]
impl VisionModel for Measures {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn look(&self, request: VisionRequest) -> Result<VisionResponse> {
        let limits = self.limits;
        self.pool.run_until(move |end| look(&request, limits.until(end))).await
    }
}

fn look(request: &VisionRequest, limits: Limits) -> Result<VisionResponse> {
    let Question::Quality { rules, requested } = &request.question else {
        return Err(Error::new(ErrorKind::Unsupported, "this provider only measures quality; it answers no prompts")
            .with("provider", "measures")
            .with("accepted", "quality"));
    };
    let picture = decode(&request.image.bytes, limits)?.upright()?;
    let found = measure(&picture, *requested)?;
    let verdict = judge(&found, rules, *requested)?;
    let answer = serde_json::to_value(&found)
        .map_err(|error| Error::unexpected("cannot write the measurements down").because(error))?;
    Ok(VisionResponse {
        answer,
        verdict: Some(verdict),
        fingerprint: Some(fingerprint(&picture)),
        usage: Usage::default(),
    })
}

#[cfg(test)]
mod tests;
