//! The providers that ship with the engine: local ones that need no network, and those that call remote models; and what
//! takes messages where hooks lead.

pub mod config;
pub mod hooks;
pub mod http;
pub mod local;
pub mod onnx;
pub mod pool;
mod tls;
