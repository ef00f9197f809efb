//! The ports of the providers: one object-safe trait a capability, one request struct in, one response struct out.
//!
//! # Contract of every provider port
//! 1. *Classify, never retry.* One call is one try; an error says by kind and retryability what a retry could do.
//! 2. *Nothing is dropped.* An option the provider cannot honour is an error of kind `Unsupported` naming the option.
//! 3. *Nothing is made up.* An answer that does not fit the request is an error of kind `Corrupt`, never a default.
//! 4. *No secrets* in errors, responses or `Debug` output.
//!
//! # Cancellation
//! Dropping the future of a paid call gives up the answer, not the charge; the engine drops one only when its
//! time limit is over, and then treats the outcome as unknown.
//!
//! # Idempotency
//! `CallContext::idempotency_key` is the same for every repeat of one call. A provider whose [`ProviderInfo::repeat`]
//! is [`Repeat::Idempotent`] must answer a repeat without charging again.

mod call;
mod dataset;
mod image;
mod text;
mod vision;

#[cfg(feature = "mock")]
mod mock;

pub use call::{CallContext, Price, ProviderInfo, Repeat, Usage};
pub use dataset::{AnalyzeRequest, AnalyzeResponse, ChartRenderer, ChartRequest, ChartResponse, DatasetAnalyzer};
pub use image::{
    BackgroundRemover, Dimensions, GenerateRequest, GenerateResponse, GeneratedImage, ImageCapabilities, ImageContent,
    ImageFile, ImageGenerator, ImageInfo, ImageProcessor, OutputFormat, ProcessRequest, ProcessResponse, ProcessStep,
    RemoveBackgroundRequest, RemoveBackgroundResponse, ResizeFit,
};
pub use text::{EmbedRequest, EmbedResponse, Embedder, TextModel, TextRequest, TextResponse, TextTask};
pub use vision::{QualityRules, Question, VisionModel, VisionRequest, VisionResponse};

#[cfg(feature = "mock")]
pub use mock::{
    MockBackgroundRemover, MockChartRenderer, MockDatasetAnalyzer, MockEmbedder, MockImageGenerator,
    MockImageProcessor, MockTextModel, MockVisionModel,
};
