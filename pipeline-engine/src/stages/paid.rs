//! Provider requests under the ledger: hashing the request, keeping the answer, splitting the cost.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use pipeline_core::id::{CallId, Digest};
use pipeline_core::model::{Artifact, Money};
use pipeline_core::provider::{
    CallContext, ImageFile, ProviderInfo, Question, TextModel, TextRequest, TextResponse, Usage, VisionModel,
    VisionRequest, VisionResponse,
};
use pipeline_core::stage::{Answer, CallSpec, StageContext, Task};
use pipeline_core::{Error, Result};

/// A context for hashing a request before its call has an id.
pub(super) fn unnamed() -> CallContext {
    CallContext::new(CallId::from_uuid(uuid::Uuid::nil()))
}

/// Hashes the full request: who, and what.
pub(super) fn request_digest(provider: &ProviderInfo, request: &impl Serialize) -> Result<Digest> {
    let text = serde_json::to_vec(&(&provider.name, &provider.model, provider.capability, request))
        .map_err(|error| Error::unexpected("cannot write the request down").because(error))?;
    Ok(Digest::of(&text))
}

/// Makes one call that serves `tasks`, with the hash of the request and what it asks in words; `send` turns the call's context into the raw response and its usage.
pub(super) async fn call<F, Fut>(
    context: &dyn StageContext,
    provider: &ProviderInfo,
    tasks: &[Task],
    (request, prompt): (Digest, Option<String>),
    send: F,
) -> Result<(Value, Money)>
where
    F: FnOnce(CallContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(Value, Usage)>> + Send + 'static,
{
    let (round, attempt) = tasks.first().map_or((1, 1), |task| (task.round, task.attempt));
    let spec = CallSpec {
        provider: provider.clone(),
        items: tasks.iter().map(|task| task.item).collect(),
        round,
        attempt,
        request,
        prompt,
        units: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
    };
    let (answer, cost) = context
        .call(
            spec,
            Box::new(move |context| {
                Box::pin(async move {
                    let (response, usage) = send(context).await?;
                    Ok(Answer { response, cost: usage.cost, external_id: usage.external_id })
                })
            }),
        )
        .await?;
    Ok((answer.response, cost))
}

/// Has a text model write one text for `task`; returns the answer and what it cost.
pub(super) async fn write(
    context: &dyn StageContext,
    model: Arc<dyn TextModel>,
    task: &Task,
    request: TextRequest,
) -> Result<(TextResponse, Money)> {
    let info = model.info().clone();
    let digest = request_digest(&info, &request)?;
    let asked = (digest, Some(request.instructions.clone()).filter(|text| !text.trim().is_empty()));
    let (response, cost) = call(context, &info, std::slice::from_ref(task), asked, move |call| async move {
        let answer = model.write(TextRequest { context: call, ..request }).await?;
        let usage = answer.usage.clone();
        Ok((json!(answer), usage))
    })
    .await?;
    Ok((reread(response)?, cost))
}

/// Has a vision model look at a picture for `task`; returns the answer and what it cost.
pub(super) async fn look(
    context: &dyn StageContext,
    model: Arc<dyn VisionModel>,
    task: &Task,
    artifact: &Artifact,
    question: Question,
) -> Result<(VisionResponse, Money)> {
    let info = model.info().clone();
    let digest = request_digest(&info, &(&question, artifact.digest))?;
    let bytes = context.artifacts().get(artifact.digest).await?;
    let image = ImageFile { bytes, media_type: artifact.media_type };
    let (response, cost) = call(context, &info, std::slice::from_ref(task), (digest, None), move |call| async move {
        let answer = model.look(VisionRequest { image, question, context: call }).await?;
        let usage = answer.usage.clone();
        Ok((json!(answer), usage))
    })
    .await?;
    Ok((reread(response)?, cost))
}

/// Reads a raw response back as what it was.
pub(super) fn reread<T: serde::de::DeserializeOwned>(response: Value) -> Result<T> {
    serde_json::from_value(response)
        .map_err(|error| Error::corrupt("the recorded response does not fit").because(error))
}
