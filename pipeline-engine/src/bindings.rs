//! Which provider stands behind which name, by capability.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline_core::model::Capability;
use pipeline_core::provider::{
    BackgroundRemover, ChartRenderer, DatasetAnalyzer, Embedder, ImageGenerator, ImageProcessor, ProviderInfo,
    TextModel, VisionModel,
};
use pipeline_core::stage::Providers;
use pipeline_core::{Error, Result};

macro_rules! bindings {
    ($($field:ident, $port:ident, $marker:ident, $capability:ident, $getter:ident;)+) => {
        /// Every provider of an engine.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Bindings {
            $($field: BTreeMap<String, Arc<dyn $port>>,)+
        }

        impl Bindings {
            /// Returns the names bound for a capability.
            pub(crate) fn names(&self, capability: Capability) -> Vec<String> {
                match capability {
                    $(Capability::$capability => self.$field.keys().cloned().collect(),)+
                }
            }

            /// Returns what a provider says about itself.
            pub(crate) fn info(&self, capability: Capability, name: &str) -> Option<ProviderInfo> {
                match capability {
                    $(Capability::$capability => self.$field.get(name).map(|provider| provider.info().clone()),)+
                }
            }

            /// Returns every binding.
            pub(crate) fn entries(&self) -> Vec<ProviderEntry> {
                let mut entries = Vec::new();
                $(entries.extend(self.$field.iter().map(|(name, provider)| {
                    ProviderEntry { name: name.clone(), info: provider.info().clone() }
                }));)+
                entries
            }
        }

        impl Providers for Bindings {
            $(
                fn $getter(&self, name: &str) -> Result<Arc<dyn $port>> {
                    self.$field.get(name).cloned().ok_or_else(|| self.unknown(Capability::$capability, name))
                }
            )+
        }

        $(
            #[doc = concat!("Marks a [`", stringify!($port), "`] in [`IntoBinding`].")]
            #[derive(Clone, Copy, Debug)]
            pub struct $marker;

            impl<T: $port> IntoBinding<$marker> for T {
                fn bind(self, name: &str, bindings: &mut AnyBindings<'_>) {
                    bindings.0.$field.insert(name.to_owned(), Arc::new(self));
                }
            }

            impl IntoBinding<($marker,)> for Arc<dyn $port> {
                fn bind(self, name: &str, bindings: &mut AnyBindings<'_>) {
                    bindings.0.$field.insert(name.to_owned(), self);
                }
            }
        )+
    };
}

/// The engine's bindings while it is built.
#[derive(Debug)]
pub struct AnyBindings<'a>(pub(crate) &'a mut Bindings);

/// Anything that implements a provider port. `M` says which; the compiler finds it.
pub trait IntoBinding<M> {
    /// Binds it under `name`.
    fn bind(self, name: &str, bindings: &mut AnyBindings<'_>);
}

/// One bound provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ProviderEntry {
    /// The name settings choose it by.
    pub name: String,
    /// What it says about itself.
    pub info: ProviderInfo,
}

bindings! {
    generators, ImageGenerator, AsImageGenerator, GenerateImage, image_generator;
    vision, VisionModel, AsVisionModel, Vision, vision_model;
    text, TextModel, AsTextModel, Text, text_model;
    embedders, Embedder, AsEmbedder, Embed, embedder;
    removers, BackgroundRemover, AsBackgroundRemover, RemoveBackground, background_remover;
    processors, ImageProcessor, AsImageProcessor, ProcessImage, image_processor;
    analyzers, DatasetAnalyzer, AsDatasetAnalyzer, AnalyzeDataset, dataset_analyzer;
    renderers, ChartRenderer, AsChartRenderer, RenderChart, chart_renderer;
}

impl Bindings {
    fn unknown(&self, capability: Capability, name: &str) -> Error {
        Error::invalid("no provider of this name is bound")
            .with("provider", name)
            .with("capability", capability)
            .with("accepted", self.names(capability).join(", "))
    }
}
