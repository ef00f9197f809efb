//! Adds a stage kind of its own: it counts the words of each keyword, and a condition lets only short ones go on.
//!
//! Run it with `cargo run -p pipeline-examples --example custom_stage`.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use async_trait::async_trait;
use pipeline::core::pipeline::{PortSpec, StageSpec};
use pipeline::core::settings::{SettingsSchema, StageSettings};
use pipeline::core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Settings of `example.words`: this one declaration is validation, defaults and documentation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WordsSettings {
    /// What stands between words.
    separator: String,
}

impl Default for WordsSettings {
    fn default() -> Self {
        Self { separator: " ".to_owned() }
    }
}

impl StageSettings for WordsSettings {}

#[derive(Debug)]
struct Words;

#[async_trait]
impl Stage for Words {
    fn spec(&self) -> StageSpec {
        StageSpec::new("example.words", "Counts words", SettingsSchema::of::<WordsSettings>())
            .input(PortSpec::field("keyword", json!({"type": "string"})))
            .output(PortSpec::field("words", json!({"type": "integer"})))
    }

    async fn run(&self, _: &dyn StageContext, task: Task) -> Result<StageEnd, Error> {
        let settings: WordsSettings = task.settings()?;
        let words = task.text("keyword").unwrap_or_default().split(&settings.separator).count();
        Ok(Output::new().field("words", words).into())
    }
}

const PIPELINE: &str = r#"
name = "short-keywords"

[stages.keywords]
kind = "source.keywords"

[stages.count]
kind = "example.words"
needs = ["keywords"]

[stages.prompt]
kind = "text.prompt"
needs = ["count"]
when = "count.words <= 2"
"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let engine =
        pipeline::local_engine().stage(Words).store(MemoryStore::new()).artifacts(Artifacts::memory()).build()?;
    let request = JobRequest::toml("short-keywords.toml", PIPELINE).keywords(["red fox", "a very long keyword indeed"]);
    let job = engine.submit(request).await?;
    engine.run_until_idle().await?;
    let counts = engine.job(job.id).await?.counts;
    println!("{} short enough, {} filtered", counts.succeeded, counts.filtered);
    anyhow::ensure!((counts.succeeded, counts.filtered) == (1, 1), "unexpected counts: {counts:?}");
    Ok(())
}
