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
//! is idempotent must answer a repeat without charging again.
//!
//! # Tasks
//! A vendor that takes an order, names a task and wants to be asked for it later is *resumable*
//! ([`Repeat::is_resumable`]). Its provider
//! 1. awaits [`TaskNote::task`] with the task's id as soon as the vendor has named it, and before anything else;
//! 2. asks for the task again and again inside the one call, until it ends or [`CallContext::timeout`] is over: waiting
//!    for a task is no retry. An ask that fails ends the call;
//! 3. once there is a task, answers with an error that is not `Indeterminate` only if the vendor said that the task has
//!    failed; such a task is never asked for again. `Throttled` means that the task is to be asked for later;
//! 4. submits nothing when [`CallContext::resume`] names a task, and asks for that one. When the vendor does not know it,
//!    the error is `NotFound` and `Indeterminate`, unless the provider is idempotent as well: then it submits the same
//!    order again under the same key, which buys nothing new.
//!
//! The caller resumes a noted task when time can heal the error (`Timeout`, `Unavailable`, `RateLimited`, `Exhausted`)
//! and after a crash; otherwise a person decides.

mod call;
mod dataset;
mod embed;
mod hook;
mod image;
mod journal;
mod process;
mod task;
mod text;
mod vision;

#[cfg(feature = "mock")]
mod mock;

pub use call::{CallContext, Price, ProviderInfo, Repeat, Usage};
pub use dataset::{AnalyzeRequest, AnalyzeResponse, ChartRenderer, ChartRequest, ChartResponse, DatasetAnalyzer};
pub use embed::{DigitalSource, EmbedMetadataRequest};
pub use hook::{HookAnswer, HookMessage, HookSender, HookTarget};
pub use image::{
    BackgroundRemover, Dimensions, GenerateRequest, GenerateResponse, GeneratedImage, ImageCapabilities, ImageContent,
    ImageFile, ImageGenerator, ImageInfo, ImageProcessor, RemoveBackgroundRequest, RemoveBackgroundResponse,
};
pub use journal::{Journal, Note, NoteKeeper};
pub use process::{
    Anchor, Chroma, ColorProfile, Encoding, FailedPart, KeepExif, OutputFormat, ProcessPart, ProcessRequest,
    ProcessResponse, ProcessStep, Rendition, RenditionFile, ResizeFit, ResizeKernel, TrimBorder,
};
pub use task::{TaskKeeper, TaskNote};
pub use text::{EmbedRequest, EmbedResponse, Embedder, TextModel, TextRequest, TextResponse, TextTask};
pub use vision::{QualityRules, Question, VisionModel, VisionRequest, VisionResponse};

#[cfg(feature = "mock")]
pub use mock::{
    MockBackgroundRemover, MockChartRenderer, MockDatasetAnalyzer, MockEmbedder, MockImageGenerator,
    MockImageProcessor, MockTextModel, MockVisionModel,
};
