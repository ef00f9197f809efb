#![doc = include_str!("docs.md")]

mod client;
mod codec;
mod config;
mod wire;

pub use client::HttpProvider;
pub use config::{HttpConfig, Mode};
