//! Providers that run on this machine, without network and keys.

pub mod procedural;
pub mod template;
