//! A model that says what is in a picture.

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::{ProviderInfo, Question, Usage, VisionModel, VisionRequest, VisionResponse};
use serde_json::{Value, json};

use super::config::Normalise;
use super::model::Model;
use super::runtime::{Tensor, strange};

/// Answers [`Question::Labels`] with a classifier. It understands no prompts and judges no quality.
#[derive(Clone, Debug)]
pub struct OnnxTagger {
    pub(super) info: ProviderInfo,
    pub(super) model: Model,
    pub(super) normalise: Normalise,
    pub(super) labels: Vec<String>,
}

#[async_trait]
impl VisionModel for OnnxTagger {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn look(&self, request: VisionRequest) -> Result<VisionResponse> {
        let Question::Labels { most } = request.question else {
            return Err(Error::new(ErrorKind::Unsupported, "this provider only says what is in a picture")
                .with("provider", &self.info.name)
                .with("accepted", "labels"));
        };
        let (labels, normalise) = (self.labels.clone(), self.normalise);
        let read = move |_, answer: Tensor| named(&answer, normalise, &labels, most);
        let answer = json!({ "labels": self.model.look(request.image, read).await? });
        Ok(VisionResponse { answer, verdict: None, fingerprint: None, usage: Usage::default() })
    }
}

/// The surest labels first; of equally sure ones the earlier first.
fn named(answer: &Tensor, normalise: Normalise, labels: &[String], most: u32) -> Result<Vec<Value>> {
    if answer.values.len() != labels.len() {
        return Err(strange("the model does not answer with a number for each label")
            .with("numbers", answer.values.len())
            .with("labels", labels.len())
            .with("accepted", "a file with as many labels as the model knows; see `output`"));
    }
    let highest = answer.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials = || answer.values.iter().map(|value| libm::expf(value - highest));
    let shares: Vec<f32> = match normalise {
        Normalise::Softmax => {
            let sum: f32 = exponentials().sum();
            exponentials().map(|value| value / sum).collect()
        }
        Normalise::Sigmoid => answer.values.iter().map(|value| 1.0 / (1.0 + libm::expf(-value))).collect(),
        Normalise::None | Normalise::MinMax => answer.values.clone(),
    };
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|one, two| shares[*two].total_cmp(&shares[*one]));
    let first = order.into_iter().take(most as usize);
    Ok(first
        .map(|place| json!({ "label": labels[place], "confidence": f64::from(shares[place].clamp(0.0, 1.0)) }))
        .collect())
}

#[cfg(test)]
mod tests;
