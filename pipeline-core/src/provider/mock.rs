//! `mockall` mocks of every provider port, for tests of programs that embed the pipeline.
use async_trait::async_trait;
use mockall::mock;

use super::{
    AnalyzeRequest, AnalyzeResponse, BackgroundRemover, ChartRenderer, ChartRequest, ChartResponse, DatasetAnalyzer,
    EmbedMetadataRequest, EmbedRequest, EmbedResponse, Embedder, GenerateRequest, GenerateResponse, ImageCapabilities,
    ImageFile, ImageGenerator, ImageInfo, ImageProcessor, ProcessRequest, ProcessResponse, ProviderInfo,
    RemoveBackgroundRequest, RemoveBackgroundResponse, TextModel, TextRequest, TextResponse, VisionModel,
    VisionRequest, VisionResponse,
};
use crate::error::Result;

macro_rules! debug_for {
    ($($name:ident),+) => { $(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )+ };
}

mock! {
    pub ImageGenerator {}
    #[async_trait]
    impl ImageGenerator for ImageGenerator {
        fn info(&self) -> &ProviderInfo;
        fn capabilities(&self) -> &ImageCapabilities;
        async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse>;
        async fn download(&self, reference: &str) -> Result<ImageFile>;
    }
}
mock! {
    pub ImageProcessor {}
    #[async_trait]
    impl ImageProcessor for ImageProcessor {
        fn info(&self) -> &ProviderInfo;
        async fn inspect(&self, image: ImageFile) -> Result<ImageInfo>;
        async fn process(&self, request: ProcessRequest) -> Result<ProcessResponse>;
        async fn embed(&self, request: EmbedMetadataRequest) -> Result<ImageFile>;
    }
}
mock! {
    pub BackgroundRemover {}
    #[async_trait]
    impl BackgroundRemover for BackgroundRemover {
        fn info(&self) -> &ProviderInfo;
        async fn remove_background(&self, request: RemoveBackgroundRequest) -> Result<RemoveBackgroundResponse>;
    }
}
mock! {
    pub VisionModel {}
    #[async_trait]
    impl VisionModel for VisionModel {
        fn info(&self) -> &ProviderInfo;
        async fn look(&self, request: VisionRequest) -> Result<VisionResponse>;
    }
}
mock! {
    pub TextModel {}
    #[async_trait]
    impl TextModel for TextModel {
        fn info(&self) -> &ProviderInfo;
        async fn write(&self, request: TextRequest) -> Result<TextResponse>;
    }
}
mock! {
    pub Embedder {}
    #[async_trait]
    impl Embedder for Embedder {
        fn info(&self) -> &ProviderInfo;
        async fn embed(&self, request: EmbedRequest) -> Result<EmbedResponse>;
    }
}
mock! {
    pub DatasetAnalyzer {}
    #[async_trait]
    impl DatasetAnalyzer for DatasetAnalyzer {
        fn info(&self) -> &ProviderInfo;
        async fn analyze(&self, request: AnalyzeRequest) -> Result<AnalyzeResponse>;
    }
}
mock! {
    pub ChartRenderer {}
    #[async_trait]
    impl ChartRenderer for ChartRenderer {
        fn info(&self) -> &ProviderInfo;
        async fn render(&self, request: ChartRequest) -> Result<ChartResponse>;
    }
}
debug_for!(
    MockImageGenerator,
    MockImageProcessor,
    MockBackgroundRemover,
    MockVisionModel,
    MockTextModel,
    MockEmbedder,
    MockDatasetAnalyzer,
    MockChartRenderer
);
