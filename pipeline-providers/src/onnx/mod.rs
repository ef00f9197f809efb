#![doc = include_str!("docs.md")]

mod config;
#[cfg(feature = "onnx")]
mod input;
#[cfg(feature = "onnx")]
mod labels;
#[cfg(feature = "onnx")]
mod model;
#[cfg(feature = "onnx-dynamic")]
mod onnxruntime;
#[cfg(feature = "onnx")]
mod provider;
#[cfg(feature = "onnx")]
mod remover;
#[cfg(feature = "onnx")]
mod runtime;
#[cfg(feature = "onnx")]
mod tagger;
#[cfg(feature = "onnx")]
mod tract;
#[cfg(all(test, feature = "onnx"))]
mod written;

pub use config::{Fit, Layout, Normalise, OnnxCapability, OnnxConfig, Runtime};
#[cfg(feature = "onnx")]
pub use provider::OnnxProvider;
#[cfg(feature = "onnx")]
pub use remover::OnnxRemover;
#[cfg(feature = "onnx")]
pub use tagger::OnnxTagger;
