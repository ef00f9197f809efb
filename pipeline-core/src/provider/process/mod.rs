//! Words of the port that transforms pictures: steps, encodings, what may fail, request and answer.

mod encoding;
mod part;
mod place;
mod request;
mod step;

pub use encoding::{Chroma, ColorProfile, Encoding, KeepExif, OutputFormat};
pub use part::{FailedPart, ProcessPart};
pub use place::{Anchor, ResizeFit, ResizeKernel, TrimBorder};
pub use request::{ProcessRequest, ProcessResponse, Rendition, RenditionFile};
pub use step::ProcessStep;
