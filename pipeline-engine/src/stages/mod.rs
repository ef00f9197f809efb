//! The built-in stages, written against the ports only.

mod cutout;
mod files;
mod generate;
mod keywords;
mod metadata;
mod paid;
mod process;
mod prompt;
mod publish;
mod qc;
mod size;
mod tag;

use std::sync::Arc;

use pipeline_core::stage::{Source, Stage};

pub use cutout::{CutoutSettings, ImageCutout};
pub use files::{FilesSettings, SourceFiles};
pub use generate::{GenerateSettings, ImageGenerate};
pub use keywords::{KeywordOrder, KeywordsSettings, SourceKeywords};
pub use metadata::{Embed, ImageMetadata, MetadataSettings, OnBreach, Provenance};
pub use process::{ImageProcess, ProcessSettings, RenditionSettings};
pub use prompt::{PromptSettings, TextPrompt};
pub use publish::{CollisionPolicy, OutputFolder, PublishSettings, Sidecar};
pub use qc::{ImageQc, QcSettings};
pub use tag::{ImageTag, TagSettings};

/// Returns the built-in sources.
pub fn sources() -> Vec<Arc<dyn Source>> {
    vec![Arc::new(SourceFiles), Arc::new(SourceKeywords)]
}

/// Returns the built-in stages that are not sources.
pub fn stages() -> Vec<Arc<dyn Stage>> {
    vec![
        Arc::new(TextPrompt),
        Arc::new(ImageGenerate),
        Arc::new(ImageQc),
        Arc::new(ImageCutout),
        Arc::new(ImageProcess),
        Arc::new(ImageTag),
        Arc::new(ImageMetadata),
        Arc::new(OutputFolder),
    ]
}
