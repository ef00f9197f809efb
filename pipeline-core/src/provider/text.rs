//! Ports that write text and make vectors.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Result;

use super::call::{CallContext, ProviderInfo, Usage};

/// What the text is for; a local provider has a way for each, a remote model follows the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextTask {
    /// An image prompt from a keyword. Input: `keyword`, and a table row's columns. Answer: `{"prompt": string}`.
    ImagePrompt,
    /// Title, description and tags of a picture. Input: `prompt`, `keyword`, `colors` (array of names), `tags` (how
    /// many), and bounds, each of which may be null: `title_words` and `description_characters` (arrays of the least and
    /// the greatest number), `tag_bytes` (the most bytes of a tag in UTF-8). Answer: `{"title": string, "description": string, "tags": [string]}`.
    ImageMetadata,
    /// Anything else: only the instructions say.
    Free,
}

/// Text to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextRequest {
    /// What it is for.
    pub task: TextTask,
    /// The rendered instructions.
    pub instructions: String,
    /// The facts, by name.
    pub input: Map<String, Value>,
    /// JSON Schema of a structured answer; plain text when absent.
    pub schema: Option<Value>,
    /// Makes a local provider's choices repeatable.
    pub seed: u64,
    /// Key, deadline.
    pub context: CallContext,
}

/// Written text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextResponse {
    /// A JSON value that fits the schema, or a string when there was none.
    pub answer: Value,
    /// What it used.
    pub usage: Usage,
}

/// Writes text or structured answers.
#[async_trait]
pub trait TextModel: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Writes one text.
    ///
    /// # Errors
    /// `Corrupt` when the answer does not fit the schema; `Unsupported` for a task it has no way to do.
    async fn write(&self, request: TextRequest) -> Result<TextResponse>;
}

/// Texts to be turned into vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The texts.
    pub texts: Vec<String>,
    /// Key, deadline.
    pub context: CallContext,
}

/// One vector a text, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbedResponse {
    /// All of one length.
    pub vectors: Vec<Vec<f32>>,
    /// What it used.
    pub usage: Usage,
}

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Turns texts into vectors.
    async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse>;
}

const _: Option<(Arc<dyn TextModel>, Arc<dyn Embedder>)> = None;
