//! Binds a provider of its own: a text model that writes prompts its own way, chosen by name in the settings.
//!
//! Run it with `cargo run -p pipeline-examples --example custom_provider`.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use async_trait::async_trait;
use pipeline::core::model::Capability;
use pipeline::core::provider::{ProviderInfo, TextModel, TextRequest, TextResponse, TextTask, Usage};
use pipeline::core::storage::ItemQuery;
use pipeline::prelude::*;
use serde_json::json;

#[derive(Debug)]
struct Poet(ProviderInfo);

#[async_trait]
impl TextModel for Poet {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn write(&self, request: TextRequest) -> Result<TextResponse, Error> {
        if request.task != TextTask::ImagePrompt {
            return Err(Error::new(ErrorKind::Unsupported, "this poet only writes image prompts"));
        }
        let keyword = request.input.get("keyword").and_then(|keyword| keyword.as_str()).unwrap_or("nothing");
        let prompt = format!("{keyword}, as if seen for the first time");
        Ok(TextResponse { answer: json!({ "prompt": prompt }), usage: Usage::default() })
    }
}

const PIPELINE: &str = r#"
name = "poems"

[stages.keywords]
kind = "source.keywords"

[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]
"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let poet = Poet(ProviderInfo::local("poet", Capability::Text, "Writes prompts with feeling."));
    let engine = pipeline::local_engine()
        .provider("poet", poet)
        .store(MemoryStore::new())
        .artifacts(Artifacts::memory())
        .build()?;
    let request = JobRequest::toml("poems.toml", PIPELINE).keywords(["snow"]).set("prompt.provider", "poet")?;
    let job = engine.submit(request).await?;
    engine.run_until_idle().await?;
    for item in engine.items(ItemQuery::of(job.id)).await? {
        let (_, results) = engine.item(item.id).await?;
        for result in results.iter().filter(|result| result.stage.as_str() == "prompt") {
            println!("{}", result.fields["prompt"]);
            anyhow::ensure!(result.provider.as_deref() == Some("poet"), "another provider answered");
        }
    }
    Ok(())
}
