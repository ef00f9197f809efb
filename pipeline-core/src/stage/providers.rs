//! The providers a stage may choose from by name.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::provider::{
    BackgroundRemover, ChartRenderer, DatasetAnalyzer, Embedder, ImageGenerator, ImageProcessor, TextModel, VisionModel,
};

/// The providers of an engine by name. Implemented by the engine.
///
/// # Errors
/// Every method: `Invalid` when no provider of this capability has the name, with the names there are.
pub trait Providers: fmt::Debug + Send + Sync {
    /// Returns the image generator of this name.
    fn image_generator(&self, name: &str) -> Result<Arc<dyn ImageGenerator>>;

    /// Returns the vision model of this name.
    fn vision_model(&self, name: &str) -> Result<Arc<dyn VisionModel>>;

    /// Returns the text model of this name.
    fn text_model(&self, name: &str) -> Result<Arc<dyn TextModel>>;

    /// Returns the embedder of this name.
    fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>>;

    /// Returns the background remover of this name.
    fn background_remover(&self, name: &str) -> Result<Arc<dyn BackgroundRemover>>;

    /// Returns the image processor of this name.
    fn image_processor(&self, name: &str) -> Result<Arc<dyn ImageProcessor>>;

    /// Returns the dataset analyzer of this name.
    fn dataset_analyzer(&self, name: &str) -> Result<Arc<dyn DatasetAnalyzer>>;

    /// Returns the chart renderer of this name.
    fn chart_renderer(&self, name: &str) -> Result<Arc<dyn ChartRenderer>>;
}
