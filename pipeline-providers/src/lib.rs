//! The providers that ship with the engine: local ones that need no network, and those that call remote models.

pub mod config;
pub mod http;
pub mod local;
pub mod pool;
