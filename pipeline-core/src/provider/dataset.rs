//! Ports for data: statistics of a dataset, and charts.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::model::MediaType;

use super::call::{CallContext, ProviderInfo, Usage};

/// A dataset to be analysed.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalyzeRequest {
    /// The file's bytes.
    pub content: Bytes,
    /// What they are.
    pub media_type: MediaType,
    /// Key, deadline.
    pub context: CallContext,
}

/// Statistics of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyzeResponse {
    /// Facts by name.
    pub facts: Value,
    /// What it used.
    pub usage: Usage,
}

/// Computes statistics of a dataset.
#[async_trait]
pub trait DatasetAnalyzer: fmt::Debug + Send + Sync + 'static {
    /// Says who it is and what it costs.
    fn info(&self) -> &ProviderInfo;

    /// Analyses one dataset.
    async fn analyze(&self, request: AnalyzeRequest) -> Result<AnalyzeResponse>;
}

/// A chart to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChartRequest {
    /// What to draw: kind, axes, series.
    pub specification: Value,
}

/// A drawn chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartResponse {
    /// The encoded chart.
    pub content: Bytes,
    /// What it is, for example SVG.
    pub media_type: MediaType,
}

/// Draws charts.
#[async_trait]
pub trait ChartRenderer: fmt::Debug + Send + Sync + 'static {
    /// Says who it is.
    fn info(&self) -> &ProviderInfo;

    /// Draws one chart.
    async fn render(&self, request: ChartRequest) -> Result<ChartResponse>;
}

const _: Option<(Arc<dyn DatasetAnalyzer>, Arc<dyn ChartRenderer>)> = None;
